"""Kinds of arguments that the command lines share."""

import argparse
import math


def positive(text: str) -> float:
    """Return a positive, finite number; argparse tells the user otherwise."""
    value = float(text)
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f'must be positive and finite, is {text}')
    return value


def not_negative(text: str) -> float:
    """Return a finite number that is zero or more; argparse tells the user otherwise."""
    value = float(text)
    if not 0.0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f'must not be negative, is {text}')
    return value


def positive_integer(text: str) -> int:
    """Return a positive whole number; argparse tells the user otherwise."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'must be 1 or more, is {text}')
    return value
