"""Predictors without learning, behind the same interface as the model file."""

from lstm_predictor.core import se2
from lstm_predictor.core.window import FEATURE

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def constant_velocity(window: Array, horizon: int, step: float) -> Array:
    """
    Return the poses of a robot that keeps its newest measured twist: (B, H, 3).

    `window` is (B, W, F), `horizon` in steps of `step` [s]; poses in the body frame of the
    newest row.
    """
    twist = np.zeros((len(window), 1, 3))
    twist[:, 0, 0] = window[:, -1, FEATURE['speed']]
    twist[:, 0, 2] = window[:, -1, FEATURE['yaw_rate']]
    elapsed = np.arange(1, horizon + 1)[:, None] * step
    return se2.exp(twist * elapsed)
