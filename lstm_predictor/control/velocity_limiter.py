"""Limits of velocity and acceleration, as in nav2_velocity_smoother."""

from dataclasses import dataclass
import math

Triple = tuple[float, float, float]  # x [.], y [.], yaw [.], as in Nav2's parameters

_MAX_STEP = 0.5  # time for which one step may accelerate; after a pause there is no more [s]


@dataclass(frozen=True)
class Limits:
    """Bounds of the command, by the names of nav2_velocity_smoother."""

    max_velocity: Triple = (0.22, 0.0, 2.84)  # [m/s], [m/s], [rad/s]
    min_velocity: Triple = (-0.22, 0.0, -2.84)  # [m/s], [m/s], [rad/s]
    max_accel: Triple = (2.5, 0.0, 10.0)  # away from zero [m/s^2], [m/s^2], [rad/s^2]
    max_decel: Triple = (-2.5, 0.0, -10.0)  # towards zero [m/s^2], [m/s^2], [rad/s^2]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        for name, sign in (('max_velocity', 1.0), ('min_velocity', -1.0),
                           ('max_accel', 1.0), ('max_decel', -1.0)):
            value = getattr(self, name)
            if len(value) != 3 or not all(sign * v >= 0.0 and math.isfinite(v) for v in value):
                which = 'positive' if sign > 0.0 else 'negative'
                raise ValueError(
                    f'{name} must be three {which} numbers [x, y, yaw rate], is {list(value)}')
            if name.endswith('cel') and not (value[0] and value[2]):
                raise ValueError(
                    f'{name} must not be zero in x and yaw rate, the robot could never start '
                    f'or stop; it is {list(value)}')


class VelocityLimiter:
    """Limits a command by the one sent last: the change per time is bounded."""

    def __init__(self, limits: Limits) -> None:
        """Start with a robot that stands."""
        self.limits = limits
        self.reset()

    def reset(self) -> None:
        """Take the robot as standing, and the next command as the first."""
        self._sent = (0.0, 0.0)
        self._sent_at: float | None = None  # [s] steady

    def clip(self, speed: float, yaw_rate: float) -> tuple[float, float]:
        """Return [m/s], [rad/s] within the bounds of the velocity."""
        low, high = self.limits.min_velocity, self.limits.max_velocity
        return clamp(speed, low[0], high[0]), clamp(yaw_rate, low[2], high[2])

    def limit(self, speed: float, yaw_rate: float, steady: float,
              brakes_at_once: bool = False) -> tuple[float, float]:
        """Return what may be sent now [m/s], [rad/s] on the way to a requested command."""
        elapsed = 0.0 if self._sent_at is None else max(0.0, steady - self._sent_at)
        seconds = min(elapsed, _MAX_STEP)
        faster, slower = self.limits.max_accel, self.limits.max_decel
        brakes = [math.inf if brakes_at_once else -slower[axis] * seconds for axis in (0, 2)]
        requested = self.clip(speed, yaw_rate)
        self._sent = (
            _slew(self._sent[0], requested[0], faster[0] * seconds, brakes[0]),
            _slew(self._sent[1], requested[1], faster[2] * seconds, brakes[1]))
        self._sent_at = steady
        return self._sent

    def zero(self, steady: float) -> tuple[float, float]:
        """Return zero, whatever was sent before."""
        self._sent = (0.0, 0.0)
        self._sent_at = steady
        return self._sent


def clamp(value: float, low: float, high: float) -> float:
    """Return the nearest value from low to high."""
    return min(max(value, low), high)


def _slew(now: float, goal: float, faster: float, slower: float) -> float:
    """Return a value between now and goal, limited by `slower` towards zero, else `faster`."""
    if now * goal < 0.0:
        goal = 0.0
    step = faster if abs(goal) > abs(now) else slower
    return clamp(goal, now - step, now + step)
