"""The less sure it is across the path the slower: at once, and back only little by little."""

import math

from hypothesis import given, strategies as st
from lstm_predictor.control.speed_scaling import SpeedScaling, SpeedScalingConfig
import numpy as np
import pytest

CONFIG = SpeedScalingConfig()
FREE, LEAST = CONFIG.lateral_std_threshold, CONFIG.min_speed_scale
TIME_CONSTANT = CONFIG.speed_scale_time_constant

yaws = st.floats(-10.0, 10.0)
deviations = st.floats(1e-3, 1.0)


def covariance(along, across, yaw=0.0, turned=0.1):
    """Return that of errors along and across a heading [m], and of the heading [rad]."""
    axes = np.array([[math.cos(yaw), -math.sin(yaw), 0.0],
                     [math.sin(yaw), math.cos(yaw), 0.0], [0.0, 0.0, 1.0]])
    return axes @ np.diag([along ** 2, across ** 2, turned ** 2]) @ axes.T


def share(*seen, config=CONFIG):
    """Return the share after (error across [m], time [s])."""
    caution = SpeedScaling(config)
    for across, steady in seen:
        caution.update(0.0, covariance(0.1, across), steady)
    return caution.share


# What counts.

@given(st.floats(0.0, 0.999 * FREE), yaws, st.floats(0.0, 10.0))
def test_a_small_error_is_free(across, yaw, along):
    caution = SpeedScaling(CONFIG)
    caution.update(yaw, covariance(along, across, yaw) + 1e-12 * np.eye(3), 0.0)
    assert caution.share == 1.0 and caution.reason == ''


@given(st.floats(FREE, 10.0))
def test_a_larger_one_slows_in_proportion_down_to_the_least(across):
    assert share((across, 0.0)) == pytest.approx(max(LEAST, FREE / across))


@given(deviations, deviations, deviations, yaws, yaws)
def test_only_the_part_across_the_heading_counts(along, other, across, yaw, turn):
    """However the robot and its errors are turned together."""
    one, turned, longer = SpeedScaling(CONFIG), SpeedScaling(CONFIG), SpeedScaling(CONFIG)
    one.update(yaw, covariance(along, across, yaw), 0.0)
    turned.update(yaw + turn, covariance(along, across, yaw + turn), 0.0)
    longer.update(yaw, covariance(other, across, yaw, turned=other), 0.0)
    for caution in (one, turned, longer):
        assert caution.across == pytest.approx(across, rel=1e-6)
        assert caution.share == pytest.approx(min(1.0, max(LEAST, FREE / across)), rel=1e-6)


@given(yaws, deviations)
def test_an_error_that_lies_along_the_heading_alone_is_free(yaw, along):
    """Its part across is zero but for rounding, on either side."""
    caution = SpeedScaling(CONFIG)
    ahead = along * np.array([math.cos(yaw), math.sin(yaw), 0.0])
    caution.update(yaw, np.outer(ahead, ahead), 0.0)
    assert caution.share == 1.0


@given(st.floats(0.01, 0.9), st.floats(0.05, 0.9))
def test_it_is_never_slower_than_the_least_nor_faster_than_all(free, least):
    config = SpeedScalingConfig(lateral_std_threshold=free, min_speed_scale=least)
    assert share((1e6, 0.0), config=config) == least
    assert share((0.0, 0.0), config=config) == 1.0


@given(st.lists(st.tuples(
    st.lists(st.floats(), min_size=9, max_size=9), st.floats(allow_infinity=False),
    st.floats(-10.0, 1e6))))
def test_whatever_it_sees_the_share_is_a_share(seen):
    caution = SpeedScaling(CONFIG)
    for values, yaw, steady in seen:
        with np.errstate(all='ignore'):
            caution.update(yaw, np.reshape(values, (3, 3)), steady)
        assert LEAST <= caution.share <= 1.0


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf, -1.0, 0.0])
def test_what_is_no_covariance_is_as_unsure_as_can_be_at_once(value):
    caution = SpeedScaling(CONFIG)
    caution.update(0.3, covariance(0.01, 0.01), 0.0)
    assert caution.share == 1.0
    caution.update(0.3, np.full((3, 3), value), 0.01)
    assert caution.share == LEAST
    assert caution.reason == 'slowed to 30 %: the prediction has no usable covariance'


# When.

def test_it_slows_at_once():
    assert share((0.0, 0.0), (0.06, 1e-6)) == pytest.approx(0.5)
    assert share((0.06, 0.0), (0.04, 0.0), (1.0, 0.0)) == LEAST


def test_it_recovers_little_by_little():
    """In the time of its memory it makes up 63 % of what is missing."""
    assert share((0.06, 0.0), (0.0, 0.01)) == pytest.approx(0.51, abs=0.005)
    assert share((0.06, 0.0), (0.0, TIME_CONSTANT)) == pytest.approx(1.0 - 0.5 / math.e)
    assert share((0.06, 0.0), (0.0, 20.0 * TIME_CONSTANT)) == pytest.approx(1.0, abs=1e-6)


@given(st.lists(st.floats(0.0, 0.3), min_size=1, max_size=8))
def test_many_looks_recover_as_one(passed):
    times = np.cumsum(passed)
    one = share((0.1, 0.0), (0.02, float(times[-1])))
    many = share((0.1, 0.0), *((0.02, float(time)) for time in times))
    assert many == pytest.approx(one, abs=1e-9) and many >= LEAST


def test_a_clock_that_goes_back_does_not_recover():
    assert share((0.06, 5.0), (0.0, 4.0), (0.0, 4.0)) == pytest.approx(0.5)


def test_reset_forgets_every_doubt():
    caution = SpeedScaling(CONFIG)
    caution.update(0.0, covariance(1.0, 1.0), 0.0)
    caution.reset()
    assert (caution.share, caution.across, caution.reason) == (1.0, 0.0, '')
    caution.update(0.0, covariance(1.0, 0.06), 0.0)
    assert caution.share == pytest.approx(0.5)


def test_it_says_by_how_much_and_why():
    caution = SpeedScaling(CONFIG)
    caution.update(1.0, covariance(1.0, 0.06, 1.0), 0.0)
    assert caution.reason == 'slowed to 50 %: predicted error across the path 0.060 m'


@pytest.mark.parametrize('name, values', [
    ('lateral_std_threshold', (0.0, -0.1, math.nan, math.inf)),
    ('speed_scale_time_constant', (0.0, -0.1, math.nan, math.inf)),
    ('min_speed_scale', (0.0, -0.1, 1.1, math.nan, math.inf))])
def test_a_bad_value_is_refused_by_its_name(name, values):
    for value in values:
        with pytest.raises(ValueError, match=f'^{name} must .*{value}'):
            SpeedScalingConfig(**{name: value})
