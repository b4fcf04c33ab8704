"""Search of a message for numbers that are not finite."""

import math
from typing import Any

import numpy as np


def first_not_finite(message: Any, name: str = '') -> str:
    """Return the path and the value of the first number that is not finite, or nothing."""
    if isinstance(message, (float, np.floating)):
        return '' if math.isfinite(message) else f'{name} is {message}'
    if hasattr(message, 'get_fields_and_field_types'):
        parts = ((f'{name}.{part}'.lstrip('.'), getattr(message, part))
                 for part in message.get_fields_and_field_types())
    elif isinstance(message, (str, bytes, int, np.generic)):
        return ''
    else:
        parts = ((f'{name}[{i}]', part) for i, part in enumerate(message))
    for part_name, part in parts:
        found = first_not_finite(part, part_name)
        if found:
            return found
    return ''
