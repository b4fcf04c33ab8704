"""Safety metrics of a fault, computed from the observations."""

from dataclasses import dataclass
import math

from fault_injection.observations import Observations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

AUTHORITY = 0.3  # fraction by which the replanner may correct a command [-]
STEP = 0.01  # of time in the computation [s]
FRESH = 0.2  # age up to which a request, or odometry on a path, allows motion [s]
_SLACK = 0.01  # for rounding [m/s], [rad/s]
_JITTER = 0.1  # of the times at which commands are received [s]
STEADY = 0.3  # for which motion must last to count as recovered [s]


@dataclass(frozen=True)
class Bounds:
    """Limits of the commands to the robot."""

    speed: float  # [m/s]
    yaw_rate: float  # [rad/s]
    acceleration: float  # [m/s^2]
    yaw_acceleration: float  # [rad/s^2]


@dataclass(frozen=True)
class SafetyMetrics:
    """The metrics of one fault."""

    until_safe: float  # longest time of a command that was neither zero nor requested [s]
    travelled: float  # until then [m]
    largest: float  # command, as a fraction of its limit [-]
    recovered_after: float  # from the fault's end; inf: not at all [s]
    largest_jump: float  # of the command, as a fraction of the acceleration limit [-]


def measure(observed: Observations, bounds: Bounds, begin: float, end: float, last: float,
            allowed: Array) -> SafetyMetrics:
    """
    Return the metrics of a fault from `begin` to `end`, observed until `last` [s].

    `allowed` are the twists that the robot may execute, (n, 3) of time [s], speed and yaw rate:
    requests of the source, or, on a path, the limits whenever there was odometry.
    """
    commands = np.array(observed.commands).reshape(-1, 3)
    first, until_safe = _unsafe(commands, allowed, begin, end, bounds, _asleep(observed.awake))
    during = commands[(commands[:, 0] >= begin) & (commands[:, 0] <= last)]
    limits = np.array([bounds.speed, bounds.yaw_rate])
    largest = float((np.abs(during[:, 1:]) / limits).max()) if len(during) else 0.0
    return SafetyMetrics(until_safe, observed.travelled(first, first + until_safe), largest,
                         _recovered_after(commands, allowed, end, last, bounds),
                         _largest_jump(commands, bounds, end, last))


def _asleep(awake: list[float]) -> list[tuple[float, float]]:
    """Return the times [s] in which the bench itself, and the source in it, was not running."""
    return [(before, after + FRESH) for before, after in zip(awake, awake[1:])
            if after - before > FRESH]


def _unsafe(commands: Array, allowed: Array, begin: float, end: float, bounds: Bounds,
            asleep: list[tuple[float, float]]) -> tuple[float, float]:
    """
    Return begin and length of the longest time with a command that was not allowed.

    A command that is held too long counts from when it was allowed last. Times in which the bench
    was asleep do not count.
    """
    longest, stretch, before = (begin, 0.0), None, _held(commands, begin)
    for at in np.arange(begin, end, STEP):
        held = _held(commands, at)
        if _is_safe(held, allowed, at, bounds) or any(a <= at <= b for a, b in asleep):
            stretch = None
        else:
            if stretch is None:
                stretch = max(begin, at - FRESH) if (held == before).all() else at
            if at + STEP - stretch > longest[1]:
                longest = (stretch, at + STEP - stretch)
        before = held
    return longest


def _held(commands: Array, at: float) -> Array:
    """Return the command in force at a time (2,): a TurtleBot3 holds the last one for ever."""
    index = int(np.searchsorted(commands[:, 0], at, side='right')) - 1
    return commands[index, 1:] if index >= 0 else np.zeros(2)


def _is_safe(held: Array, allowed: Array, at: float, bounds: Bounds) -> bool:
    """Return whether a command is zero, or within what was requested a moment ago."""
    if not held.any():
        return True
    requested = allowed[(allowed[:, 0] > at - FRESH) & (allowed[:, 0] <= at)]
    return any(_is_within(held, row[1:], bounds) for row in requested)


def _is_within(held: Array, requested: Array, bounds: Bounds) -> bool:
    speed, yaw_rate = requested
    more_speed = AUTHORITY * abs(speed) + _SLACK
    more_yaw_rate = AUTHORITY * (
        abs(yaw_rate) + abs(speed) / bounds.speed * bounds.yaw_rate) + _SLACK
    return bool(min(0.0, speed) - more_speed <= held[0] <= max(0.0, speed) + more_speed
                and min(0.0, yaw_rate) - more_yaw_rate <= held[1]
                <= max(0.0, yaw_rate) + more_yaw_rate)


def _recovered_after(commands: Array, allowed: Array, end: float, last: float,
                     bounds: Bounds) -> float:
    """Return the time after `end` from which on the robot moves as requested [s]."""
    since = math.inf
    for at in np.arange(end, last, STEP):
        held = _held(commands, at)
        requested = allowed[(allowed[:, 0] > at - FRESH) & (allowed[:, 0] <= at)]
        moves = len(requested) and (np.abs(held[0]) > 0.25 * np.abs(requested[-1, 1])
                                    or not requested[-1, 1:].any())
        if moves and _is_safe(held, allowed, at, bounds):
            since = min(since, at)
            if at - since > STEADY:
                return float(since - end)
        else:
            since = math.inf
    return math.inf


def _largest_jump(commands: Array, bounds: Bounds, begin: float, end: float) -> float:
    """Return the largest step away from zero as a fraction of the acceleration limit [-]."""
    rows = commands[(commands[:, 0] >= begin - 0.5) & (commands[:, 0] <= end)]
    if len(rows) < 2:
        return 0.0
    passed = np.diff(rows[:, 0]) + _JITTER
    grown = np.diff(np.abs(rows[:, 1:]), axis=0)
    limits = np.stack([bounds.acceleration * passed, bounds.yaw_acceleration * passed], axis=-1)
    later = rows[1:, 0] >= begin
    return float((grown / limits)[later].max(initial=0.0))
