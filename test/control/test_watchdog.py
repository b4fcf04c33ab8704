"""The command guard passes on what it is told, within limits, and nothing for ever."""

import math

from hypothesis import given, strategies as st
from lstm_predictor.common.readings import Command
from lstm_predictor.control.status import GuardStatus
from lstm_predictor.control.watchdog import Watchdog, WatchdogConfig
import pytest

PERIOD = 0.05  # [s]
CONFIG = WatchdogConfig(max_accel=(1.0, 0.0, 4.0), velocity_timeout=0.3)


def passed(guard, speed, yaw_rate, begin, count=100):
    """Return what the robot is told while a command comes again and again."""
    told = []
    for i in range(count):
        guard.take(Command(0, speed, yaw_rate), begin + PERIOD * i)
        told.append(guard.output(begin + PERIOD * i))
    return told


def test_a_guard_that_was_never_asked_tells_the_robot_to_stand():
    guard = Watchdog(CONFIG)
    assert guard.output(5.0) == (0.0, 0.0) and guard.status is GuardStatus.IDLE


def test_commands_within_limits_pass_unchanged_once_they_are_reached():
    guard = Watchdog(CONFIG)
    assert passed(guard, 0.2, -1.0, 1.0)[-1] == (0.2, -1.0) and guard.status is GuardStatus.PASSING


def test_silence_stops_the_robot_at_once_and_what_comes_after_it_does_not_jump():
    guard = Watchdog(CONFIG)
    passed(guard, 0.2, 1.0, 0.0)
    last = PERIOD * 99
    assert guard.output(last + 0.29) == (0.2, 1.0)
    assert guard.output(last + 0.31) == (0.0, 0.0) and guard.status is GuardStatus.STOPPED
    guard.take(Command(0, 0.2, 1.0), last + 0.35)
    speed, yaw_rate = guard.output(last + 0.35)
    assert 0.0 < speed <= 1.0 * 0.05 and 0.0 < yaw_rate <= 4.0 * 0.05


@pytest.mark.parametrize('less', [0.0, 0.05])
def test_slowing_down_is_never_made_longer(less):
    guard = Watchdog(CONFIG)
    passed(guard, 0.2, 1.0, 0.0)
    guard.take(Command(0, less, 0.0), 5.0)
    assert guard.output(5.0) == (less, 0.0)


numbers = st.floats(-1e308, 1e308)
events = st.lists(st.tuples(st.floats(0.0, 3.0), st.one_of(st.none(), st.tuples(
    numbers, numbers))), max_size=30)


@given(events)
def test_whatever_comes_the_robot_is_told_no_more_than_it_may(events):
    guard, steady, before, at = Watchdog(CONFIG), 100.0, (0.0, 0.0), 100.0
    asked_at = -math.inf
    for wait, command in events:
        steady += wait
        if command is not None:
            guard.take(Command(0, *command), steady)
            asked_at = steady
        told = guard.output(steady)
        for value, was, most, faster in zip(told, before, (0.22, 2.84), (1.0, 4.0)):
            assert abs(value) <= most
            assert abs(value) <= abs(was) + faster * (steady - at) + 1e-9
        if steady - asked_at > CONFIG.velocity_timeout:
            assert told == (0.0, 0.0)
        before, at = told, steady


@pytest.mark.parametrize('name, value', [
    ('velocity_timeout', 0.0), ('velocity_timeout', math.nan), ('velocity_timeout', math.inf),
    ('max_velocity', (-1.0, 0.0, 1.0)), ('max_accel', (0.0, 0.0, 1.0))])
def test_a_wrong_parameter_is_named(name, value):
    with pytest.raises(ValueError, match=name):
        WatchdogConfig(**{name: value})
