"""
The path and the pose of one prediction, used together.

They arrive as two messages, in either order, and one of them may be lost. No stamp joins them: the
path has that of the newest input, the pose that of the time it is predicted for. What joins them
is that a path leads through the pose of its own prediction at that pose's time. Two predictions
that agree there, as those of a robot at rest, give the same target with either pose.

A path waits for its pose until the next path arrives, one period of the predictor. If its pose has
not come by then, the next path is used at once, with the latency of the last pair for a second and
without one after that, and paths wait again once a pair is complete. A pose without its path is
not used here, so that a pose is never used with the path of another prediction.
"""

from typing import NamedTuple

from lstm_predictor.common import se2
from lstm_predictor.control.compensator import Target

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_CLOSE = 1e-6  # between a pose and its path, beyond rounding [m], [rad]
_ROUNDING = 1e-9  # of coordinates far from the origin [-]
_KEPT_NS = 1_000_000_000  # for which a latency stands in where poses are lost


class PredictedPath(NamedTuple):
    """A path as it was received, in the odometry's frame."""

    begin_ns: int  # stamp of the newest input
    stamps_ns: NDArray[np.int64]  # of each step, ascending (H,)
    poses: Array  # [x [m], y [m], yaw [rad]], (H, 3)
    begin: Array | None = None  # the odometry's pose at `begin_ns` (3,), where it is known

    def step_at(self, stamp_ns: int) -> Target:
        """Return the first step that is not before a stamp [ns], or the last one."""
        index = min(int(np.searchsorted(self.stamps_ns, stamp_ns)), len(self.stamps_ns) - 1)
        return Target(int(self.stamps_ns[index]), self.poses[index])

    def leads_through(self, pose: Target) -> bool:
        """Return whether the path is at a pose at the time of that; after its end, at its end."""
        if pose.stamp_ns < self.begin_ns:
            return False
        after = min(int(np.searchsorted(self.stamps_ns, pose.stamp_ns)), len(self.poses) - 1)
        start_ns, start = (int(self.stamps_ns[after - 1]), self.poses[after - 1]) if after else \
            (self.begin_ns, self.begin)
        if start is None:  # before the first step; a prediction before would lie before the path
            return True
        length_ns = max(int(self.stamps_ns[after]) - start_ns, 1)
        share = min((pose.stamp_ns - start_ns) / length_ns, 1.0)
        with np.errstate(all='ignore'):  # poses too far apart for a number are not close
            way = se2.log(se2.between(start, self.poses[after]))
            missed = np.abs(pose.pose - se2.compose(start, se2.exp(share * way)))
            missed[2] = abs(se2.wrap(missed[2]))
            return bool((missed <= _CLOSE + _ROUNDING * np.abs(pose.pose)).all())


class PairedPrediction(NamedTuple):
    """A path to be used now."""

    path: PredictedPath
    latency: float | None  # time until a command given now takes effect [s], where it is known
    has_pose: bool  # the latency is of this very prediction


class PredictionPairing:
    """Waits for both parts of a prediction."""

    def __init__(self) -> None:
        """Wait for the first."""
        self.reset()

    def reset(self) -> None:
        """Forget what was received, as after a jump of time."""
        self._path: PredictedPath | None = None  # the newest, whose pose is missing
        self._pose: Target | None = None  # the newest, whose path is missing
        self._newest: tuple[int, float] | None = None  # pair: begin [ns] and latency [s]

    def add_path(self, path: PredictedPath) -> PairedPrediction | None:
        """Take a path; return what is to be used now, None while the pose is waited for."""
        if self._pose is not None and path.leads_through(self._pose):
            return self._pair(path, self._pose)
        waits = self._path is None
        self._path = path
        return None if waits else PairedPrediction(path, self._kept(path.begin_ns), False)

    def add_pose(self, pose: Target) -> PairedPrediction | None:
        """Take a pose; return what is to be used now, None while the path is waited for."""
        if self._path is not None and self._path.leads_through(pose):
            return self._pair(self._path, pose)
        self._pose = pose
        return None

    def drop_path(self) -> None:
        """Forget the newest path, as where the next one is rejected."""
        self._path = None

    def _pair(self, path: PredictedPath, pose: Target) -> PairedPrediction:
        self._path = self._pose = None
        latency = 1e-9 * (pose.stamp_ns - path.begin_ns)
        self._newest = path.begin_ns, latency
        return PairedPrediction(path, latency, True)

    def _kept(self, begin_ns: int) -> float | None:
        if self._newest is None or not 0 <= begin_ns - self._newest[0] <= _KEPT_NS:
            return None
        return self._newest[1]
