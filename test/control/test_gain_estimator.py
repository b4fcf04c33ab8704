"""What a robot does more or less than it is asked to is found, and made up for."""

from hypothesis import given, settings, strategies as st
from lstm_predictor.common import se2
from lstm_predictor.control.gain_estimator import (
    GainEstimator, MAX_GAIN, MAX_PULL, MIN_GAIN, Span)
import numpy as np
import pytest

PERIOD = 0.05  # between two looks, which overlap [s]
SPAN = 0.8  # that a look covers [s]

seeds = st.integers(0, 2**31 - 1)
speeds = st.floats(-0.3, 0.3)
yaw_rates = st.floats(-2.0, 2.0)
factors = st.floats(0.7, 1.3)


def spanned(asked, moved, change=(0.0, 0.0)):
    return Span(SPAN, np.asarray(asked), np.asarray(moved), np.array(change))


def looks(seed=0, seconds=40.0):
    """Return twists that were asked for [m/s], [rad/s], on a way that winds (n, 2)."""
    rng = np.random.default_rng(seed)
    t = np.arange(0.0, seconds, PERIOD)
    phase, rate = rng.uniform(0.0, 6.0, 2), rng.uniform(0.5, 1.5, 2)
    return np.column_stack([0.18 + 0.04 * np.sin(rate[0] * t + phase[0]),
                            0.8 * np.sin(rate[1] * t + phase[1])])


def learned(twists, along=1.0, turn=1.0, pull=0.0, noise=0.0, gains=None):
    """Return the gains after looks at a robot that has these."""
    gains, rng = gains or GainEstimator(), np.random.default_rng(0)
    for speed, yaw_rate in twists:
        asked = np.array([speed, 0.0, yaw_rate]) * SPAN
        moved = np.array([along * asked[0], 0.0, turn * asked[2] + pull * asked[0]])
        noisy = moved + noise * rng.standard_normal(3)
        gains.learn(spanned(asked, noisy), PERIOD / SPAN)
    return gains


def numbers(gains):
    return tuple(gains.factors)


# A perfect robot.

@given(speeds, yaw_rates)
def test_before_anything_is_known_commands_stay_what_they_are(speed, yaw_rate):
    assert GainEstimator().factors.compensate(speed, yaw_rate) == (speed, yaw_rate)


@settings(max_examples=20)
@given(seeds, speeds, yaw_rates)
def test_a_perfect_robot_is_left_alone(seed, speed, yaw_rate):
    gains = learned(looks(seed, 10.0))
    assert numbers(gains) == pytest.approx((1.0, 1.0, 0.0), abs=1e-6)
    assert gains.factors.compensate(speed, yaw_rate) == pytest.approx(
        (speed, yaw_rate), rel=0.01, abs=1e-6)


# One that is not.

@settings(max_examples=20)
@given(seeds, factors, factors)
def test_gains_are_found_and_made_up_for(seed, along, turn):
    gains = learned(looks(seed), along, turn)
    assert numbers(gains) == (
        pytest.approx(along, rel=0.02), pytest.approx(turn, rel=0.03),
        pytest.approx(0.0, abs=0.02))
    speed, yaw_rate = gains.factors.compensate(0.2, 1.0)
    assert along * speed == pytest.approx(0.2, rel=0.02)
    assert turn * yaw_rate == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize('pull', [0.15, -0.15])
@pytest.mark.parametrize('along, turn', [(1.0, 1.0), (0.75, 1.0), (1.3, 0.8)])
def test_a_pull_to_one_side_is_told_from_a_weak_turn_and_made_up_for(pull, along, turn):
    gains = learned(looks(), along, turn, pull)
    assert numbers(gains) == pytest.approx((along, turn, pull), rel=0.05)
    for yaw_rate in (0.0, 0.6):
        speed, more = gains.factors.compensate(0.2, yaw_rate)
        assert turn * more + pull * speed == pytest.approx(yaw_rate, abs=0.05 * abs(0.2 * pull))


@pytest.mark.parametrize('gain', [1.0, 0.8])
@pytest.mark.parametrize('lag', [0.2, 0.5, 2.0])
def test_a_lag_is_not_taken_for_a_weak_robot(gain, lag):
    """The exact motion of a first-order lag under commands that wind."""
    fine, period = 50, round(SPAN / PERIOD)
    twists = np.repeat(looks(seconds=60.0), fine, axis=0)
    reached = np.zeros_like(twists)
    decay = np.exp(-PERIOD / fine / lag)
    for i in range(1, len(twists)):
        reached[i] = decay * reached[i - 1] + (1.0 - decay) * gain * twists[i - 1]
    ways = np.cumsum(twists, axis=0) * PERIOD / fine
    moved = np.cumsum(reached, axis=0) * PERIOD / fine
    gains = GainEstimator()
    for i in range(0, len(twists) - period * fine, fine):
        j = i + period * fine
        asked, did, change = ways[j] - ways[i], moved[j] - moved[i], reached[j] - reached[i]
        gains.learn(spanned([asked[0], 0.0, asked[1]], [did[0], 0.0, did[1]], change),
                    PERIOD / SPAN)
    assert gains.factors[:2] == pytest.approx((gain, gain), rel=0.02)
    assert gains.lags == pytest.approx((lag, lag), rel=0.2)


