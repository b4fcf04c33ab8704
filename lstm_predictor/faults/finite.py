"""Whether every number of a message can be used."""

import math
from typing import Any


def first_not_finite(message: Any, name: str = '') -> str:
    """Return the path and the value of the first number that is not finite, or nothing."""
    if isinstance(message, float):
        return '' if math.isfinite(message) else f'{name} is {message}'
    if hasattr(message, 'get_fields_and_field_types'):
        parts = ((f'{name}.{part}'.lstrip('.'), getattr(message, part))
                 for part in message.get_fields_and_field_types())
    elif isinstance(message, (str, bytes, int)):
        return ''
    else:
        parts = ((f'{name}[{i}]', part) for i, part in enumerate(message))
    for part_name, part in parts:
        found = first_not_finite(
            part if hasattr(part, 'get_fields_and_field_types') or not _is_number(part)
            else float(part), part_name)
        if found:
            return found
    return ''


def _is_number(part: Any) -> bool:
    return isinstance(part, (int, float)) or type(part).__module__ == 'numpy' and \
        getattr(part, 'ndim', 1) == 0
