"""Detects odometry that does not continue the message before: a new drive begins."""

import math
from typing import NamedTuple

from lstm_predictor.common import se2
from lstm_predictor.common.readings import Odometry

MAX_BACKWARD_TIME_JUMP = 1.0  # of a stamp, up to which a message is a late one [s]
ABSURD = 20.0  # times the robot's largest velocity: no wheel turns so fast
_LEAP = 0.3  # of a pose, beside what such a velocity explains [m]
# A pose that is set to zero may be nearer than that to the one before.
_AT_ZERO = (0.01, 0.05)  # [m], [rad]
_FROM_AFAR = (0.1, 1.0)  # what no robot makes from one message to the next [m], [rad]
_NEXT = 0.25  # message [s]


class Break(NamedTuple):
    """Why odometry is discontinuous; false as a condition where it is not."""

    back: float = 0.0  # by which a stamp is before the newest one [s]
    leap: float = 0.0  # of the pose [m]
    zero: bool = False  # the pose was set to zero
    ahead: float = 0.0  # by which stamps left out time that did not pass [s]

    def __bool__(self) -> bool:
        return any(self)

    def __str__(self) -> str:
        if self.back:
            return f'its stamp is {self.back:.1f} s before the one before'
        if self.zero:
            return 'its pose was set to zero'
        return f'its pose is {self.leap:.3g} m from the one before' if self.leap else ''

    def offline(self) -> str:
        """Return the same in the words for a recording."""
        if self.back:
            return f'odom jumps back by {self.back:.1f} s'
        if self.ahead:
            return f'odom jumps ahead by {self.ahead:.1f} s'
        if self.zero:
            return 'the pose of odom was set to zero'
        return f'the pose of odom jumps by {self.leap:.3g} m'


def break_between(newest: Odometry, reading: Odometry, max_speed: float,
                  max_backward_time_jump: float = MAX_BACKWARD_TIME_JUMP) -> Break:
    """
    Return the discontinuity between the newest message so far and another, if any.

    A stamp that is up to `max_backward_time_jump` [s] back belongs to a message that comes late.
    `max_speed` [m/s] is the largest of the robot.
    """
    ahead = 1e-9 * float(reading.stamp_ns - newest.stamp_ns)
    if ahead < -max_backward_time_jump:
        return Break(back=-ahead)
    moved = math.hypot(reading.x - newest.x, reading.y - newest.y)
    if moved > ABSURD * max_speed * abs(ahead) + _LEAP:
        return Break(leap=moved)
    return Break(zero=_set_to_zero(newest, reading, abs(ahead), moved, max_speed))


def _set_to_zero(newest: Odometry, reading: Odometry, passed: float, moved: float,
                 max_speed: float) -> bool:
    """Return whether a pose was set to the origin, and not reached by driving."""
    reach = 2.0 * max_speed * passed
    if passed > _NEXT or math.hypot(reading.x, reading.y) > max(_AT_ZERO[0], reach) \
            or abs(reading.yaw) > _AT_ZERO[1]:
        return False
    turned = abs(float(se2.wrap(reading.yaw - newest.yaw)))
    return moved > _FROM_AFAR[0] + reach or turned > _FROM_AFAR[1]


class ClockSteps:
    """
    Distinguishes a clock that is set ahead from a gap in the odometry.

    After a silence the recorder's clock has gone on as well; here it has not.
    """

    def __init__(self, least: float = MAX_BACKWARD_TIME_JUMP) -> None:
        """Attribute less than `least` [s] to the network."""
        self._least_ns = round(1e9 * least)
        self._least_late_ns: int | None = None  # receipt less stamp, of the most punctual message
        self._newest_ns = 0

    def add(self, receive_ns: int, stamp_ns: int) -> float:
        """Take receipt and stamp [ns] of odometry; return how far the stamps stepped ahead [s]."""
        late_ns, passed_ns = receive_ns - stamp_ns, stamp_ns - self._newest_ns
        self._newest_ns = stamp_ns
        least = self._least_late_ns
        if least is not None and least - late_ns > self._least_ns and passed_ns > self._least_ns:
            self._least_late_ns = late_ns
            return 1e-9 * float(least - late_ns)
        self._least_late_ns = late_ns if least is None else min(least, late_ns)
        return 0.0
