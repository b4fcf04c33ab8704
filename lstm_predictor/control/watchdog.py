"""Command watchdog: stops the robot without fresh commands, and limits those passed on."""

from dataclasses import dataclass

from lstm_predictor.common.checks import require_positive
from lstm_predictor.common.readings import Command
from lstm_predictor.control.status import GuardStatus
from lstm_predictor.control.velocity_limiter import Limits, Triple, VelocityLimiter


@dataclass(frozen=True)
class WatchdogConfig:
    """Limits of what is passed on, and the silence that stops the robot."""

    max_velocity: Triple = (0.22, 0.0, 2.84)  # [m/s], [m/s], [rad/s]
    min_velocity: Triple = (-0.22, 0.0, -2.84)  # [m/s], [m/s], [rad/s]
    max_accel: Triple = (2.5, 0.0, 10.0)  # away from zero [m/s^2], [m/s^2], [rad/s^2]
    velocity_timeout: float = 0.3  # age of the newest command that stops the robot [s]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        self.limits()
        require_positive(self, 'velocity_timeout')

    def limits(self) -> Limits:
        """Return the limits; ValueError names one that is wrong."""
        return Limits(self.max_velocity, self.min_velocity, self.max_accel)


class Watchdog:
    """
    Passes commands on within limits, and stops the robot where none come.

    Speeding up is limited, since commands that come back after a silence would make the robot
    jump. Slowing down is not: a stop is never made longer here.
    """

    def __init__(self, config: WatchdogConfig) -> None:
        """Start idle, with a robot that stands."""
        self._limiter = VelocityLimiter(config.limits())
        self.retune(config)
        self.reset()

    def retune(self, config: WatchdogConfig) -> None:
        """Take other limits and another age."""
        self.config = config
        self._limiter.limits = config.limits()

    def reset(self) -> None:
        """Forget every command."""
        self._limiter.reset()
        self._requested = (0.0, 0.0)
        self._requested_at: float | None = None  # [s] steady
        self.status = GuardStatus.IDLE

    def take(self, command: Command, steady: float) -> None:
        """Take a command at a monotonic time [s]."""
        self._requested, self._requested_at = (command.speed, command.yaw_rate), steady

    def output(self, steady: float) -> tuple[float, float]:
        """Return the command for the robot at a time [s], in [m/s], [rad/s]."""
        if self._requested_at is None:
            self.status = GuardStatus.IDLE
            return self._limiter.zero(steady)
        if steady - self._requested_at > self.config.velocity_timeout:
            self.status = GuardStatus.STOPPED
            return self._limiter.zero(steady)
        self.status = GuardStatus.PASSING
        return self._limiter.limit(*self._requested, steady, brakes_at_once=True)
