"""Numbers and pens, as the figure takes them."""

from collections.abc import Iterable
from typing import Any


def lift(*lists: list[Any]) -> None:
    """Lift the pen between two lines of one trace."""
    for values in lists:
        values.append(None)


def short(values: Iterable[Any], digits: int = 4) -> list[float | None]:
    """Return numbers with so few digits that the page stays small."""
    return [None if value is None else round(float(value), digits) for value in values]
