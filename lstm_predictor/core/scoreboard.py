"""Every prediction is compared with the odometry when its time comes."""

from collections import deque
from dataclasses import dataclass
import math

from lstm_predictor.core import se2
from lstm_predictor.core.pending import part_way
from lstm_predictor.core.samples import Odometry

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """How far one prediction was from the odometry at its time."""

    stamp_ns: int
    position: float  # [m]
    heading: float  # signed [rad]


class Scoreboard:
    """Keeps predicted poses until odometry reaches their stamps."""

    def __init__(self, window: int = 200) -> None:
        """Take running errors over the last `window` scores."""
        self._pending: deque[tuple[int, Array]] = deque()
        self._scores: deque[Score] = deque(maxlen=window)
        self._newest: Odometry | None = None

    def predicted(self, stamp_ns: int, pose: Array) -> None:
        """Take a pose [x [m], y [m], yaw [rad]] predicted for a stamp; stamps must rise."""
        self._pending.append((stamp_ns, pose))

    def observed(self, odometry: Odometry) -> list[Score]:
        """Return the scores of all predictions whose time has come."""
        before, self._newest = self._newest, odometry
        if before is None or odometry.stamp_ns <= before.stamp_ns:
            return []
        made = []
        while self._pending and self._pending[0][0] <= odometry.stamp_ns:
            stamp_ns, pose = self._pending.popleft()
            if stamp_ns > before.stamp_ns:
                made.append(_score(stamp_ns, pose, _at(stamp_ns, before, odometry)))
        self._scores.extend(made)
        return made

    @property
    def position_rmse(self) -> float:
        """Running position error [m]; not a number before the first score."""
        if not self._scores:
            return math.nan
        return math.sqrt(sum(s.position ** 2 for s in self._scores) / len(self._scores))


def _at(stamp_ns: int, before: Odometry, after: Odometry) -> Array:
    """Return the pose between two readings."""
    share = np.array([(stamp_ns - before.stamp_ns) / (after.stamp_ns - before.stamp_ns)])
    return part_way(np.array(before[1:4]), np.array(after[1:4]), share).reshape(3)


def _score(stamp_ns: int, predicted: Array, later: Array) -> Score:
    return Score(stamp_ns, float(np.hypot(*(predicted - later)[:2])),
                 float(se2.wrap(predicted[2] - later[2])))
