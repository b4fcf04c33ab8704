"""Paths to drive and how far from them a robot is."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def figure_of_eight(length: float, points: int = 400) -> Array:
    """
    Return a closed path of two equal circles, from the origin along +x: (points, 2) [m].

    `length` is that of one round [m].
    """
    radius = length / (4.0 * np.pi)
    turned = np.linspace(0.0, 4.0 * np.pi, points, endpoint=False)
    side = np.where(turned < 2.0 * np.pi, 1.0, -1.0)  # first the left circle, then the right one
    return np.stack([radius * np.sin(turned), side * radius * (1.0 - np.cos(turned))], axis=-1)


def cross_track(path: Array, positions: Array) -> Array:
    """Return the distance [m] of positions (n, 2) from a closed path (m, 2): (n,)."""
    start, step = path, np.roll(path, -1, axis=0) - path
    offset = positions[:, None] - start  # (n, m, 2)
    share = np.clip(np.sum(offset * step, -1) / np.sum(step * step, -1), 0.0, 1.0)
    nearest = offset - share[..., None] * step
    return np.asarray(np.hypot(nearest[..., 0], nearest[..., 1]).min(axis=1))
