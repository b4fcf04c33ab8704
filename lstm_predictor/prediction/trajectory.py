"""Predicted trajectory: poses, covariances and twists in the odometry's frame."""

from dataclasses import dataclass
from typing import NamedTuple

from lstm_predictor.common import se2
from lstm_predictor.model.window import FEATURE

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_MIN_STD = 1e-4  # of a twist [m/s], [rad/s]: no odometry is better, and zero would mean unknown


@dataclass(frozen=True)
class PredictedTrajectory:
    """Where the robot will be at each step of the horizon, in the odometry's frame."""

    anchor_ns: int  # reference time: stamp of the newest odometry
    anchor: Array  # that odometry's pose (3,)
    stamps_ns: NDArray[np.int64]  # (H,)
    poses: Array  # [x [m], y [m], yaw [rad]], (H, 3)
    covariances: Array  # of the error of `poses`, axes of the odometry's frame, (H, 3, 3)
    twists: Array  # body frame of `poses`, [vx [m/s], vy [m/s], yaw rate [rad/s]], (H, 3)
    twist_stds: Array  # standard deviation of `twists`, (H, 3)
    imu_valid: bool  # whether the newest row had an IMU reading
    command_valid: bool  # whether the newest row had a command
    source: str = 'lstm'  # predictor with the largest weight
    reason: str = ''  # why it is not the model; empty where it is
    actuation_latency: float = 0.0  # time from a command given now to the motion [s]

    def is_finite(self) -> bool:
        """Return whether every number can be published."""
        return all(bool(np.isfinite(array).all()) for array in (
            self.poses, self.covariances, self.twists, self.twist_stds))

    def at(self, ahead: float) -> 'PredictedState':
        """Return the prediction a time [s] ahead, interpolated, at most the last step."""
        first = self.stamps_ns[0] - self.anchor_ns
        place = min(max(1e9 * ahead / first, 0.0), float(len(self.poses)))
        before = min(int(place), len(self.poses) - 1)
        share = place - before
        start = self.poses[before - 1] if before else self.anchor
        spread = self.covariances[before - 1] if before else np.zeros((3, 3))
        moved = se2.log(se2.between(start, self.poses[before]))
        return PredictedState(
            self.anchor_ns + round(place * first), se2.compose(start, se2.exp(share * moved)),
            spread + share * (self.covariances[before] - spread), self.twists[before],
            self.twist_stds[before])


class PredictedState(NamedTuple):
    """Prediction for one time, in the odometry's frame."""

    stamp_ns: int
    pose: Array  # [x [m], y [m], yaw [rad]], (3,)
    covariance: Array  # of the error of `pose`, axes of the odometry's frame, (3, 3)
    twist: Array  # body frame of `pose`, [vx [m/s], vy [m/s], yaw rate [rad/s]], (3,)
    twist_std: Array  # standard deviation of `twist`, (3,)


def in_odometry_frame(anchor_ns: int, step_ns: int, anchor: Array, rows: Array, poses: Array,
                      factors: Array, source: str = 'lstm', reason: str = '',
                      actuation_latency: float = 0.0) -> PredictedTrajectory:
    """
    Return the answer for one window as a prediction in the odometry's frame.

    `anchor` is the newest pose (3,), `rows` the window (W, F), `poses` (H, 3) and `factors`
    (H, 3, 3) are in the body frame of that pose, the others as in Prediction.
    """
    step = 1e-9 * step_ns
    moved = se2.between(np.concatenate([np.zeros((1, 3)), poses[:-1]]), poses)
    cos, sin = np.cos(anchor[2]), np.sin(anchor[2])
    turned = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]]) @ factors
    covariances = turned @ turned.swapaxes(-1, -2)
    # An error of the twist that lasts makes the pose's error grow at just that rate.
    stds = np.sqrt(np.einsum('hij,hij->hi', factors, factors))
    grown = np.diff(stds, axis=0, prepend=0.0) / step
    return PredictedTrajectory(
        anchor_ns=anchor_ns,
        anchor=anchor,
        stamps_ns=anchor_ns + step_ns * np.arange(1, len(poses) + 1, dtype=np.int64),
        poses=se2.compose(anchor, poses),
        covariances=covariances,
        twists=se2.log(moved) / step,
        twist_stds=np.maximum(grown, _MIN_STD),
        imu_valid=bool(rows[-1, FEATURE['imu_valid']]),
        command_valid=bool(rows[-1, FEATURE['command_valid']]),
        source=source,
        reason=reason,
        actuation_latency=actuation_latency)
