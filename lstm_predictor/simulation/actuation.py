"""The path from a velocity command to the reference of the motors: delay, lag, limits."""

from collections import deque
import math

from lstm_predictor.simulation.robot_config import RobotConfig

WHEEL_SEPARATION = 0.160  # [m] nominal: what the firmware and the odometry reckon with
_NEVER_NS = 2**63 - 1  # [ns]


class Drive:
    """
    Commands on their way to the motors, and the reference speed of the motors.

    Driver and firmware truncate and clamp a command; after the input delay the reference
    approaches it with the motors' lag and within their acceleration. The last command stays in
    force for ever, as on the robot.
    """

    def __init__(self, config: RobotConfig) -> None:
        """Make the drive of a robot at rest."""
        self._config = config
        self._delay_ns = round(config.command_delay * 1e9)
        self.reset()

    def reset(self) -> None:
        """Forget every command and come to rest."""
        self._waiting: deque[tuple[int, float, float]] = deque()
        self._target = (0.0, 0.0)  # [m/s], [rad/s]
        self._reference = (0.0, 0.0)  # [m/s], [rad/s]

    def send(self, now_ns: int, speed: float, yaw_rate: float) -> None:
        """Take a command [m/s], [rad/s] that reaches the motors after the input delay."""
        target = self._executed(speed, yaw_rate)
        self._waiting.append((now_ns + self._delay_ns, *target))

    @property
    def due_ns(self) -> int:
        """Return when the next waiting command reaches the motors; the far future if none."""
        return self._waiting[0][0] if self._waiting else _NEVER_NS

    def take_due(self, now_ns: int) -> None:
        """Let every command that is due reach the motors."""
        while self.due_ns <= now_ns:
            _, speed, yaw_rate = self._waiting.popleft()
            self._target = (speed, yaw_rate)

    def ahead(self, seconds: float) -> tuple[float, float]:
        """Return the reference [m/s], [rad/s] after a time without any command."""
        c = self._config
        (speed, yaw_rate), (target_speed, target_yaw_rate) = self._reference, self._target
        return (
            approach(speed, target_speed, c.motor_lag,
                     c.max_acceleration * self._slowing(speed, target_speed), seconds),
            approach(yaw_rate, target_yaw_rate, c.motor_lag,
                     c.max_yaw_acceleration * self._slowing(yaw_rate, target_yaw_rate), seconds))

    def follow(self, seconds: float) -> tuple[float, float]:
        """Let that time pass and return the reference [m/s], [rad/s] that it leads to."""
        self._reference = self.ahead(seconds)
        return self._reference

    def _slowing(self, value: float, target: float) -> float:
        """Return what multiplies the limit of acceleration on the way to a target."""
        return self._config.deceleration_ratio if abs(target) < abs(value) else 1.0

    def _executed(self, speed: float, yaw_rate: float) -> tuple[float, float]:
        """Return the speed [m/s] and yaw rate [rad/s] at which the wheels execute a command."""
        c = self._config
        step = c.command_resolution
        speed = c.speed_gain * _clamp(truncate(speed, step), c.max_speed)
        yaw_rate = c.yaw_rate_gain * _clamp(truncate(yaw_rate, step), c.max_yaw_rate)
        left = _over(c.dead_band, speed - yaw_rate * WHEEL_SEPARATION / 2.0)
        right = _over(c.dead_band, speed + yaw_rate * WHEEL_SEPARATION / 2.0)
        return (left + right) / 2.0, (right - left) / WHEEL_SEPARATION


def approach(value: float, target: float, lag: float, slope: float, seconds: float) -> float:
    """
    Return where a first-order lag [s] that is limited to `slope` per second gets in a time.

    Exact for any time: two short ones lead where their sum does.

    >>> round(approach(0.0, 1.0, lag=0.5, slope=10.0, seconds=0.5), 3)
    0.632
    >>> approach(0.0, 1.0, lag=0.5, slope=1.0, seconds=0.25)
    0.25
    """
    limited = abs(target - value) / slope - lag  # [s] for which the slope is the limit
    if limited > 0.0:
        if seconds <= limited:
            return value + math.copysign(slope * seconds, target - value)
        value = target - math.copysign(slope * lag, target - value)
        seconds -= limited
    return target + (value - target) * math.exp(-seconds / lag) if lag > 0.0 else target


def truncate(value: float, quantum: float) -> float:
    """
    Return the value cut toward zero to whole quanta; what is whole already stays as it is.

    >>> truncate(0.129, 0.01), truncate(-0.129, 0.01), truncate(0.29, 0.01), truncate(0.129, 0.0)
    (0.12, -0.12, 0.29, 0.129)
    """
    if quantum == 0.0:
        return value
    count = value / quantum
    whole = round(count)
    return quantum * (whole if abs(count - whole) < 1e-6 else math.trunc(count))


def _clamp(value: float, limit: float) -> float:
    return max(-limit, min(limit, value))


def _over(dead_band: float, speed: float) -> float:
    """Return the speed [m/s] of a wheel that does not move below its dead band."""
    return speed if abs(speed) >= dead_band else 0.0
