"""How far the predictions of a review were from what came later, in the order of time."""

from dataclasses import dataclass

from lstm_predictor.core.conformal import CHI2_3_90
from lstm_predictor.learning.metrics import mahalanobis, position_error, rms
from lstm_predictor.view.review import Review

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HORIZONS = (0.2, 0.5, 1.0, 2.0)  # [s]
_NEAR_NS = 30_000_000  # a step of the path counts for a horizon this near to it


@dataclass(frozen=True)
class Scored:
    """Errors of position after one horizon, when their time came."""

    horizon: float  # [s]
    stamps_ns: NDArray[np.int64]  # predicted for, (n,)
    errors: Array  # [m], (n,)

    @property
    def rmse(self) -> float:
        """The RMS error [m]."""
        return float(rms(self.errors))


def scored(review: Review) -> list[Scored]:
    """Return the errors at each horizon at which anything can be judged."""
    found = []
    for horizon in HORIZONS:
        anchors, stamps, poses = [], [], []
        for forecast in review.forecasts:
            wanted = forecast.anchor_ns + round(1e9 * horizon)
            step = int(np.argmin(np.abs(forecast.stamps_ns - wanted)))
            if abs(int(forecast.stamps_ns[step]) - wanted) <= _NEAR_NS:
                anchors.append(forecast.anchor_ns)
                stamps.append(int(forecast.stamps_ns[step]))
                poses.append(forecast.poses[step])
        known, times = _known(review, anchors, stamps)
        if known.any():
            found.append(Scored(horizon, times[known], position_error(
                np.array(poses)[known], review.odometry.poses(times[known]))))
    return found


def inside_share(review: Review) -> float | None:
    """Return the share of later poses that lay in their 90 % region; None where none is known."""
    pairs = [(forecast.anchor_ns, region)
             for forecast in review.forecasts for region in forecast.regions]
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
    """Return for which predictions the odometry goes on without a gap, and all their stamps."""
    times = np.array(stamps, dtype=np.int64)
    return review.odometry.without_gap(np.array(anchors, dtype=np.int64), times), times
