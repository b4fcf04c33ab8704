"""Pending predictions, scored against the odometry once it reaches their time."""

from collections.abc import Iterator
import math
from typing import NamedTuple

from lstm_predictor.common import se2

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_MAX_GAP = 0.5  # between two poses that are interpolated [s]


class ScoredPredictions(NamedTuple):
    """Errors of m predictions, each at another checkpoint."""

    at: NDArray[np.int64]  # number of the checkpoint, (m,)
    errors: Array  # predicted less measured, body frame of the reference pose, (C, m, 3)
    factors: Array  # Cholesky factors of the covariance before scaling, (m, 3, 3)
    scales: Array  # of these factors, (C, m)
    elapsed: Array  # since the prediction before [s], (m,)


class PendingPredictions:
    """The newest predictions of C predictors at K checkpoints, oldest first."""

    def __init__(self, count: int, steps_ns: NDArray[np.int64], room: int) -> None:
        """Keep at most `room` predictions of `count` predictors, `steps_ns` (K,) [ns] ahead."""
        self._ahead_ns = steps_ns.tolist()
        self._room = room
        self._anchors_ns = [0] * room
        self._anchors = np.zeros((room, 3))
        self._turns = np.zeros((room, 3, 3))  # from the odometry's axes to the anchor's
        self._points = np.zeros((room, count, len(steps_ns), 3))
        self._factors = np.zeros((room, len(steps_ns), 3, 3))
        self._scales = np.zeros((room, count, len(steps_ns)))
        self._elapsed = np.zeros(room)
        self.reset()

    def reset(self) -> None:
        """Forget every prediction and pose."""
        self._added = 0
        self._next = [0] * len(self._ahead_ns)  # per checkpoint, the oldest that waits there
        self._seen_ns: int | None = None
        self._seen: Array = np.zeros(3)

    def add(self, anchor_ns: int, anchor: Array, points: Array, factors: Array,
            scales: Array) -> None:
        """
        Take points (C, K, 3) in the body frame of the pose `anchor` (3,); stamps must rise.

        `factors` (K, 3, 3) are of their error covariance, `scales` (C, K) those of the factors.
        """
        at = self._added % self._room
        before_ns = self._anchors_ns[at - 1] if self._added else anchor_ns
        self._anchors_ns[at] = anchor_ns
        self._elapsed[at] = 1e-9 * (anchor_ns - before_ns)
        self._anchors[at] = anchor
        cos, sin = math.cos(anchor[2]), math.sin(anchor[2])
        self._turns[at] = (cos, sin, 0.0), (-sin, cos, 0.0), (0.0, 0.0, 1.0)
        self._points[at] = points
        self._factors[at] = factors
        self._scales[at] = scales
        self._added += 1

    def outcomes(self, stamp_ns: int, pose: Array) -> Iterator[ScoredPredictions]:
        """Yield the scores of the predictions whose time an odometry pose (3,) has reached."""
        before_ns, before = self._seen_ns, self._seen
        if before_ns is not None and stamp_ns <= before_ns:
            return
        self._seen_ns, self._seen = stamp_ns, pose
        while due := self._due(stamp_ns, before_ns):
            checkpoints, places, stamps = np.array(due, dtype=np.int64).T
            if before_ns is None or stamp_ns - before_ns > 1e9 * _MAX_GAP:
                continue  # a gap in the odometry
            share = (stamps - before_ns) / (stamp_ns - before_ns)
            moved = part_way(before, pose, share) - self._anchors[places]
            later = np.einsum('mij,mj->mi', self._turns[places], moved)
            errors = self._points[places, :, checkpoints].swapaxes(0, 1) - later
            errors[..., 2] = se2.wrap(errors[..., 2])
            yield ScoredPredictions(
                checkpoints, errors, self._factors[places, checkpoints],
                self._scales[places, :, checkpoints].T, self._elapsed[places])

    def _due(self, stamp_ns: int, since_ns: int | None) -> list[tuple[int, int, int]]:
        """
        Return checkpoint, place and stamp of what is due, at most one for each checkpoint.

        What was due before `since_ns` has been missed.
        """
        due = []
        for checkpoint, ahead_ns in enumerate(self._ahead_ns):
            waiting = max(self._next[checkpoint], self._added - self._room)
            while waiting < self._added:
                place = waiting % self._room
                at_ns = self._anchors_ns[place] + ahead_ns
                if at_ns > stamp_ns:
                    break
                waiting += 1
                if since_ns is None or at_ns > since_ns:
                    due.append((checkpoint, place, at_ns))
                    break
            self._next[checkpoint] = waiting
        return due


def part_way(start: Array, end: Array, share: Array) -> Array:
    """Return poses at fractions (m,) of the way between two, as the window does: (m, 3)."""
    change = end - start
    change[2] = se2.wrap(change[2])
    return np.asarray(start + share[:, None] * change)
