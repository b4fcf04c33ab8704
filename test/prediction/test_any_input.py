"""Whatever is heard, at whatever time it says: what is kept is bounded, and it is got over."""

from functools import cache
from pathlib import Path

from hypothesis import given, Phase, settings, strategies as st
from hypothesis.stateful import initialize, invariant, rule, RuleBasedStateMachine
from lstm_predictor.common import se2
from lstm_predictor.common.readings import Command, Imu, InvalidMessage, Odometry
from lstm_predictor.model import model_file
from lstm_predictor.paths import default_model
from lstm_predictor.prediction.observer import Observer
from lstm_predictor.prediction.predictor import Predictor, PredictorConfig
import numpy as np
import pytest

pytestmark = [pytest.mark.usefixtures('one_thread'),
              pytest.mark.filterwarnings('ignore::RuntimeWarning')]

SECOND = 1_000_000_000  # [ns]
HOUR = 3600 * SECOND
START = 1_700_000_000 * SECOND
LAST = (2**31 - 1) * SECOND  # the last time that a message can say
STEP = SECOND // 20
RECOVERY = 6.0  # of driving as usual, after which hardly anything is left of before [s]

extreme = st.sampled_from([
    0.0, -0.0, 5e-324, 1e-300, 3.15, -125.7, 1e3, -1e6, 1e16, -1e39, 1e155, 1e300])
numbers = st.one_of(st.floats(-3.0, 3.0), extreme, st.floats(-1e300, 1e300))
huge = st.one_of(numbers, st.sampled_from([1.7e308, -1.7e308]), st.floats(-1.7e308, 1.7e308))
skews = st.one_of(
    st.just(0), st.sampled_from([1, -1, STEP, -STEP, HOUR, -HOUR]),
    st.integers(-STEP, STEP), st.integers(-2 * SECOND, 2 * SECOND),
    st.integers(-5 * HOUR, 5 * HOUR))
counts = {Command: 2, Odometry: 5, Imu: 2}  # numbers in a reading, in the order of an arc


@cache
def model():
    """Return the model that comes with the package."""
    return model_file.load(Path(default_model()))


def readings(values):
    """Return a strategy of readings whose stamps are still to be counted from some time."""
    return st.one_of([st.builds(kind, skews, *[values] * count)
                      for kind, count in counts.items()])


def arc(begin_ns, steps, period_ns=STEP):
    """Return the readings of a robot that obeys and goes round in a circle."""
    for i in range(steps):
        stamp, seconds = begin_ns + i * period_ns, 1e-9 * i * period_ns
        x, y, yaw = se2.exp([0.2 * seconds, 0.0, 0.7 * seconds]).tolist()
        yield Command(stamp - 1, 0.2, 0.7)
        yield Odometry(stamp, x, y, yaw, 0.2, 0.7)
        yield Imu(stamp + 1, 0.7, 0.0)


def heard(taker, reading):
    """Hand a reading over; that it is refused by name is the only way in which it may fail."""
    try:
        taker.add(reading)
    except InvalidMessage as refused:
        assert str(refused)


# What is kept.

