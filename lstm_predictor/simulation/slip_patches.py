"""Slippery discs on the floor."""

import numpy as np

_TILE = 4.0  # [m] the floor repeats after this length
_CELL = 0.02  # [m]
_SIZE = round(_TILE / _CELL)


class SlipPatches:
    """
    Discs strewn at random over a tile of floor that repeats without end.

    Discs are added until they cover `share` of the floor; the last one may exceed it.
    """

    def __init__(self, share: float, radius: float, rng: np.random.Generator) -> None:
        """Strew discs of `radius` [m]."""
        centres = (np.arange(_SIZE) + 0.5) * _CELL  # [m]
        covered = np.zeros((_SIZE, _SIZE), dtype=bool)
        while covered.mean() < share:
            x, y = rng.uniform(0.0, _TILE, 2)
            along = _shortest(centres - x)[:, None]
            across = _shortest(centres - y)[None, :]
            covered |= along**2 + across**2 < radius**2
        self.share = float(covered.mean())
        self._rows: list[list[bool]] = covered.tolist() if covered.any() else []

    def __bool__(self) -> bool:
        """Return whether there is any disc."""
        return bool(self._rows)

    def covers(self, x: float, y: float) -> bool:
        """Return whether the point [m] is slippery."""
        return self._rows[int(x // _CELL) % _SIZE][int(y // _CELL) % _SIZE]


def _shortest(distance: np.ndarray) -> np.ndarray:
    """Return the distance [m] on a tile whose opposite edges are one."""
    return (distance + _TILE / 2.0) % _TILE - _TILE / 2.0
