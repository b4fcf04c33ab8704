"""Closed paths, and the cross-track error of positions."""

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


def random_loop(rng: np.random.Generator, length: float, points: int = 400) -> Array:
    """
    Return a smooth closed path from the origin along +x: (points, 2) [m].

    `length` is about that of one round [m].
    """
    turned = np.linspace(0.0, 2.0 * np.pi, points, endpoint=False)
    order = np.arange(2, 5)[:, None]
    wave = rng.normal(0.0, 0.35, (3, 1)) / order * np.cos(
        order * turned + rng.uniform(0.0, 2.0 * np.pi, (3, 1)))
    radius = length / (2.0 * np.pi) * (1.0 + wave.sum(axis=0))
    path = np.stack([radius * np.cos(turned), radius * np.sin(turned)], axis=-1)
    path = path[::rng.choice([-1, 1])] - path[0]
    path = np.roll(path, -int(np.argmin(np.hypot(*path.T))), axis=0)
    ahead = path[1] - path[0]
    cos, sin = ahead / np.hypot(*ahead)
    return path @ np.array([[cos, -sin], [sin, cos]])


def cross_track(path: Array, positions: Array) -> Array:
    """Return the distance [m] of positions (n, 2) from a closed path (m, 2): (n,)."""
    start, step = path, np.roll(path, -1, axis=0) - path
    offset = positions[:, None] - start  # (n, m, 2)
    share = np.clip(np.sum(offset * step, -1) / np.sum(step * step, -1), 0.0, 1.0)
    nearest = offset - share[..., None] * step
    return np.asarray(np.hypot(nearest[..., 0], nearest[..., 1]).min(axis=1))
