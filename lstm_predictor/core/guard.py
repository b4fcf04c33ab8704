"""The last word on what the robot is told: silence stops it, and nothing is beyond the limits."""

from dataclasses import dataclass
import math

from lstm_predictor.core.limiter import Limiter, Limits, Triple
from lstm_predictor.core.samples import Command

PASSING = 'passing commands on'
SILENT = 'stopped: no fresh command'
IDLE = 'idle: no command yet'


@dataclass(frozen=True)
class GuardConfig:
    """Limits of what is passed on, and the silence that stops the robot."""

    max_velocity: Triple = (0.22, 0.0, 2.84)  # [m/s], [m/s], [rad/s]
    min_velocity: Triple = (-0.22, 0.0, -2.84)  # [m/s], [m/s], [rad/s]
    max_accel: Triple = (2.5, 0.0, 10.0)  # away from zero [m/s^2], [m/s^2], [rad/s^2]
    velocity_timeout: float = 0.3  # age of the newest command that stops the robot [s]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        self.limits()
        if not 0.0 < self.velocity_timeout < math.inf:
            raise ValueError(
                f'velocity_timeout must be positive [s], is {self.velocity_timeout}')

    def limits(self) -> Limits:
        """Return the limits; ValueError names one that is wrong."""
        return Limits(self.max_velocity, self.min_velocity, self.max_accel)


class Guard:
    """
    Passes commands on within limits, and stops the robot where none come.

    Speeding up is limited, since commands that come back after a silence would make the robot
    jump. Slowing down is not: a stop is never made longer here.
    """

    def __init__(self, config: GuardConfig) -> None:
        """Start with a robot that shall stand."""
        self._limiter = Limiter(config.limits())
        self.retune(config)
        self.reset()

    def retune(self, config: GuardConfig) -> None:
        """Take other limits and another age."""
        self.config = config
        self._limiter.limits = config.limits()

    def reset(self) -> None:
        """Forget that anything was asked for."""
        self._limiter.reset()
        self._wanted = (0.0, 0.0)
        self._asked_at: float | None = None  # [s] steady
        self.reason = IDLE

    def take(self, command: Command, steady: float) -> None:
        """Take a command at a time [s] that only goes forward."""
        self._wanted, self._asked_at = (command.speed, command.yaw_rate), steady

    def output(self, steady: float) -> tuple[float, float]:
        """Return what the robot is told at a time [s], in [m/s], [rad/s]."""
        if self._asked_at is None or steady - self._asked_at > self.config.velocity_timeout:
            self.reason = IDLE if self._asked_at is None else SILENT
            return self._limiter.stop(steady)
        self.reason = PASSING
        return self._limiter.send(*self._wanted, steady, brakes_at_once=True)
