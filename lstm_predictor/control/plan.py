"""Geometry of the path to follow: poses by arc length, nearest point, curvature."""

from lstm_predictor.common import se2
from lstm_predictor.common.readings import InvalidMessage

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_SAME = 1e-3  # points closer than this are one [m]
_SAME_DISTANCE = 0.05  # of places no farther than the nearest by this, the first is chosen [m]


class Plan:
    """Polyline in one frame, extended straight beyond its ends."""

    def __init__(self, poses: ArrayLike) -> None:
        """
        Take poses [x [m], y [m], yaw [rad]] (n, 3), of which the last one is the goal.

        Points that repeat are dropped. Raise InvalidMessage for fewer than two different points or
        a value that is not finite.
        """
        whole = np.asarray(poses, dtype=float).reshape(-1, 3)
        for index in np.flatnonzero(~np.isfinite(whole).all(axis=1))[:1]:
            raise InvalidMessage(f'pose {index} of the plan is {whole[index].tolist()}')
        kept = _different(whole[:, :2])
        if len(kept) < 2:
            raise InvalidMessage(f'the plan has {len(kept)} different poses, it needs 2')
        self.points = whole[kept, :2]  # (m, 2)
        self.goal = np.array([*self.points[-1], whole[-1, 2]])  # (3,)
        steps = np.diff(self.points, axis=0)
        lengths = np.hypot(*steps.T)
        self.along = np.concatenate([[0.0], np.cumsum(lengths)])  # of each point [m], (m,)
        self.length = float(self.along[-1])  # [m]
        if not np.isfinite(self.length):
            raise InvalidMessage(f'the plan is {self.length} m long')
        self._steps = steps / lengths[:, None]  # unit vectors

    def at(self, along: ArrayLike) -> Array:
        """Return the pose [x, y, heading] at arc lengths [m] (...): (..., 3)."""
        metres = np.asarray(along, dtype=float)
        segment = np.clip(np.searchsorted(self.along, metres, side='right') - 1,
                          0, len(self._steps) - 1)
        ahead = self._steps[segment]
        places = self.points[segment] + (metres - self.along[segment])[..., None] * ahead
        return np.concatenate(
            [places, np.arctan2(ahead[..., 1], ahead[..., 0])[..., None]], axis=-1)

    def nearest(self, position: ArrayLike, begin: float = 0.0, end: float = np.inf
                ) -> tuple[float, float]:
        """
        Return the arc length of the point nearest to a position (2,), and its distance [m].

        Searched from `begin` to `end` [m]; where the plan passes twice, the first.
        """
        lengths = np.diff(self.along)
        chosen = np.flatnonzero((self.along[1:] >= begin) & (self.along[:-1] <= end))
        offset = np.asarray(position, dtype=float) - self.points[chosen]
        share = np.sum(offset * self._steps[chosen], axis=1)
        low = np.maximum(0.0, begin - self.along[chosen])
        high = np.maximum(low, np.minimum(lengths[chosen], end - self.along[chosen]))
        share = np.clip(share, low, high)
        distance = np.hypot(*(offset - share[:, None] * self._steps[chosen]).T)
        index = self._first_minimum(distance)
        return float(self.along[chosen[index]] + share[index]), float(distance[index])

    @staticmethod
    def _first_minimum(distance: Array) -> int:
        """Return the first of the places that are hardly farther than the nearest one."""
        near = distance <= distance.min() + _SAME_DISTANCE
        first = int(np.argmax(near))
        length = int(np.argmin(near[first:])) or len(near) - first
        return first + int(np.argmin(distance[first:first + length]))

    def curvature(self, along: ArrayLike, reach: float) -> Array:
        """Return the mean curvature [1/m] from `along` [m] over the next `reach` [m] (...)."""
        metres = np.asarray(along, dtype=float)
        turn = self.at(metres + reach)[..., 2] - self.at(metres)[..., 2]
        return np.asarray(se2.wrap(turn) / reach)


def _different(points: Array) -> NDArray[np.int64]:
    """Return the indices of the points that differ from the one before."""
    kept = [0] if len(points) else []
    for index in range(1, len(points)):
        if np.hypot(*(points[index] - points[kept[-1]])) > _SAME:
            kept.append(index)
    return np.array(kept, dtype=np.int64)
