"""Whatever a recording says: no crash, and no prediction that is not a number."""

from pathlib import Path
import tempfile

from helpers.bags import assert_same, message, recorded
from helpers.models import motion_model, small_contract
from hypothesis import given, settings, strategies as st
from lstm_predictor.common.readings import Command, Imu, Odometry
from lstm_predictor.evaluation.scores import evaluate
from lstm_predictor.model.model_file import LoadedModel
from lstm_predictor.model.window import WindowConfig
from lstm_predictor.training import dataset, recorded_tracks
import numpy as np
import pytest

SECOND = 1_000_000_000  # [ns]
YEAR = 31_557_600 * SECOND
START = 1_700_000_000 * SECOND
STEP = SECOND // 20
MODEL = LoadedModel(motion_model(prior_spread=0.05), small_contract(shortest=20))
NO_NUMBERS = [float('nan'), float('inf'), float('-inf')]
ABSURD = [0.0, -0.0, 1e6, -1e6, 94.0, -125.7, 1e-300]
ROTATIONS = [(0.0,) * 4, (float('nan'),) * 4, (1e-9,) * 4, (0.0, 0.0, 1e200, 0.0),
             (0.0, 0.0, 3.0, 4.0)]
FIELDS = {Odometry: 5, Imu: 2, Command: 2}

pytestmark = pytest.mark.usefixtures('one_thread')

# What happens to the n-th message: a number of it, its stamp or its orientation.
changes = st.lists(st.one_of(
    st.tuples(st.just('value'), st.integers(0, 4), st.sampled_from(NO_NUMBERS + ABSURD)),
    st.tuples(st.just('stamp'), st.sampled_from([-1, 1]), st.one_of(
        st.just(0), st.integers(0, SECOND), st.integers(0, 30 * SECOND), st.just(3 * YEAR))),
    st.tuples(st.just('zero'), st.just(0), st.just(0)),
    st.tuples(st.just('rotation'), st.sampled_from(ROTATIONS), st.just(0))), max_size=12)
places = st.lists(st.integers(0, 399), min_size=12, max_size=12)
runs = st.integers(1, 40)  # messages in a row to which it happens


def drive():
    """Return the readings of 8 s along an arc."""
    for i in range(160):
        stamp, turned = START + i * STEP, 0.02 * i
        yield Odometry(stamp, 0.4 * np.sin(turned), 0.4 * (1.0 - np.cos(turned)),
                       float(np.remainder(turned + np.pi, 2.0 * np.pi) - np.pi), 0.16, 0.4)
        yield Imu(stamp + 1, 0.4, 0.0)
        if i % 2 == 0:
            yield Command(stamp + 2, 0.16, 0.4)


DRIVE = list(drive())


def changed(reading, what, one, two):
    """Return a message that something happened to."""
    if what == 'rotation':
        return message(reading, orientation=one)
    if what == 'value':
        name = reading._fields[1 + one % FIELDS[type(reading)]]
        if name == 'yaw' and two in NO_NUMBERS:
            return message(reading, orientation=(two,) * 4)
        return message(reading._replace(**{name: two}))
    stamp = 0 if what == 'zero' else max(reading.stamp_ns + one * two, 0)
    return message(reading._replace(stamp_ns=stamp))


def spoiled(happened, at, length):
    """Return the messages of the drive with everything that happened to them."""
    messages = [message(reading) for reading in DRIVE]
    for change, place in zip(happened, at):
        for i in range(place, min(place + length, len(DRIVE))):
            messages[i] = changed(DRIVE[i], *change)
    return messages


def read(messages):
    with tempfile.TemporaryDirectory() as folder:
        return recorded_tracks.read(recorded(Path(folder) / 'bag', messages)).tracks[0]


@settings(max_examples=60)
@given(changes, places, runs)
def test_windows_and_predictions_of_any_recording_are_numbers(happened, at, length):
    track = read(spoiled(happened, at, length))
    examples = dataset.examples_of(track, WindowConfig(), 40, stride=3.0)
    for array in (examples.windows, examples.commands, examples.futures):
        assert np.isfinite(array).all()
    assert np.abs(examples.commands[..., 0]).max(initial=0.0) <= track.max_speed * (1.0 + 1e-6)
    if len(examples):
        for given_ in (examples.commands, 0.0 * examples.commands):
            poses, factors = MODEL.predict(examples.windows, given_)
            assert np.isfinite(poses).all() and np.isfinite(factors).all()


@settings(max_examples=15)
@given(changes, places, runs, st.booleans())
def test_every_predictor_of_any_recording_is_scored(happened, at, length, known):
    outcome = evaluate(MODEL, read(spoiled(happened, at, length)), known)
    absurd = np.zeros(len(outcome), dtype=bool)
    for name, poses in outcome.poses.items():
        if name != 'published':
            assert np.isfinite(poses).all()
            absurd |= np.abs(poses).max(axis=(1, 2)) > 1e3
    # Of paths to the moon the node publishes none.
    assert np.isfinite(outcome.poses.get('published', np.zeros((len(outcome), 1)))[~absurd]).all()


def test_nothing_happens_to_a_good_recording():
    """So that the tests above have something to spoil."""
    track = read(spoiled([], [], 1))
    assert_same(track.readings, DRIVE)
    examples = dataset.examples_of(track, WindowConfig(), 40)
    assert len(examples) == 160 - 20 - 40


@pytest.mark.parametrize('value', NO_NUMBERS)
@pytest.mark.parametrize('kind', FIELDS)
def test_what_is_no_number_is_left_out(kind, value):
    """As if the message had been lost on the way."""
    victim = next(i for i, r in enumerate(DRIVE) if isinstance(r, kind) and i > 100)
    messages = [message(reading) for reading in DRIVE]
    messages[victim] = changed(DRIVE[victim], 'value', 1, value)
    lost = messages[:victim] + messages[victim + 1:]
    one, other = (dataset.examples_of(read(each), WindowConfig(), 40) for each in (messages, lost))
    assert one.sha256() == other.sha256() and len(one) > 0


def test_commands_of_a_million_are_what_the_robot_makes_of_them():
    messages = [message(r._replace(speed=1e6, yaw_rate=-1e6) if isinstance(r, Command) else r)
                for r in DRIVE]
    track = read(messages)
    commands = dataset.examples_of(track, WindowConfig(), 40).commands
    np.testing.assert_allclose(commands[..., 0], track.max_speed)
    np.testing.assert_allclose(commands[..., 1], -track.max_yaw_rate)
