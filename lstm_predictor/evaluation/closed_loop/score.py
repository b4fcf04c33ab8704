"""The errors of one run of the closed-loop bench."""

import math

from lstm_predictor.common import se2
from lstm_predictor.common.metrics import rms
from lstm_predictor.control.plan import Plan
from lstm_predictor.evaluation.closed_loop.case import PERIOD_NS
from lstm_predictor.evaluation.closed_loop.runner import Drive

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SETTLING = 2.0  # after the start, which is a little beside the path; not scored [s]


def score(run: Drive, plan: Plan) -> dict[str, float]:
    """Return the errors of a run against its plan; `failed` is 1 where it did not arrive."""
    late = run.times > _SETTLING
    truth = run.truth[late]
    if not run.arrived or not len(truth):
        return {'failed': 1}
    places = [plan.nearest(pose[:2]) for pose in truth]
    across = np.array([distance for _, distance in places])
    headings = plan.at([along for along, _ in places])[:, 2]
    error = se2.wrap(truth[:, 2] - headings)
    return {
        'cross_track_rmse_m': float(rms(across)),
        'cross_track_max_m': float(across.max()),
        'heading_rmse_rad': float(rms(error)),
        'time_s': float(run.times[-1]),
        'jerk': jerk(truth),
        'failed': 0}


def jerk(truth: Array) -> float:
    """Return the RMS jerk [m/s^3] of the faster wheel's side of the robot."""
    half = 0.08  # [m] from the middle to a wheel
    sides = truth[:, 3, None] + truth[:, 4, None] * half * np.array([-1.0, 1.0])
    change = np.diff(sides, n=2, axis=0) / (1e-9 * PERIOD_NS) ** 2
    return float(rms(change.ravel())) if len(change) else math.nan
