"""Cuts a drive into short intervals: the motion in each by poses, by twist and by IMU."""

import math
from typing import NamedTuple

from lstm_predictor.common.readings import Imu, Odometry

_LENGTH = 0.25  # of an interval, at least [s]
_GAP = 0.5  # between two odometry messages, which ends an interval without a result [s]
_LATE = 1.0  # by which a message may come after others; more is another time [s]
_NEAR = 0.5  # to a whole turn too much, a driver's error where its yaw wraps [rad]
_FADES = 0.98  # fading of the roughness per message [-]
_LEAP = 1.0  # of such a step, squared, which is no noise [m^2], [rad^2]


class Interval(NamedTuple):
    """Motion reported between two odometry messages; body frame of the first."""

    seconds: float
    forward: float  # by the poses [m]
    turn: float  # by the poses [rad]
    east: float  # by the poses, along x of the odometry's frame [m]
    speed: float  # integral of the twist [m]
    yaw_rate: float  # integral of the twist [rad]
    noise: tuple[float, float]  # deviation of a difference of two poses [m], [rad]
    follows: bool  # the one before without a gap
    imu_count: int
    gyro: float  # mean [rad/s], 0 without IMU
    acceleration: float  # mean [m/s^2], 0 without IMU


class Intervals:
    """Cuts readings into consecutive intervals, in the order of receipt."""

    def __init__(self) -> None:
        """Start without a reading."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._start: Odometry | None = None
        self._last: Odometry | None = None
        self._before: tuple[float, ...] | None = None  # last step of the pose x, y, yaw
        self._rough = [0.0, 0.0]  # squared change of such a step [m^2], [rad^2]
        self._follows = False
        self._clear()

    def _clear(self) -> None:
        self._speed = self._yaw_rate = 0.0
        self._imu = [0.0, 0.0, 0.0]  # count, sums of yaw rate and acceleration

    def add_imu(self, imu: Imu) -> None:
        """Take a reading of the interval that is open."""
        self._imu[0] += 1.0
        self._imu[1] += imu.yaw_rate
        self._imu[2] += imu.acceleration

    def add(self, odometry: Odometry) -> Interval | None:
        """Take odometry; return the interval that it ends. Late messages are left out."""
        last, start = self._last, self._start
        if last is not None:
            seconds = 1e-9 * (odometry.stamp_ns - last.stamp_ns)
            if -_LATE <= seconds <= 0.0:
                return None
            if not 0.0 < seconds <= _GAP:
                last = start = self._before = None
        self._last = odometry
        if last is None or start is None:
            self._start, self._follows = odometry, False
            self._clear()
            return None
        self._integrate(last, odometry, seconds)
        if odometry.stamp_ns - start.stamp_ns < 1e9 * _LENGTH:
            return None
        ended = self._ended(start, odometry)
        self._start, self._follows = odometry, True
        self._clear()
        return ended

    def _integrate(self, last: Odometry, now: Odometry, seconds: float) -> None:
        turn = math.remainder(now.yaw - last.yaw, math.tau)
        self._speed += 0.5 * (last.speed + now.speed) * seconds
        rates = [_rate(odometry, turn, seconds) for odometry in (last, now)]
        self._yaw_rate += 0.5 * sum(rates) * seconds
        step = (now.x - last.x, now.y - last.y, turn)
        if self._before is not None:
            x, y, yaw = (a - b for a, b in zip(step, self._before))
            for axis, square in enumerate((0.5 * (x * x + y * y), yaw * yaw)):
                if square < _LEAP:
                    self._rough[axis] += (1.0 - _FADES) * (square - self._rough[axis])
        self._before = step

    def _ended(self, start: Odometry, end: Odometry) -> Interval:
        east, north = end.x - start.x, end.y - start.y
        turn = math.remainder(end.yaw - start.yaw, math.tau)
        middle = start.yaw + 0.5 * turn
        count = self._imu[0]
        # White noise of poses shows sixfold in such a square, and twice in that of a difference.
        noise = math.sqrt(self._rough[0] / 3.0), math.sqrt(self._rough[1] / 3.0)
        return Interval(
            1e-9 * (end.stamp_ns - start.stamp_ns),
            math.cos(middle) * east + math.sin(middle) * north, turn, east,
            self._speed, self._yaw_rate, noise, self._follows, round(count),
            self._imu[1] / max(count, 1.0), self._imu[2] / max(count, 1.0))


def _rate(odometry: Odometry, turn: float, seconds: float) -> float:
    """Return the yaw rate [rad/s] of a twist, without the whole turn of a yaw that wraps."""
    extra = abs(odometry.yaw_rate * seconds - turn)
    return turn / seconds if abs(extra - math.tau) < _NEAR else odometry.yaw_rate
