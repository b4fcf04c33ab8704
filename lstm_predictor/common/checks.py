"""Checks of a config's fields for its `__post_init__`: ValueError names a field and its value."""

from collections.abc import Sequence
import math


def require_positive(config: object, *names: str, finite: bool = True) -> None:
    """Raise ValueError for a field that is not above 0, or infinite where that is no value."""
    for name in names:
        value = getattr(config, name)
        if not value > 0.0 or finite and math.isinf(value):
            raise ValueError(f'{name} must be positive{" and finite" * finite}, is {value}')


def require_not_negative(config: object, *names: str) -> None:
    """Raise ValueError for a field that is below 0 or not finite."""
    for name in names:
        value = getattr(config, name)
        if not 0.0 <= value < math.inf:
            raise ValueError(f'{name} must be 0 or positive and finite, is {value}')


def require_range(config: object, low: float, high: float, *names: str) -> None:
    """Raise ValueError for a field that is not from `low` to `high`."""
    for name in names:
        value = getattr(config, name)
        if not low <= value <= high:
            raise ValueError(f'{name} must be {low:g} to {high:g}, is {value}')


def require_one_of(config: object, allowed: Sequence[str], *names: str) -> None:
    """Raise ValueError for a field whose text is none of those."""
    for name in names:
        value = getattr(config, name)
        if value not in allowed:
            *others, last = allowed
            raise ValueError(f'{name} must be {", ".join(others)} or {last}, is {value!r}')


def require_text(config: object, *names: str) -> None:
    """Raise ValueError for a field whose text is empty."""
    for name in names:
        if not getattr(config, name):
            raise ValueError(f'{name} must not be empty')
