"""Everyone is scored against the odometry at the time of its word, and the better one is heard."""

from dataclasses import replace
import math

from hypothesis import given, settings, strategies as st
from lstm_predictor.common import se2
from lstm_predictor.common.uncertainty import normalized_distance
from lstm_predictor.prediction.mixture import MixtureConfig, PredictorMixture
import numpy as np
import pytest

STEP = 50_000_000  # [ns]
HORIZON = 40
NAMES = ('lstm', 'turn', 'arx')
CONFIG = MixtureConfig(score_time_constant=5.0)
AHEAD = 0.05 * np.arange(1, HORIZON + 1)  # [s]
SPREAD = np.array([0.02, 0.02, 0.06])  # of an error of size 1 after a second [m], [m], [rad]
FACTORS = np.eye(3) * SPREAD * AHEAD[:, None, None]  # right for errors of size 1
NOTHING = np.zeros((HORIZON, 3))


def pose(seconds):
    """Return where a robot is that drives in a circle."""
    return se2.exp(np.multiply.outer(seconds, [0.3, 0.0, 0.9]))


FUTURE = pose(AHEAD)  # seen from any pose on the circle


def mixture(config=CONFIG, names=NAMES):
    return PredictorMixture(names, HORIZON, STEP, config)


class Drive:
    """A drive along the circle whose predictors err as they are told."""

    def __init__(self, made=None, seed=0, shared=0.0):
        self.made = mixture() if made is None else made
        self.shared = shared  # size of the error that all have in common
        self.rng = np.random.default_rng(seed)
        self.steps = 0
        self.names, self.errors, self.outputs = [], {name: [] for name in NAMES}, []
        self.weights = []

    def run(self, seconds, inside=True, **sizes):
        """Drive on; `sizes` of errors by name, 1 where not named."""
        for _ in range(round(20 * seconds)):
            stamp_ns, here = self.steps * STEP, pose(0.05 * self.steps)
            common = self.shared * self.rng.normal(size=3)
            errors = {name: AHEAD[:, None] * SPREAD * (
                common + sizes.get(name, 1.0) * self.rng.normal(size=3)) for name in NAMES}
            self.made.observe(stamp_ns, here)
            output = self.made.combine(
                stamp_ns, here, {name: FUTURE + error for name, error in errors.items()}, FACTORS,
                inside)
            self.outputs.append(output)
            self.names.append(output.name)
            self.weights.append(self.made.weights)
            for name, error in errors.items():
                self.errors[name].append(error)
            self.steps += 1
        return self.names[-round(20 * seconds):]

    def rmse(self, errors):
        return np.sqrt(np.mean(np.square(errors), axis=0))  # (H, 3)

    def published(self):
        return [output.poses - FUTURE for output in self.outputs]


def scored(predicted, stamps_ns, at_ns=0):
    """Return a mixture that has heard one prediction at a stamp, and odometry at others."""
    made = mixture(names=('lstm',))
    made.combine(at_ns, pose(1e-9 * at_ns), {'lstm': predicted}, FACTORS, True)
    for stamp_ns in stamps_ns:
        made.observe(stamp_ns, pose(1e-9 * stamp_ns))
    return made.errors('lstm')


# What is scored, and when.

def test_nothing_is_known_before_the_first_score():
    made = mixture()
    made.combine(0, pose(0.0), dict.fromkeys(NAMES, FUTURE), FACTORS, True)
    for name in NAMES:
        assert np.isnan(made.errors(name)).all()


@given(st.integers(1, 2 * STEP), st.floats(-1.0, 1.0), st.floats(-1.0, 1.0), st.floats(-3.0, 3.0))
def test_a_score_is_the_error_at_the_stamp_between_two_messages(late, x, y, yaw):
    """The arc between two messages is told as its chord, which is 0.4 mm off at most."""
    stamps = range(late % (2 * STEP), 3_000_000_000, 2 * STEP)
    errors = scored(FUTURE + [x, y, yaw], stamps)
    np.testing.assert_allclose(errors.position, math.hypot(x, y), atol=4e-4)
    np.testing.assert_allclose(errors.heading, abs(yaw), atol=1e-9)


