"""Identifies mounting, units, bias and tilt of the IMU from the poses of the odometry."""

import math
from typing import NamedTuple

from lstm_predictor.common.readings import Imu
from lstm_predictor.sensor_checks.agreement import Agreement
from lstm_predictor.sensor_checks.intervals import Interval

import numpy as np

GRAVITY = 9.80665  # [m/s^2]
_FADES = 0.995  # what an interval counts for at the next one [-]
_ABSURD = 1e4  # no sensor reports more, in any unit
_HELD = 4  # intervals for which a new finding must hold until it is used
# The gyro.
_STILL = 0.1  # turn that is no evidence [rad/s]
_NOISE = 4.0  # deviations of the poses' noise that are no turn yet [-]
_DEAD_FOR = 40  # intervals of turning that a gyro does not show, until the IMU is left out
_REST = (0.01, 0.1)  # motion of the poses that is none [m/s], [rad/s]
_RESTED = 2.5  # intervals at rest from which the bias is known
_STEADY = 0.05  # deviation of a gyro at rest [rad/s]
_BIAS = 0.05  # that is harmless [rad/s]
# The acceleration.
_ENOUGH = 6.0  # intervals from which the mean is known
# Mean that is harmless: so much for each m/s of the robot, between those bounds [m/s^2]
_OFFSET, _OFFSETS = 1.0, (0.15, 1.0)
_HILLS = 1.5  # deviations of the acceleration up to which a mean may be hills [-]
_SLOW = 0.02  # speed of a robot that has not shown what it is yet [m/s]
_STEP = 0.1  # by which it must change to be taken anew [m/s^2]
_STEEP = 6.0  # from which the axis points more down than forward [m/s^2]
_PRIOR = 0.02  # evidence for a factor of 1 before any other [m^2/s^4]
_SURE = 0.1  # standard error of a factor that is known [-]
_CLEAR = 4.0  # standard errors that are no chance
_NONE = 0.3  # factor of an acceleration that is not the robot's [-]
# An IMU is surely turned round where the factor is beyond that by so many standard errors.
_TURNED = (-0.5, 6.0)
_IN_G = (0.04, 0.16)  # factor of one that is in units of gravity [-]


class Mounting(NamedTuple):
    """Offsets of the IMU's values, and the factors by which these are multiplied then."""

    gyro: float = 1.0  # 0: the yaw rate is left out
    bias: float = 0.0  # [its unit]
    forward: float = 1.0  # 0: the acceleration is left out
    offset: float = 0.0  # [its unit]


