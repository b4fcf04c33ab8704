"""
Quantizes commands to the resolution of the robot's driver, with error diffusion.

TurtleBot3's driver truncates velocities to steps of 0.01 towards zero, which makes the robot a
little slower than commanded. The rounding error of each command is added to the next: the mean is
kept.
"""

import math

from lstm_predictor.control.velocity_limiter import clamp, Limits, Triple

_ROUNDING = 1e-9  # relative; a step must not be truncated to the one below


class Quantizer:
    """Carries the rounding error from one command to the next."""

    def __init__(self, steps: Triple, limits: Limits) -> None:
        """Take the steps [m/s], [m/s], [rad/s]; 0 leaves commands as they are."""
        self.steps, self.limits = steps, limits
        self.reset()

    def reset(self) -> None:
        """Forget the rounding error."""
        self._residual = [0.0, 0.0]  # [m/s], [rad/s]

    def quantize(self, speed: float, yaw_rate: float) -> tuple[float, float]:
        """
        Return whole steps [m/s], [rad/s] whose mean is that of the commands; zero stays zero.

        They are never beyond the command by more than a step and a half, nor of the other sign.
        """
        return (self._steps(0, speed, self.steps[0]), self._steps(1, yaw_rate, self.steps[2]))

    def _steps(self, axis: int, value: float, step: float) -> float:
        if step == 0.0 or value == 0.0:
            self._residual[axis] = 0.0
            return value
        wanted = value + self._residual[axis]
        least, most = self.limits.min_velocity[2 * axis], self.limits.max_velocity[2 * axis]
        count = clamp(round(wanted / step) if wanted * value > 0.0 else 0,
                      math.ceil(least / step - _ROUNDING), math.floor(most / step + _ROUNDING))
        # A residual due to a limit is not carried for long.
        self._residual[axis] = clamp(wanted - count * step, -step, step)
        return clamp(count * step * (1.0 + _ROUNDING), least, most)
