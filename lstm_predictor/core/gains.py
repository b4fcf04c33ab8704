"""
By how much a robot moves more or less than it is asked to, found while it drives.

Recursive least squares with forgetting: the motion ahead over the motion that was asked for, and
the turn over the turn and the way that were asked for, so that a pull to one side is told from
a weak motor. Only motion counts as evidence and only motion makes older evidence fade.
"""

from lstm_predictor.core.limiter import clamp

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# What the assumption of a perfect robot weighs, as motion that is asked for: ahead, turn, pull.
_TRUST = (0.1, 0.5, 0.2)  # [m], [rad], [m]
_FADES = (3.0, 16.0)  # motion after which evidence counts for 37 % [m], [rad]


class Gains:
    """The gains of one robot, and the command that makes up for them."""

    def __init__(self) -> None:
        """Assume a perfect robot."""
        self.reset()

    def reset(self) -> None:
        """Assume a perfect robot again."""
        self.along = 1.0  # motion ahead per motion asked for [-]
        self.turn = 1.0  # turn per turn asked for [-]
        self.pull = 0.0  # turn per motion asked for [rad/m]
        ahead, turn, pull = _TRUST
        self._way, self._moved = ahead ** 2, ahead ** 2
        self._ways = np.diag([turn ** 2, pull ** 2])
        self._turned = np.array([turn ** 2, 0.0])

    def learn(self, asked: Array, moved: Array, share: float) -> None:
        """
        Take a motion that was asked for and the one that came of it, in the body (3,).

        `share` is the part of it that is new, as motions overlap.
        """
        keep = 1.0 - min(0.5, share * abs(float(asked[0])) / _FADES[0])
        self._way = keep * self._way + share * float(asked[0] ** 2)
        self._moved = keep * self._moved + share * float(asked[0] * moved[0])
        self.along = self._moved / self._way if self._way > 1e-9 else 1.0
        cause = np.array([asked[2], asked[0]])
        keep = 1.0 - min(0.5, share * max(abs(float(asked[2])) / _FADES[1],
                                          abs(float(asked[0])) / _FADES[0]))
        self._ways = keep * self._ways + share * np.outer(cause, cause)
        self._turned = keep * self._turned + share * cause * float(moved[2])
        level = np.diag([1e-4, 1e-4])
        self.turn, self.pull = (
            float(x) for x in np.linalg.solve(
                self._ways + level, self._turned + level @ [1.0, 0.0]))

    def expected(self, asked: Array) -> Array:
        """Return the way [m] and the turn [rad] that come of motions asked for (n, 3): (n, 2)."""
        return np.stack([self.along * asked[:, 0],
                         self.turn * asked[:, 2] + self.pull * asked[:, 0]], axis=1)

    def made_up(self, speed: float, yaw_rate: float) -> tuple[float, float]:
        """Return what to ask for to get a speed [m/s] and a yaw rate [rad/s]."""
        more = speed / _bounded(self.along)
        return more, (yaw_rate - self.pull * more) / _bounded(self.turn)


def _bounded(gain: float) -> float:
    """Return a gain that can be divided by; no robot that drives at all is beyond."""
    return clamp(gain, 0.2, 5.0)
