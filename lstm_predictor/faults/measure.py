"""How safe a robot was while something was wrong, worked out of what was seen from the outside."""

from dataclasses import dataclass
import math

from lstm_predictor.faults.record import Record

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

AUTHORITY = 0.3  # share by which the replanner may change what is asked for [-]
STEP = 0.01  # between two looks at the robot [s]
FRESH = 0.2  # age of a source's command, or of odometry, by which a motion is still meant [s]
_SLACK = 0.01  # of numbers that were rounded on their way [m/s], [rad/s]
_JITTER = 0.1  # by which two commands may be farther apart than they were heard [s]
STEADY = 0.3  # for which motion must last that has recovered [s]


@dataclass(frozen=True)
class Bounds:
    """Limits of what the robot may be told."""

    speed: float  # [m/s]
    yaw_rate: float  # [rad/s]
    acceleration: float  # [m/s^2]
    yaw_acceleration: float  # [rad/s^2]


@dataclass(frozen=True)
class Measured:
    """What came of one fault."""

    until_safe: float  # the longest time in which nobody meant what the robot did [s]
    travelled: float  # until then [m]
    largest: float  # command, as a share of its limit [-]
    recovered_after: float  # the fault's end; inf: not at all [s]
    largest_jump: float  # of the command after that, as a share of what may be [-]


def measure(record: Record, bounds: Bounds, begin: float, end: float, last: float,
            meant: Array) -> Measured:
    """
    Return what came of a fault from `begin` to `end`, seen until `last` [s].

    `meant` is what the robot may be moved by, (n, 3) of time [s], speed and yaw rate: commands of
    the source, or, on a plan, the limits whenever there was odometry.
    """
    told = np.array(record.commands).reshape(-1, 3)
    first, until_safe = _unsafe(told, meant, begin, end, bounds, _asleep(record.awake))
    during = told[(told[:, 0] >= begin) & (told[:, 0] <= last)]
    limits = np.array([bounds.speed, bounds.yaw_rate])
    largest = float((np.abs(during[:, 1:]) / limits).max()) if len(during) else 0.0
    return Measured(until_safe, record.travelled(first, first + until_safe), largest,
                    _recovered_after(told, meant, end, last, bounds),
                    _largest_jump(told, bounds, end, last))


def _asleep(awake: list[float]) -> list[tuple[float, float]]:
    """Return the times [s] in which the bench itself, and the source in it, was not running."""
    return [(before, after + FRESH) for before, after in zip(awake, awake[1:])
            if after - before > FRESH]


def _unsafe(told: Array, meant: Array, begin: float, end: float, bounds: Bounds,
            asleep: list[tuple[float, float]]) -> tuple[float, float]:
    """
    Return when the longest time began in which nobody meant what the robot did, and its length.

    A command that is only held too long counts from when it was meant last. Of the times in which
    the bench was asleep nothing is known.
    """
    longest, stretch, before = (begin, 0.0), None, _held(told, begin)
    for at in np.arange(begin, end, STEP):
        held = _held(told, at)
        if _is_safe(held, meant, at, bounds) or any(a <= at <= b for a, b in asleep):
            stretch = None
        else:
            if stretch is None:
                stretch = max(begin, at - FRESH) if (held == before).all() else at
            if at + STEP - stretch > longest[1]:
                longest = (stretch, at + STEP - stretch)
        before = held
    return longest


def _held(told: Array, at: float) -> Array:
    """Return the command that the robot obeys at a time (2,): it holds the last for ever."""
    index = int(np.searchsorted(told[:, 0], at, side='right')) - 1
    return told[index, 1:] if index >= 0 else np.zeros(2)


def _is_safe(held: Array, meant: Array, at: float, bounds: Bounds) -> bool:
    """Return whether a command is zero, or no more than what was asked for a moment ago."""
    if not held.any():
        return True
    asked = meant[(meant[:, 0] > at - FRESH) & (meant[:, 0] <= at)]
    return any(_is_within(held, row[1:], bounds) for row in asked)


def _is_within(held: Array, asked: Array, bounds: Bounds) -> bool:
    speed, yaw_rate = asked
    more_speed = AUTHORITY * abs(speed) + _SLACK
    more_yaw_rate = AUTHORITY * (
        abs(yaw_rate) + abs(speed) / bounds.speed * bounds.yaw_rate) + _SLACK
    return bool(min(0.0, speed) - more_speed <= held[0] <= max(0.0, speed) + more_speed
                and min(0.0, yaw_rate) - more_yaw_rate <= held[1]
                <= max(0.0, yaw_rate) + more_yaw_rate)


def _recovered_after(told: Array, meant: Array, end: float, last: float,
                     bounds: Bounds) -> float:
    """Return the time after `end` from which on the robot is moved as is meant [s]."""
    since = math.inf
    for at in np.arange(end, last, STEP):
        held = _held(told, at)
        asked = meant[(meant[:, 0] > at - FRESH) & (meant[:, 0] <= at)]
        moves = len(asked) and (np.abs(held[0]) > 0.25 * np.abs(asked[-1, 1])
                                or not asked[-1, 1:].any())
        if moves and _is_safe(held, meant, at, bounds):
            since = min(since, at)
            if at - since > STEADY:
                return float(since - end)
        else:
            since = math.inf
    return math.inf


def _largest_jump(told: Array, bounds: Bounds, begin: float, end: float) -> float:
    """Return the largest step away from zero as a share of what the acceleration allows [-]."""
    rows = told[(told[:, 0] >= begin - 0.5) & (told[:, 0] <= end)]
    if len(rows) < 2:
        return 0.0
    passed = np.diff(rows[:, 0]) + _JITTER
    grown = np.diff(np.abs(rows[:, 1:]), axis=0)
    may = np.stack([bounds.acceleration * passed, bounds.yaw_acceleration * passed], axis=-1)
    later = rows[1:, 0] >= begin
    return float((grown / may)[later].max(initial=0.0))