def test_each_checkpoint_is_scored_at_its_own_stamp_and_not_before():
    wrong = FUTURE + np.multiply.outer(np.arange(1, HORIZON + 1), [1.0, 0.0, 0.0])
    for index, steps in enumerate((2, 4, 10, 20, 40)):
        before, after = steps * STEP - 1, steps * STEP
        errors = scored(wrong, [*range(0, before, STEP), before])
        assert np.isnan(errors.position[index:]).all()
        errors = scored(wrong, range(0, after + 1, STEP))
        assert errors.position[index] == pytest.approx(steps, abs=1e-6)
        assert np.isnan(errors.position[index + 1:]).all()


def test_a_heading_across_the_turn_is_a_small_error():
    errors = scored(FUTURE + [0.0, 0.0, 2 * math.pi - 0.1], range(0, 41 * STEP, STEP))
    np.testing.assert_allclose(errors.heading, 0.1)


def test_odometry_that_repeats_or_comes_late_changes_nothing():
    stamps = list(range(0, 45 * STEP, 7 * STEP // 5))
    once = scored(FUTURE + 0.1, stamps)
    again = scored(FUTURE + 0.1, [at for stamp in stamps for at in (stamp, stamp, stamp - STEP)])
    np.testing.assert_array_equal(once, again)


def test_what_was_due_before_it_was_said_is_not_scored():
    made = mixture(names=('lstm',))
    for i in range(46):
        made.observe(i * STEP, pose(0.05 * i))
        if i == 15:
            made.combine(0, pose(0.0), {'lstm': FUTURE + 1.0}, FACTORS, True)
    assert np.isfinite(made.errors('lstm').position).tolist() == [False] * 3 + [True] * 2


def test_what_fell_into_a_gap_of_the_odometry_is_not_scored():
    errors = scored(FUTURE + 1.0, [*range(0, 5 * STEP, STEP), *range(30 * STEP, 60 * STEP, STEP)])
    assert np.isfinite(errors.position).tolist() == [True, True, False, False, True]


def test_the_running_error_fades_with_its_memory():
    drive = Drive(mixture(replace(CONFIG, score_time_constant=2.0)))
    drive.run(10.0, lstm=5.0)
    large = drive.made.errors('lstm').position
    drive.run(12.0, lstm=1.0)
    np.testing.assert_allclose(
        drive.made.errors('lstm').position / large, 0.2, atol=0.1)


# Who drives.

def test_a_bad_model_is_replaced_within_seconds_and_comes_back_when_it_is_good_again():
    drive = Drive(shared=0.5)
    assert set(drive.run(20.0, lstm=0.7, arx=1.5)) == {'lstm'}
    bad = drive.run(20.0, lstm=2.0, arx=1.5)
    assert 0 < bad.count('lstm') < 20 * 5.0 and set(bad[100:]) == {'turn'}
    good = drive.run(40.0, lstm=0.5, arx=1.5)
    assert good[0] == 'turn' and set(good[-20 * 15:]) == {'lstm'}


def test_a_model_that_is_useless_from_the_start_drives_for_few_seconds():
    assert Drive().run(10.0, lstm=10.0, arx=2.0).index('turn') < 20 * 4.0


def test_it_says_by_how_much_the_model_is_worse():
    drive = Drive(shared=0.1)
    drive.run(40.0, lstm=2.0, turn=1.0, arx=1.5)
    assert drive.outputs[-1].name == 'turn'
    words = drive.outputs[-1].reason.split()
    assert words[:2] == ['lstm', 'is'] and float(words[2]) == pytest.approx(2.0, rel=0.15)
    assert drive.outputs[0].reason == ''


@pytest.mark.parametrize('seed', range(3))
def test_who_is_clearly_better_has_it_nearly_alone(seed):
    drive = Drive(seed=seed, shared=0.1)
    drive.run(40.0, lstm=1.0, turn=2.0, arx=2.0)
    assert drive.weights[-1][0] > 0.95
    drive.run(40.0, lstm=2.0, turn=2.0, arx=1.0)
    assert drive.weights[-1][2] > 0.95


def test_shares_are_a_mean_that_changes_slowly():
    drive = Drive(shared=0.5)
    for better in NAMES:
        drive.run(15.0, **{better: 0.5})
    shares = np.array(drive.weights)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert (shares >= 0.0).all() and np.abs(np.diff(shares, axis=0)).max() < 0.2


def test_what_is_published_lies_between_the_candidates():
    drive = Drive()
    drive.run(10.0)
    for i, published in enumerate(drive.published()):
        errors = np.array([drive.errors[name][i] for name in NAMES])
        assert (published > errors.min(axis=0) - 1e-9).all()
        assert (published < errors.max(axis=0) + 1e-9).all()


def test_headings_across_the_turn_are_weighed_the_short_way():
    made = mixture(names=('lstm', 'turn'))
    around = [0.0, 0.0, 2.0 * math.pi]
    output = made.combine(0, pose(0.0), {'lstm': FUTURE, 'turn': FUTURE + around}, FACTORS, True)
    np.testing.assert_allclose(output.poses, FUTURE, atol=1e-9)


def test_standing_still_decides_nothing():
    """Who is right to the tenth of a millimetre is no better than who is right to the half."""
    drive = Drive()
    drive.run(30.0, lstm=5e-3, turn=1e-3, arx=1e-3)
    np.testing.assert_allclose(drive.weights[-1], 1.0 / 3.0, atol=0.1)


def test_outside_of_its_training_the_model_drives_not_for_a_moment():
    drive = Drive()
    drive.run(5.0, lstm=0.5, turn=1.0, arx=0.8)
    names = drive.run(5.0, inside=False, lstm=0.5, turn=1.0, arx=0.8)
    assert set(names) <= {'arx', 'turn'} and 'trained' in drive.outputs[-1].reason
    assert all(weights[0] == 0.0 for weights in drive.weights[-100:])
    assert drive.run(0.05, lstm=0.5) == ['lstm']


def test_outside_from_the_first_moment_another_one_drives():
    assert set(Drive().run(3.0, inside=False)) <= {'turn', 'arx'}


@pytest.mark.parametrize('order', [('lstm', 'turn'), ('turn', 'lstm')])
def test_what_is_published_is_hardly_worse_than_the_better_one_of_the_moment(order):
    drive = Drive(shared=0.5)
    for better in order * 2:
        drive.run(40.0, **{**dict.fromkeys(order, 1.0), better: 0.5, 'arx': 1.5})
    ideal = drive.rmse([drive.errors[better][800 * part + i]
                        for part, better in enumerate(order * 2) for i in range(800)])
    published = drive.rmse(drive.published())
    for name in NAMES:
        assert (published < 0.9 * drive.rmse(drive.errors[name])).all()
    assert (published < 1.1 * ideal).all()


@pytest.mark.parametrize('sizes', [
    {'lstm': 1.0, 'turn': 1.5, 'arx': 2.0}, {'lstm': 1.5, 'turn': 1.0, 'arx': 2.0}])
def test_where_one_is_always_better_it_is_as_if_nobody_else_were_there(sizes):
    drive = Drive(shared=0.3)
    drive.run(200.0, **sizes)
    best = drive.rmse(drive.errors[min(sizes, key=sizes.get)])
    assert (drive.rmse(drive.published()) < 1.02 * best).all()


# How sure it is.

@pytest.mark.parametrize('size', [0.5, 1.0, 3.0])
def test_nine_of_ten_later_poses_lie_inside_what_is_published(size):
    drive = Drive()
    drive.run(150.0, lstm=size, turn=2.0 * size, arx=2.0 * size)
    at = np.array([2, 10, 30, 40]) - 1
    inside = np.mean([
        normalized_distance(output.poses[at] - FUTURE[at], output.factors[at]) <= 1.0
        for output in drive.outputs], axis=0)
    assert ((0.87 < inside) & (inside < 0.93)).all()
    coverage = drive.made.errors('lstm').coverage
    assert ((0.8 < coverage) & (coverage < 1.0)).all()
    # In between it is as good a guess as at the checkpoints.
    growth = drive.outputs[-1].factors / FACTORS.clip(1e-9)
    assert size / 1.6 < growth[:, 0, 0].min() and growth[:, 0, 0].max() < 1.6 * size


def test_regions_are_those_of_what_is_published_and_not_of_the_model():
    drive = Drive()
    drive.run(60.0, lstm=5.0, turn=1.0, arx=8.0)
    widened = drive.outputs[-1].factors[-1, 0, 0] / FACTORS[-1, 0, 0]
    assert widened == pytest.approx(1.0, abs=0.4)


def test_the_first_regions_are_those_of_the_model():
    output = mixture().combine(0, pose(0.0), dict.fromkeys(NAMES, FUTURE), FACTORS, True)
    np.testing.assert_array_equal(output.factors, FACTORS)
    np.testing.assert_allclose(output.poses, FUTURE, atol=1e-12)


# What must not get in.

@pytest.mark.parametrize('value', [math.nan, math.inf, 1e300])
@pytest.mark.parametrize('name', NAMES)
def test_a_value_that_is_not_finite_is_neither_published_nor_kept(name, value):
    drive = Drive(shared=0.3)
    sizes = {'lstm': 1.0, 'turn': 1.5, 'arx': 2.0, name: 0.7}
    drive.run(10.0, **sizes)
    assert drive.names[-1] == name
    made, begin, region = drive.made, drive.steps, drive.outputs[-1].factors
    for i in range(begin, begin + 20):
        made.observe(i * STEP, pose(0.05 * i))
        spoilt = FUTURE.copy()
        spoilt[-1, 1] = value
        output = made.combine(
            i * STEP, pose(0.05 * i), {**dict.fromkeys(NAMES, FUTURE), name: spoilt}, FACTORS,
            True)
        assert output.name != name and np.isfinite(output.poses).all()
    assert name != 'lstm' or 'finite' in output.reason
    drive.steps += 20
    drive.run(2.0, **sizes)
    assert drive.names[-1] == name
    assert drive.outputs[-1].factors[-1, 0, 0] < 1.6 * region[-1, 0, 0]
    for each in NAMES:
        assert np.isfinite(made.errors(each)).all()


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_factors_that_are_not_finite_are_replaced_by_the_last_that_were(value):
    drive = Drive()
    drive.run(3.0)
    broken = np.full_like(FACTORS, value)
    output = drive.made.combine(
        drive.steps * STEP, pose(0.05 * drive.steps),
        {**dict.fromkeys(NAMES, FUTURE), 'lstm': FUTURE * value}, broken, True)
    assert output.name != 'lstm' and np.isfinite(output.factors).all()
    first = mixture().combine(0, pose(0.0), dict.fromkeys(NAMES, FUTURE), broken, True)
    assert not np.isfinite(first.factors).all()


def test_absurd_odometry_does_not_decide_for_good():
    drive = Drive(shared=0.3)
    drive.run(10.0, lstm=0.5)
    drive.made.observe(drive.steps * STEP - STEP // 2, np.array([1e300, 0.0, 0.0]))
    drive.run(10.0, lstm=0.5)
    assert np.isfinite(drive.made.errors('lstm')).all()
    assert drive.run(10.0, lstm=3.0)[-1] != 'lstm'


@pytest.mark.parametrize('value', [math.nan, math.inf, 1e300])
def test_where_nobody_is_finite_nothing_can_be_published(value):
    spoilt = np.full((HORIZON, 3), value)
    output = mixture().combine(0, pose(0.0), dict.fromkeys(NAMES, spoilt), FACTORS, True)
    assert output.name == 'lstm' and not np.isfinite(output.poses).any()


def test_who_never_gave_a_finite_value_is_in_nobodys_way():
    made, rng, output = mixture(), np.random.default_rng(0), None
    for i in range(200):
        made.observe(i * STEP, pose(0.05 * i))
        error = AHEAD[:, None] * SPREAD * rng.normal(size=3)
        output = made.combine(i * STEP, pose(0.05 * i), {
            'lstm': FUTURE + 2.0 * error, 'turn': NOTHING * math.nan, 'arx': FUTURE + error},
            FACTORS, True)
    assert output.name == 'arx' and np.isnan(made.errors('turn')).all()
    candidates = {**dict.fromkeys(NAMES, NOTHING * math.nan), 'turn': FUTURE}
    assert made.combine(200 * STEP, pose(10.0), candidates, FACTORS, False).name == 'turn'


def test_where_no_other_is_finite_the_model_drives_outside_as_well():
    drive = Drive()
    assert drive.run(10.0, lstm=3.0)[-1] != 'lstm'
    candidates = {**dict.fromkeys(NAMES, NOTHING * math.nan), 'lstm': FUTURE}
    assert drive.made.combine(
        drive.steps * STEP, pose(0.05 * drive.steps), candidates, FACTORS, False).name == 'lstm'


@pytest.mark.parametrize('axes', [[0, 1], [2]])
def test_position_and_heading_decide_both(axes):
    weights = np.zeros(3)
    weights[axes] = 1.0
    made, rng, output = mixture(), np.random.default_rng(0), None
    for i in range(200):
        made.observe(i * STEP, pose(0.05 * i))
        alike = AHEAD[:, None] * SPREAD * rng.normal(size=3)
        output = made.combine(i * STEP, pose(0.05 * i), {
            'lstm': FUTURE + alike * (1.0 + weights), 'turn': FUTURE + alike,
            'arx': FUTURE + 3.0 * alike}, FACTORS, True)
    assert output.name == 'turn'


# State.

@settings(max_examples=5)
@given(st.integers(0, 2**31))
def test_reset_is_a_new_mixture(seed):
    used = Drive(seed=seed)
    used.run(15.0, lstm=3.0)
    used.made.reset()
    assert np.isnan(used.made.errors('lstm')).all()
    again, fresh = Drive(used.made, seed), Drive(seed=seed)
    assert again.run(8.0, lstm=1.5) == fresh.run(8.0, lstm=1.5)
    for a, b in zip(again.outputs, fresh.outputs):
        np.testing.assert_array_equal(a.poses, b.poses)
        np.testing.assert_array_equal(a.factors, b.factors)
    for name in NAMES:
        np.testing.assert_array_equal(again.made.errors(name), fresh.made.errors(name))


def test_odometry_that_is_faster_than_the_grid_scores_the_same():
    def errors(times):
        made, rng = mixture(), np.random.default_rng(0)
        for i in range(200):
            for part in range(times):
                stamp_ns = (i - 1) * STEP + (part + 1) * STEP // times
                made.observe(stamp_ns, pose(1e-9 * stamp_ns))
            made.combine(i * STEP, pose(0.05 * i), {
                name: FUTURE + 0.1 * rng.normal(size=3) for name in NAMES}, FACTORS, True)
        return made.errors('arx')
    np.testing.assert_allclose(errors(1), errors(5), atol=1e-4)


def test_who_is_asked_too_often_forgets_the_oldest_questions():
    made = mixture(names=('lstm',))
    for i in range(500):
        stamp_ns = i * STEP // 10
        made.observe(stamp_ns, pose(1e-9 * stamp_ns))
        made.combine(stamp_ns, pose(1e-9 * stamp_ns), {'lstm': FUTURE + [0.3, 0.4, 0.0]}, FACTORS,
                     True)
    np.testing.assert_allclose(made.errors('lstm').position[:2], 0.5)
    assert np.isnan(made.errors('lstm').position[-2:]).all()


@pytest.mark.parametrize('horizon, checkpoints', [
    (40, [0.1, 0.2, 0.5, 1.0, 2.0]), (10, [0.1, 0.2, 0.5]), (12, [0.1, 0.2, 0.5, 0.6]),
    (1, [0.05])])
def test_checkpoints_lie_within_the_horizon_and_reach_its_end(horizon, checkpoints):
    made = PredictorMixture(NAMES, horizon, STEP, CONFIG)
    np.testing.assert_allclose(made.checkpoints, checkpoints)


@pytest.mark.parametrize('name, value', [
    ('score_time_constant', 0.0), ('score_time_constant', math.inf),
    ('weight_exponent', -0.1), ('weight_exponent', math.nan),
    ('prior_score_count', 0.0), ('prior_score_count', math.inf),
    ('fallback_error_penalty', -1.0), ('covariance_scale_rate', 0.0),
    ('min_covariance_scale', 0.0), ('min_covariance_scale', 1.5),
    ('max_covariance_scale', 0.9), ('max_covariance_scale', math.inf)])
def test_a_wrong_value_is_named(name, value):
    with pytest.raises(ValueError, match=name) as wrong:
        MixtureConfig(**{name: value})
    assert str(value) in str(wrong.value)