class ImuCheck:
    """Compares the IMU with the motion of the poses and corrects its readings."""

    def __init__(self) -> None:
        """Assume an IMU that is level, points forward, and reports rad/s and m/s^2."""
        self._turn = Agreement()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.mounting = Mounting()
        self._held = 0
        self._turn.reset()
        self._unlike = 0  # intervals of turning that the gyro did not show
        self._rest = [0.0] * 3  # at rest: count, sum of the gyro and of its square
        self._before: Interval | None = None
        self._speed = 0.0  # the largest lately [m/s]
        self._moments = np.diag([0.0, _PRIOR, _PRIOR])  # of 1, change of speed, centripetal
        self._products = np.array([0.0, _PRIOR, 0.0])  # of these with the acceleration
        self._square = _PRIOR  # of the acceleration

    def take(self, interval: Interval) -> None:
        """Compare the IMU with the poses of an interval."""
        before, self._before = self._before, interval if interval.imu_count else None
        if not interval.imu_count or not abs(interval.gyro) < _ABSURD:
            return
        self._take_gyro(interval)
        if before is not None and interval.follows:
            self._take_acceleration(before, interval)
        found = Mounting(*self._gyro(), *self._acceleration())
        self._held = 0 if found == self.mounting else self._held + 1
        if self._held >= _HELD:
            if found.bias != self.mounting.bias:  # turns were judged without it
                self._turn.reset()
                self._unlike = 0
            self.mounting, self._held = found, 0

    def use(self, imu: Imu) -> Imu:
        """Return the corrected reading; zero where the correction is unknown."""
        gyro, bias, forward, offset = self.mounting
        if self.mounting == Mounting():
            return imu
        return imu._replace(yaw_rate=gyro * (imu.yaw_rate - bias),
                            acceleration=forward * (imu.acceleration - offset))

    def findings(self) -> dict[str, str]:
        """Return findings and corrections as text, by input and field."""
        gyro, bias, forward, offset = self.mounting
        turning = [text for text, holds in (
            ('has the wrong sign (IMU upside down)', gyro < 0.0),
            ('is in degrees/s', 0.0 < abs(gyro) < 1.0),
            (f'has a bias of {abs(gyro) * bias:.2f} rad/s', bias)) if holds]
        pushing = [text for text, holds in (
            (f'holds {max(1.0, abs(forward)) * offset:.2f} m/s^2 of gravity (IMU tilted)', offset),
            ('points backwards (IMU turned round)', forward < 0.0),
            ('is in g', abs(forward) > 1.0)) if holds]
        found = {}
        if not gyro:
            found['imu angular_velocity.z'] = 'does not show the turns of odom (IMU on its ' \
                                              'side, or the robot lifted?): left out'
        elif turning:
            found['imu angular_velocity.z'] = f'{", ".join(turning)}: corrected'
        if not forward:
            found['imu linear_acceleration.x'] = 'is not that of odom (IMU turned or tilted): ' \
                                                 'left out'
        elif pushing:
            found['imu linear_acceleration.x'] = f'{", ".join(pushing)}: corrected'
        return found

    def _take_gyro(self, interval: Interval) -> None:
        seconds = interval.seconds
        if abs(interval.forward) < _REST[0] * seconds and abs(interval.turn) < _REST[1] * seconds \
                and abs(interval.yaw_rate) < _REST[1] * seconds:
            rest = interval.gyro - interval.turn / seconds
            for i, new in enumerate((1.0, rest, rest * rest)):
                self._rest[i] = _FADES * self._rest[i] + new
        least = max(_STILL * seconds, _NOISE * interval.noise[1])
        self._turn.add(interval.turn, (interval.gyro - self._bias()) * seconds, least)
        if abs(interval.turn) > least:
            unlike = self._turn.strange and self._turn.kind in ('zero', 'unlike')
            self._unlike = self._unlike + 1 if unlike else 0

    def _bias(self) -> float:
        count, total, square = self._rest
        if count < _RESTED:
            return 0.0
        mean = total / count
        deviation = math.sqrt(max(0.0, square / count - mean * mean))
        return mean if deviation < max(_STEADY, 0.2 * abs(mean)) else 0.0

    def _gyro(self) -> tuple[float, float]:
        """Return by what the yaw rate is to be multiplied, and the bias to take off before."""
        factor, turn = 1.0, self._turn
        if not turn.known:
            factor = self.mounting.gyro
        elif turn.wrong and turn.kind == 'sign':
            factor = -1.0
        elif turn.wrong and turn.kind == 'degrees':
            factor = math.copysign(math.pi / 180.0, turn.factor)
        elif self._unlike >= _DEAD_FOR:
            factor = 0.0
        bias, used = self._bias(), self.mounting.bias
        if abs(factor * bias) < _BIAS * (0.5 if used else 1.0):
            return factor, 0.0
        return factor, used if abs(factor * (bias - used)) < 0.5 * _BIAS else bias

    def _take_acceleration(self, before: Interval, interval: Interval) -> None:
        speeds = before.forward / before.seconds, interval.forward / interval.seconds
        turn = (before.turn + interval.turn) / (before.seconds + interval.seconds)
        known = np.array([1.0, (speeds[1] - speeds[0]) / interval.seconds,
                          0.5 * (speeds[0] + speeds[1]) * turn])
        self._speed = max(_FADES * self._speed, *map(abs, speeds))
        acceleration = 0.5 * (before.acceleration + interval.acceleration)
        if not max(abs(acceleration), *np.abs(known)) < _ABSURD:
            return
        for kept, new in ((self._moments, np.outer(known, known)),
                          (self._products, acceleration * known)):
            kept *= _FADES
            kept += new
        self._square = _FADES * self._square + acceleration * acceleration

    def _acceleration(self) -> tuple[float, float]:
        """Return by what the acceleration is to be multiplied, and the offset to take off."""
        count = self._moments[0, 0]
        if count < _ENOUGH:
            return self.mounting[2:]
        inverse = np.linalg.inv(self._moments)
        offset, along, _ = (inverse @ self._products).tolist()
        rest = max(0.0, self._square - float(self._products @ inverse @ self._products)) / count
        errors = np.sqrt(rest * np.diagonal(inverse)).tolist()
        forward = self._forward(along, errors[1]) if abs(offset) < _STEEP else 0.0
        used = self.mounting.offset
        scale = max(abs(forward), 1.0)
        # A slow robot's own accelerations are small; a fast one shakes, and drives up hills.
        harmless = min(max(_OFFSET * self._speed, _OFFSETS[0]), _OFFSETS[1]) \
            if self._speed > _SLOW else _OFFSETS[1]
        shakes = math.sqrt(max(0.0, self._square / count - offset ** 2))
        harmless = max(harmless / scale, _HILLS * shakes)
        if not forward or abs(offset) < harmless * (0.5 if used else 1.0):
            return forward, 0.0
        if used and scale * abs(offset - used) < _STEP or abs(offset) < _CLEAR * errors[0]:
            return forward, used
        return forward, offset

    def _forward(self, along: float, error: float) -> float:
        """Return the factor of an acceleration of which so much is the robot's."""
        if abs(along) > _NONE:
            clear = error < _SURE and (along > 0.0 or along + _TURNED[1] * error < _TURNED[0])
            return math.copysign(1.0, along) if clear else self.mounting.forward
        if abs(along) > _CLEAR * error and _IN_G[0] < abs(along) < _IN_G[1]:
            return math.copysign(GRAVITY, along)
        return 0.0 if error < 0.5 * _SURE else self.mounting.forward
