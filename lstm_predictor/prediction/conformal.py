"""
Online calibration of covariances: adaptive conformal inference.

After Gibbs, Candes, "Adaptive Conformal Inference Under Distribution Shift", arXiv 2106.00170, on
the logarithm of a scale: every error outside its 90 % region moves the scale up nine times as far
as one inside moves it down. It is stationary where a tenth of the errors lie outside, whatever
their distribution, and needs no calibration data.
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

COVERAGE = 0.9  # nominal fraction of the errors inside their region [-]


class AdaptiveScales:
    """Scales of the confidence regions of C predictors at K checkpoints."""

    def __init__(self, shape: tuple[int, int], rate: float, limits: tuple[float, float]) -> None:
        """Start with 1; `rate` is the step of a logarithm per error, `limits` bound a scale."""
        self._rate = rate
        self._limits = math.log(limits[0]), math.log(limits[1])
        self._logs = np.zeros(shape)

    def reset(self) -> None:
        """Start again with 1."""
        self._logs[:] = 0.0

    @property
    def values(self) -> Array:
        """The scales as they are now, (C, K)."""
        return np.exp(self._logs)

    def restore(self, values: Array) -> None:
        """Set the scales (C, K)."""
        self._logs[:] = np.log(values)

    def update(self, at: NDArray[np.int64], missed: Array, known: NDArray[np.bool_]) -> None:
        """
        Adapt to whether errors were outside their regions, 1 or 0 (C, m), where `known` (C, m).

        `at` (m,) are columns of the scales (C, K), each there once.
        """
        step = np.where(known, self._rate * (missed - (1.0 - COVERAGE)), 0.0)
        self._logs[:, at] = np.clip(self._logs[:, at] + step, *self._limits)
