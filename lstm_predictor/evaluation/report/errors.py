"""The errors of the predictions in a review, relative to the odometry at their stamps."""

from dataclasses import dataclass

from lstm_predictor.common.metrics import mahalanobis, position_error, rms
from lstm_predictor.common.uncertainty import CHI2_3_90
from lstm_predictor.evaluation.report.review import Review

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HORIZONS = (0.2, 0.5, 1.0, 2.0)  # [s]
_NEAR_NS = 30_000_000  # a step of the path counts for a horizon this near to it


@dataclass(frozen=True)
class Scored:
    """Position errors at one horizon, by the stamp that was predicted."""

    horizon: float  # [s]
    stamps_ns: NDArray[np.int64]  # that were predicted, (n,)
    errors: Array  # [m], (n,)

    @property
    def rmse(self) -> float:
        """The RMS error [m]."""
        return float(rms(self.errors))


def scored(review: Review) -> list[Scored]:
    """Return the errors at each horizon for which there is odometry to compare with."""
    found = []
    for horizon in HORIZONS:
        anchors, stamps, poses = [], [], []
        for prediction in review.predictions:
            target_ns = prediction.anchor_ns + round(1e9 * horizon)
            step = int(np.argmin(np.abs(prediction.stamps_ns - target_ns)))
            if abs(int(prediction.stamps_ns[step]) - target_ns) <= _NEAR_NS:
                anchors.append(prediction.anchor_ns)
                stamps.append(int(prediction.stamps_ns[step]))
                poses.append(prediction.poses[step])
        known, times = _known(review, anchors, stamps)
        if known.any():
            found.append(Scored(horizon, times[known], position_error(
                np.array(poses)[known], review.odometry.poses(times[known]))))
    return found


def coverage_90(review: Review) -> float | None:
    """Return the fraction of true poses inside their 90 % region; None without any odometry."""
    pairs = [(prediction.anchor_ns, region)
             for prediction in review.predictions for region in prediction.regions]
    known, times = _known(review, [anchor for anchor, _ in pairs],
                          [region.stamp_ns for _, region in pairs])
    if not known.any():
        return None
    regions = [region for (_, region), keep in zip(pairs, known) if keep]
    covariances = np.array([region.covariance for region in regions])
    distance = mahalanobis(np.array([region.pose for region in regions]),
                           review.odometry.poses(times[known]), np.linalg.cholesky(covariances))
    return float((distance <= CHI2_3_90).mean())


def _known(review: Review, anchors: list[int], stamps: list[int]
           ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return for which predictions there is odometry up to their stamp, and all the stamps."""
    times = np.array(stamps, dtype=np.int64)
    return review.odometry.without_gap(np.array(anchors, dtype=np.int64), times), times
