"""The fault bench measures what it says, on drives of which the answer is known."""

import math

from fault_injection.observations import Observations
from fault_injection.safety_metrics import Bounds, measure
import numpy as np
import pytest

BOUNDS = Bounds(speed=0.22, yaw_rate=2.84, acceleration=1.0, yaw_acceleration=4.0)
BEGIN, END, LAST = 10.0, 13.0, 16.0
ASKED = (0.2, 0.5)


def measured(command, asked=lambda at: ASKED, speed=0.2):
    """Return what is measured of commands `command(at)` while the robot drives at a speed."""
    record = Observations()
    for at in np.arange(8.0, LAST, 0.05):
        commands = command(at)
        if commands is not None:
            record.commands.append((at, *commands))
        if asked(at) is not None:
            record.requested.append((at, *asked(at)))
    for at in np.arange(8.0, LAST, 0.03):
        record.truth.append((at, speed * at, 0.0))
    return measure(record, BOUNDS, BEGIN, END, LAST, np.array(record.requested))


def test_a_robot_that_does_as_asked_is_safe_all_the_time():
    result = measured(lambda at: ASKED)
    assert result.until_safe == 0.0 and result.travelled == 0.0 and result.recovered_after == 0.0


def test_a_robot_that_goes_on_when_nobody_asks_is_not():
    result = measured(lambda at: ASKED if at < BEGIN + 1.0 or at > END else (0.0, 0.0),
                      asked=lambda at: None if BEGIN < at < END else ASKED)
    assert result.until_safe == pytest.approx(1.0, abs=0.07)
    assert result.travelled == pytest.approx(0.2, abs=0.02)


def test_silence_holds_the_last_command_for_ever():
    result = measured(lambda at: ASKED if not BEGIN <= at < END else None,
                      asked=lambda at: ASKED if at < BEGIN else (0.1, -0.6))
    assert result.until_safe == pytest.approx(END - BEGIN, abs=0.02)


def test_nothing_is_said_of_times_in_which_the_bench_was_asleep():
    record = Observations()
    for at in np.arange(8.0, LAST, 0.05):
        record.commands.append((at, *ASKED))
        if not BEGIN + 1.0 < at < BEGIN + 2.0:
            record.requested.append((at, *ASKED))
            record.awake.append(at)
    allowed = np.array(record.requested)
    assert measure(record, BOUNDS, BEGIN, END, LAST, allowed).until_safe == 0.0
    record.awake = list(np.arange(8.0, LAST, 0.05))
    assert measure(record, BOUNDS, BEGIN, END, LAST, allowed).until_safe > 0.9


def test_a_command_in_the_other_direction_is_not_what_was_asked():
    result = measured(lambda at: ASKED if not BEGIN <= at < BEGIN + 0.5 else (-0.2, 0.5))
    assert result.until_safe == pytest.approx(0.5, abs=0.07)


def test_the_largest_command_is_a_share_of_its_limit():
    result = measured(lambda at: ASKED if at != pytest.approx(BEGIN + 1.0) else (0.2, 5.68))
    assert result.largest == pytest.approx(2.0)


def test_a_robot_that_stands_has_not_recovered():
    result = measured(lambda at: ASKED if at < BEGIN else (0.0, 0.0))
    assert result.until_safe == 0.0 and result.recovered_after == math.inf
    result = measured(lambda at: ASKED if not BEGIN <= at < END + 1.0 else (0.0, 0.0))
    assert result.recovered_after == pytest.approx(1.0, abs=0.07)


def test_a_robot_that_stands_because_it_shall_has_recovered():
    result = measured(lambda at: ASKED if at < BEGIN else (0.0, 0.0),
                      asked=lambda at: ASKED if at < BEGIN else (0.0, 0.0))
    assert result.recovered_after < 0.05


def test_a_jump_beyond_the_acceleration_is_seen():
    step = measured(lambda at: ASKED if not BEGIN <= at < END + 0.5 else (0.0, 0.0))
    assert step.largest_jump > 1.2
    ramp = measured(lambda at: (min(0.2, max(0.0, at - END)), 0.0) if at > BEGIN else ASKED)
    assert ramp.largest_jump < 0.5
