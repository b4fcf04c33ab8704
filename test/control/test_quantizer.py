"""Error diffusion: a driver that truncates loses nothing over time."""

import math

from hypothesis import given, strategies as st
from lstm_predictor.control.quantizer import Quantizer
from lstm_predictor.control.velocity_limiter import Limits
import pytest

STEP = 0.01
LIMITS = Limits()


def driven(value):
    """Return what TurtleBot3's driver makes of a velocity: whole hundredths towards zero."""
    return math.trunc(value * 100.0) / 100.0


def sent(values, steps=(STEP, 0.0, STEP)):
    """Return the speeds that are sent for some."""
    quantiser = Quantizer(steps, LIMITS)
    return [quantiser.quantize(value, 0.0)[0] for value in values]


@given(st.floats(-0.21, 0.21), st.integers(20, 200))
def test_the_robot_is_as_fast_as_it_was_asked_to_be(value, count):
    drives = [driven(speed) for speed in sent([value] * count)]
    assert abs(sum(drives) - count * value) <= STEP + 1e-9


def test_without_it_the_robot_is_slower():
    assert driven(0.1499) == 0.14 and sum(map(driven, sent([0.1499] * 100))) > 14.9


@given(st.lists(st.floats(-0.5, 0.5), max_size=60))
def test_nothing_is_beyond_the_limits_or_of_the_other_sign(values):
    for value, speed in zip(values, sent(values)):
        assert abs(speed) <= 0.22 and speed * value >= 0.0
        assert abs(speed) <= abs(value) + 2.0 * STEP
        assert value != 0.0 or speed == 0.0


def test_zero_owes_nothing():
    quantiser = Quantizer((STEP, 0.0, STEP), LIMITS)
    quantiser.quantize(0.004, 0.004)
    assert quantiser.quantize(0.0, 0.0) == (0.0, 0.0)
    assert quantiser.quantize(0.004, 0.004) == (0.0, 0.0)


@given(st.lists(st.floats(-0.22, 0.22), max_size=20))
def test_a_driver_that_truncates_nothing_gets_what_was_asked(values):
    assert sent(values, (0.0, 0.0, 0.0)) == values


@pytest.mark.parametrize('value', [0.29, -0.57, 1.1, -2.3])
def test_yaw_rates_have_steps_of_their_own(value):
    quantiser = Quantizer((0.0, 0.0, STEP), LIMITS)
    assert driven(quantiser.quantize(0.123, value)[1]) == pytest.approx(value)
    assert quantiser.quantize(0.123, value)[0] == 0.123
