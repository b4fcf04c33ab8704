"""
Poses and motions in the plane, as arrays of shape (..., 3).

A pose is [x [m], y [m], yaw [rad]]; a motion is [along x [m], along y [m], turn [rad]] in the
body frame. Angles are counter-clockwise positive (REP-103). All functions broadcast.

The group is SE(2); `exp` and `log` follow Sola, Deray, Atchuthan, "A micro Lie theory for
state estimation in robotics" (arXiv 1812.01537), appendix E.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# Below this turn the closed forms of `exp` and `log` lose digits and their series is exact.
_SMALL_TURN = 1e-5  # [rad]


def wrap(angle: ArrayLike) -> Array:
    """
    Return the angle [rad] in [-pi, pi), to rounding.

    >>> float(wrap(np.pi)) == -np.pi
    True
    """
    return (np.asarray(angle, dtype=float) + np.pi) % (2.0 * np.pi) - np.pi


def compose(parent: ArrayLike, child: ArrayLike) -> Array:
    """
    Return the pose of `child`, given in the frame of `parent`, in the frame `parent` is in.

    >>> compose([1.0, 0.0, np.pi / 2], [2.0, 0.0, 0.0]).round(9).tolist()
    [1.0, 2.0, 1.570796327]
    """
    a = np.asarray(parent, dtype=float)
    b = np.asarray(child, dtype=float)
    cos, sin = np.cos(a[..., 2]), np.sin(a[..., 2])
    return np.stack([
        a[..., 0] + cos * b[..., 0] - sin * b[..., 1],
        a[..., 1] + sin * b[..., 0] + cos * b[..., 1],
        wrap(a[..., 2] + b[..., 2]),
    ], axis=-1)


def inverse(pose: ArrayLike) -> Array:
    """Return the pose of the outer frame as seen from `pose`."""
    a = np.asarray(pose, dtype=float)
    cos, sin = np.cos(a[..., 2]), np.sin(a[..., 2])
    return np.stack([
        -cos * a[..., 0] - sin * a[..., 1],
        sin * a[..., 0] - cos * a[..., 1],
        wrap(-a[..., 2]),
    ], axis=-1)


def between(start: ArrayLike, end: ArrayLike) -> Array:
    """Return the pose `end` as seen from `start`, both given in one frame."""
    return compose(inverse(start), end)


def exp(motion: ArrayLike) -> Array:
    """
    Return the pose reached from the origin by a constant body twist over unit time.

    `motion` is the twist times its duration, [vx t [m], vy t [m], wz t [rad]].
    """
    m = np.asarray(motion, dtype=float)
    turn = m[..., 2]
    sinc, cosc = _arc(turn)
    return np.stack([
        sinc * m[..., 0] - cosc * m[..., 1],
        cosc * m[..., 0] + sinc * m[..., 1],
        wrap(turn),
    ], axis=-1)


def log(pose: ArrayLike) -> Array:
    """Return the motion of shortest turn whose `exp` is `pose`."""
    p = np.asarray(pose, dtype=float)
    turn = wrap(p[..., 2])
    sinc, cosc = _arc(turn)
    norm = sinc * sinc + cosc * cosc
    return np.stack([
        (sinc * p[..., 0] + cosc * p[..., 1]) / norm,
        (-cosc * p[..., 0] + sinc * p[..., 1]) / norm,
        turn,
    ], axis=-1)


def _arc(turn: Array) -> tuple[Array, Array]:
    """Return sin(t)/t and (1 - cos(t))/t."""
    small = np.abs(turn) < _SMALL_TURN
    safe = np.where(small, 1.0, turn)
    sinc = np.where(small, 1.0 - turn * turn / 6.0, np.sin(safe) / safe)
    cosc = np.where(small, turn / 2.0, (1.0 - np.cos(safe)) / safe)
    return sinc, cosc


def integrate(twists: Array, step: float) -> Array:
    """Return the poses after steps of `step` [s] of constant twist (B, H, 2): (B, H, 3)."""
    turn = twists[..., 1] * step
    yaw = np.cumsum(turn, axis=-1)
    middle = yaw - 0.5 * turn
    chord = twists[..., 0] * step * np.sinc(0.5 / np.pi * turn)
    return np.stack([np.cumsum(chord * np.cos(middle), axis=-1),
                     np.cumsum(chord * np.sin(middle), axis=-1), yaw], axis=-1)
