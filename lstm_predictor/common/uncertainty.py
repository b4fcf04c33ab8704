"""
Errors of poses relative to their covariance: Mahalanobis distance, 90 % regions and ellipses.

Covariances are given as their Cholesky factors L, lower triangular, covariance L L^T.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Quantiles of chi-square with 3 degrees of freedom (x, y, yaw).
CHI2_3 = {50: 2.365973884375338, 90: 6.251388631170325, 95: 7.814727903251179}
CHI2_3_90 = CHI2_3[90]
# The 90 % quantile with 2 degrees of freedom (x, y).
CHI2_2_90 = -2.0 * math.log(0.1)


def squared_mahalanobis(errors: Array, factors: Array) -> Array:
    """Return the squared Mahalanobis distance (...) of errors (..., 3) by factors (..., 3, 3)."""
    x = errors[..., 0] / factors[..., 0, 0]
    y = (errors[..., 1] - factors[..., 1, 0] * x) / factors[..., 1, 1]
    z = (errors[..., 2] - factors[..., 2, 0] * x - factors[..., 2, 1] * y) / factors[..., 2, 2]
    return np.asarray(x * x + y * y + z * z)


def normalized_distance(errors: Array, factors: Array) -> Array:
    """Return how far errors (..., 3) are, 1 on the border of their 90 % region: (...)."""
    return np.asarray(np.sqrt(squared_mahalanobis(errors, factors) / CHI2_3_90))


class Ellipse(NamedTuple):
    """Half axes and the direction of the longer one."""

    major: float  # [m]
    minor: float  # [m]
    angle: float  # [rad]


def ellipse(covariance: Array) -> Ellipse:
    """
    Return the 90 % ellipse of a covariance whose first two rows are x and y [m^2].

    >>> found = ellipse(np.diag([1.0, 4.0]))
    >>> [round(value, 3) for value in found]
    [4.292, 2.146, 1.571]
    """
    values, vectors = np.linalg.eigh(covariance[:2, :2])
    minor, major = np.sqrt(CHI2_2_90 * np.maximum(values, 0.0)).tolist()
    x, y = vectors[:, 1].tolist()
    if x < 0.0 or x == 0.0 and y < 0.0:  # of the two directions of an axis always the same
        x, y = -x, -y
    return Ellipse(major, minor, math.atan2(y, x))


def outline(center: Array, around_it: Ellipse, points: int = 24) -> Array:
    """Return an ellipse around a position (2,) as a closed line (points + 1, 2)."""
    major, minor, angle = around_it
    around = np.linspace(0.0, 2.0 * math.pi, points + 1)
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = major * np.cos(around), minor * np.sin(around)
    return np.asarray(center[:2] + np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1))
