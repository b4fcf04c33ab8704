"""Data as the figure takes it: decimated, rounded, with gaps between lines."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def decimated(values: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """
    Return which of the values (n,) to draw so that no peak is lost, `most` at most and in order.

    Those are the least and the largest of each of equally long parts, and both ends.

    >>> decimated(np.array([0.0, 1.0, 9.0, 1.0, 0.0, -5.0, 0.0, 0.0]), 6).tolist()
    [0, 2, 4, 5, 7]
    """
    count = len(values)
    if count <= most:
        return np.arange(count)
    parts = np.array_split(np.arange(count), max(1, (most - 2) // 2))
    kept = {0, count - 1}
    for part in parts:
        kept |= {int(part[np.argmin(values[part])]), int(part[np.argmax(values[part])])}
    return np.array(sorted(kept))


def evenly_spaced(times: NDArray[np.float64], most: int, least: float) -> NDArray[np.int64]:
    """
    Return which of increasing times (n,) to take so that they are evenly apart.

    They are at most `most`, and at least `least` [s] apart.

    >>> evenly_spaced(np.array([0.0, 0.4, 0.9, 1.0, 1.1, 2.5, 3.0]), 3, 1.0).tolist()
    [0, 4, 5]
    """
    if not len(times):
        return np.zeros(0, dtype=np.int64)
    step = max(least, (times[-1] - times[0]) / most + 1e-9)
    _, first = np.unique((times - times[0]) // step, return_index=True)
    return np.asarray(first)


def rounded(values: Iterable[Any], digits: int = 4) -> list[float | None]:
    """Return numbers with so few digits that the page stays small."""
    return [None if value is None else round(float(value), digits) for value in values]


def end_line(*lists: list[Any]) -> None:
    """Append the gap that separates two lines of one trace."""
    for values in lists:
        values.append(None)
