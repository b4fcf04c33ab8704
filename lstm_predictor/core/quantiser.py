"""
Commands in the steps that a robot's driver keeps of them.

TurtleBot3's firmware interface truncates velocities to steps of 0.01 towards zero, so that a robot
is always a little slower than it was asked to be. What one command loses, the next one makes up
for (error diffusion): the mean is kept.
"""

import math

from lstm_predictor.core.limiter import clamp, Limits, Triple

_ROUNDING = 1e-9  # relative; a step must not be truncated to the one below


class Quantiser:
    """Remembers what is owed from one command to the next."""

    def __init__(self, steps: Triple, limits: Limits) -> None:
        """Take the steps [m/s], [m/s], [rad/s]; 0 leaves commands as they are."""
        self.steps, self.limits = steps, limits
        self.reset()

    def reset(self) -> None:
        """Owe nothing."""
        self._owed = [0.0, 0.0]  # [m/s], [rad/s]

    def send(self, speed: float, yaw_rate: float) -> tuple[float, float]:
        """
        Return whole steps [m/s], [rad/s] whose mean is that of the commands; zero stays zero.

        They are never beyond the command by more than a step and a half, nor of the other sign.
        """
        return (self._sent(0, speed, self.steps[0]), self._sent(1, yaw_rate, self.steps[2]))

    def _sent(self, axis: int, value: float, step: float) -> float:
        if step == 0.0 or value == 0.0:
            self._owed[axis] = 0.0
            return value
        wanted = value + self._owed[axis]
        least, most = self.limits.min_velocity[2 * axis], self.limits.max_velocity[2 * axis]
        count = clamp(round(wanted / step) if wanted * value > 0.0 else 0,
                      math.ceil(least / step - _ROUNDING), math.floor(most / step + _ROUNDING))
        # What could not be sent, as beyond a limit, is not owed for long.
        self._owed[axis] = clamp(wanted - count * step, -step, step)
        return clamp(count * step * (1.0 + _ROUNDING), least, most)
