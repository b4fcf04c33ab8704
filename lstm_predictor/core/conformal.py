"""
Error regions that keep their promise: scales adapted to the errors actually seen.

Adaptive conformal inference (Gibbs, Candes, "Adaptive Conformal Inference Under Distribution
Shift", arXiv 2106.00170), on the logarithm of a scale: every error outside its region moves it up
nine times as far as one inside moves it down. So it only stays where it is while a tenth of the
errors lie outside, whatever their distribution. No calibration split covers every robot; this
asks for none.
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

COVERAGE = 0.9  # share of the errors that a region shall hold [-]
# The 90 % quantile of chi-square with 3 degrees of freedom (x, y, yaw).
CHI2_3_90 = 6.251388631170325


class AdaptiveScales:
    """Factors by which the error regions of C predictors at K checkpoints are widened."""

    def __init__(self, shape: tuple[int, int], rate: float, limits: tuple[float, float]) -> None:
        """Start with 1; `rate` is how far one error moves a logarithm, `limits` bound a scale."""
        self._rate = rate
        self._limits = math.log(limits[0]), math.log(limits[1])
        self._logs = np.zeros(shape)

    def reset(self) -> None:
        """Start anew with 1."""
        self._logs[:] = 0.0

    @property
    def values(self) -> Array:
        """The scales as they are now, (C, K)."""
        return np.exp(self._logs)

    def learn(self, at: NDArray[np.int64], missed: Array, known: NDArray[np.bool_]) -> None:
        """
        Take whether errors were outside their regions, 1 or 0 (C, m), where that is known.

        `at` (m,) are columns of the scales (C, K), each there once.
        """
        step = np.where(known, self._rate * (missed - (1.0 - COVERAGE)), 0.0)
        self._logs[:, at] = np.clip(self._logs[:, at] + step, *self._limits)


def reach(errors: Array, factors: Array) -> Array:
    """
    Return how far errors (..., 3) are, 1 on the border of the 90 % region: (...).

    `factors` (..., 3, 3) are lower triangular, the errors' covariance is L L^T.
    """
    x = errors[..., 0] / factors[..., 0, 0]
    y = (errors[..., 1] - factors[..., 1, 0] * x) / factors[..., 1, 1]
    z = (errors[..., 2] - factors[..., 2, 0] * x - factors[..., 2, 1] * y) / factors[..., 2, 2]
    return np.asarray(np.sqrt((x * x + y * y + z * z) / CHI2_3_90))
