"""The ellipse in which a position lies with 90 %, for pictures."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# The 90 % quantile of chi-square with 2 degrees of freedom (x, y).
CHI2_2_90 = -2.0 * math.log(0.1)


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