def test_noise_averages_out():
    gains = learned(looks(seconds=60.0), 0.8, 1.2, 0.3, noise=0.02)
    assert numbers(gains) == (
        pytest.approx(0.8, abs=0.05), pytest.approx(1.2, abs=0.05), pytest.approx(0.3, abs=0.15))


def test_it_is_believed_only_little_by_little():
    """A single look does not make a robot weak; metres of them do."""
    before = 1.0
    for count in (1, 10, 40, 200):
        along = learned(looks()[:count], along=0.7).factors.along
        assert 0.7 < along < before
        before = along
    assert learned(looks()[:1], along=0.7).factors.along > 0.9


def test_what_has_changed_is_found_anew():
    gains = learned(looks(1), 0.8, 1.25, 0.3)
    learned(looks(2, 120.0), 1.2, 0.8, -0.3, gains=gains)
    assert numbers(gains) == pytest.approx((1.2, 0.8, -0.3), rel=0.1)


def test_reset_assumes_a_perfect_robot_again():
    gains = learned(looks(), 0.7, 1.3, 0.4)
    gains.reset()
    assert numbers(gains) == (1.0, 1.0, 0.0)
    learned(looks(3, 5.0), 0.9, 1.1, 0.1, gains=gains)
    assert numbers(gains) == numbers(learned(looks(3, 5.0), 0.9, 1.1, 0.1))


def test_what_is_expected_is_what_was_learned():
    gains = learned(looks(), 0.8, 1.2, 0.3)
    asked = np.array([[0.1, 0.0, 0.5], [-0.1, 0.0, 0.2], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(
        gains.expected(asked, np.zeros(2)), [[0.08, 0.63], [-0.08, 0.21], [0.0, 0.0]], atol=0.01)


# Whatever was learned.

wild = st.lists(st.tuples(st.floats(-1.0, 1.0), st.floats(-2.0, 2.0),
                          st.floats(-1e6, 1e6), st.floats(-3.2, 3.2)), max_size=10)


def taught(motions):
    gains = GainEstimator()
    for ahead, turn, moved, turned in motions:
        gains.learn(spanned([ahead, 0.0, turn], [moved, 0.0, turned]), 0.2)
    return gains


@given(wild, speeds, yaw_rates)
def test_zero_stays_zero_and_no_sign_flips(motions, speed, yaw_rate):
    gains = taught(motions)
    assert gains.factors.compensate(0.0, 0.0) == (0.0, 0.0)
    assert gains.factors.compensate(speed, 0.0)[0] * speed >= 0.0
    assert gains.factors.compensate(0.0, yaw_rate)[1] * yaw_rate >= 0.0


@given(wild, speeds, yaw_rates)
def test_no_more_is_compensated_than_is_plausible(motions, speed, yaw_rate):
    """A robot that is commanded straight on is hardly steered, whatever was learned."""
    gains = taught(motions)
    more, steered = gains.factors.compensate(speed, 0.0)
    _, turn = gains.factors.compensate(0.0, yaw_rate)
    assert abs(speed) / MAX_GAIN <= 1.001 * abs(more) <= 1.002 * abs(speed) / MIN_GAIN
    assert abs(yaw_rate) / MAX_GAIN <= 1.001 * abs(turn) <= 1.002 * abs(yaw_rate) / MIN_GAIN
    assert abs(steered) <= 1.001 * MAX_PULL * abs(more) / MIN_GAIN


@given(wild, speeds, yaw_rates)
def test_left_and_right_are_treated_alike(motions, speed, yaw_rate):
    one = taught(motions)
    other = taught([(ahead, -turn, moved, -turned) for ahead, turn, moved, turned in motions])
    assert numbers(other) == pytest.approx(
        (one.factors.along, one.factors.turn, -one.factors.pull))
    more, turn = one.factors.compensate(speed, yaw_rate)
    assert other.factors.compensate(speed, -yaw_rate) == pytest.approx((more, -turn))


@given(wild, st.floats(-5.0, 5.0), st.floats(-3.2, 3.2), st.integers(1, 500))
def test_standing_teaches_nothing_and_forgets_nothing(motions, moved, turned, count):
    """A robot that is pushed while nothing is asked of it has no other gains for that."""
    gains, stood = taught(motions), taught(motions)
    for _ in range(count):
        stood.learn(spanned([0.0, 0.0, 0.0], [moved, moved, turned]), 0.2)
    assert numbers(stood) == pytest.approx(numbers(gains), rel=1e-9, abs=1e-9)
    for one in (gains, stood):
        one.learn(spanned([0.1, 0.0, 0.3], [0.08, 0.0, 0.2]), 0.2)
    assert numbers(stood) == pytest.approx(numbers(gains), rel=1e-9, abs=1e-9)


def test_a_turn_on_the_spot_says_nothing_about_the_way():
    gains = learned(looks(), along=0.8)
    before = gains.factors.along
    for _ in range(500):
        gains.learn(spanned([0.0, 0.0, 0.8], se2.exp([0.0, 0.0, 0.8])), 0.1)
    assert gains.factors.along == before