class Readings(RuleBasedStateMachine):
    """An observer hears readings of any time; the streams stay what a window can be made of."""

    @initialize(use_imu=st.booleans())
    def begin(self, use_imu):
        window = model().contract.window_config(0.22, 2.84)
        self.observer = Observer(model(), window, use_imu, max_backward_time_jump=1.0)
        self.now_ns = START
        self.most = 0  # rows that a stream ever had

    def take(self, reading):
        if 0 < reading.stamp_ns <= LAST:
            if isinstance(reading, Odometry) and self.observer.discontinuity(reading):
                self.observer.reset()
            heard(self.observer, reading)
            self.most = max(self.most, *map(len, self.streams()))

    def streams(self):
        window = self.observer.window
        return window.odometry, window.imu, window.commands

    @rule(reading=readings(numbers))
    def hear(self, reading):
        self.take(reading._replace(stamp_ns=self.now_ns + reading.stamp_ns))

    @rule(passed=skews)
    def let_time_pass_or_jump(self, passed):
        self.now_ns = min(max(self.now_ns + passed, 1), LAST)

    @rule(steps=st.integers(1, 300), period_ns=st.sampled_from([1, SECOND // 1000, STEP, SECOND]))
    def drive(self, steps, period_ns):
        for reading in arc(self.now_ns, steps, period_ns):
            self.take(reading)
        self.now_ns = min(self.now_ns + steps * period_ns, LAST)

    @invariant()
    def stamps_increase_and_none_is_older_than_the_span(self):
        for stream in self.streams():
            assert (np.diff(stream.times) > 0).all()
            assert not len(stream) or stream.times[-1] - stream.times[0] <= stream.span_ns

    @invariant()
    def memory_follows_the_rows_and_not_what_was_heard(self):
        for stream in self.streams():
            assert len(stream.times.base) == len(stream.values.base) <= max(256, 2 * self.most)

    @invariant()
    def nothing_but_numbers_is_kept_and_the_odometry_says_what_time_it_is(self):
        for stream in self.streams():
            assert np.isfinite(stream.values).all()
            assert not len(stream) or self.observer.ahead(stream.times[-1]) <= 1.0

    @invariant()
    def a_window_that_is_due_is_made_of_numbers_and_not_due_again(self):
        anchor_ns = self.observer.due()
        if anchor_ns is not None:
            assert anchor_ns == self.observer.window.odometry.times[-1]
            assert np.isfinite(self.observer.update(anchor_ns)).all()
            assert np.isfinite(self.observer.model_state).all()
            assert self.observer.due() is None


TestReadings = Readings.TestCase
TestReadings.settings = settings(
    max_examples=30, stateful_step_count=20, derandomize=True)


# What is predicted.

def numbers_of(prediction):
    """Return every number that is published of a prediction."""
    told = [prediction.poses, prediction.covariances, prediction.actuation_latency]
    for ahead in (0.0, 0.02, prediction.actuation_latency, 0.51, 2.0, 3.0):
        step = prediction.at(ahead)
        told += [step.pose, step.covariance, step.twist, step.twist_std ** 2]
    return np.concatenate([np.ravel(each) for each in told])


def predicted(predictor, sequence):
    """Return what is predicted while readings come in."""
    made = []
    for reading in sequence:
        heard(predictor, reading)
        if isinstance(reading, Odometry):
            made.append(predictor.predict_if_due())
    return [prediction for prediction in made if prediction is not None]


def assert_said_truly(prediction):
    assert prediction.is_finite() == np.isfinite(numbers_of(prediction)).all()
    assert prediction.actuation_latency >= 0.0
    if prediction.is_finite():
        assert (np.diagonal(prediction.covariances, axis1=1, axis2=2) > 0.0).all()


# Driving, of which some readings are others and come at other times; then a jump of time.
drives = st.lists(st.tuples(
    st.integers(1, 60), skews, st.lists(st.tuples(
        st.integers(0, 59), st.integers(1, 10), readings(huge)), min_size=1, max_size=4)),
    min_size=2, max_size=3)


def spoiled(driven):
    """Return (the readings of drives with what happened to them, the time after the last)."""
    now_ns, sequence = START, []
    for steps, jump, happened in driven:
        row = list(arc(now_ns, steps))
        for at, length, other in happened:
            kind = list(counts).index(type(other))
            for i in range(at, min(at + length, steps)):
                row[3 * i + kind] = other._replace(stamp_ns=now_ns + i * STEP + other.stamp_ns)
        sequence += row
        now_ns += steps * STEP + jump
    return sequence, now_ns


@settings(max_examples=12, derandomize=True,
          phases=[Phase.explicit, Phase.generate])  # to shrink an example would take minutes
@given(drives)
def test_a_prediction_says_whether_it_can_be_published_and_comes_right_again(driven):
    """As right as that of a predictor that heard nothing of what was before."""
    predictor, fresh = (Predictor(model(), PredictorConfig()) for _ in range(2))
    sequence, now_ns = spoiled(driven)
    for prediction in predicted(predictor, sequence):
        assert_said_truly(prediction)
    usual = list(arc(now_ns, round(RECOVERY * SECOND / STEP)))
    for each in (predictor, fresh):
        for reading in usual[:-30]:
            heard(each, reading)
    after, expected = predicted(predictor, usual[-30:]), predicted(fresh, usual[-30:])
    assert [p.anchor_ns for p in after] == [p.anchor_ns for p in expected]
    assert len(after) == 10 and all(prediction.is_finite() for prediction in after)
    assert (predictor.mixture.weights > 0.0).all()  # none of them is silent for good
    for one, other in zip(after, expected):
        missed = np.abs(se2.between(other.poses, one.poses)).max(axis=0)
        assert np.hypot(*missed[:2]) < 0.05 and missed[2] < 0.2
