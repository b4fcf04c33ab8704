"""Pure pursuit of a closed path, as a driver of simulated robots."""

import math

from lstm_predictor.common import se2

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class PurePursuit:
    """
    Pure pursuit of a closed path at constant speed.

    Coulter, "Implementation of the pure pursuit path tracking algorithm", CMU-RI-TR-92-01. The
    one of the replanner follows open paths and regulates its speed: simulation and control share
    no code, so that they can test each other.
    """

    def __init__(self, path: Array, speed: float, lookahead: float) -> None:
        """Follow `path` (m, 2) [m] at `speed` [m/s], steering for a point `lookahead` [s] on."""
        self._path = path
        self._speed = speed
        self._reach = lookahead * speed  # [m]
        self._at = 0  # index of the nearest point, which only moves on

    def command(self, pose: Array) -> tuple[float, float]:
        """Return speed [m/s] and yaw rate [rad/s] for a pose [x [m], y [m], yaw [rad]]."""
        count = len(self._path)
        near = (self._at + np.arange(count // 8)) % count
        self._at = int(near[np.argmin(np.hypot(*(self._path[near] - pose[:2]).T))])
        ahead = (self._at + np.arange(count // 4)) % count
        distance = np.hypot(*(self._path[ahead] - pose[:2]).T)
        goal = self._path[ahead[int(np.argmax(distance >= self._reach))]]
        seen = se2.between(pose, [goal[0], goal[1], 0.0])
        curvature = 2.0 * seen[1] / max(float(seen[0] ** 2 + seen[1] ** 2), 1e-9)
        return self._speed, float(self._speed * math.copysign(min(abs(curvature), 20.0), seen[1]))
