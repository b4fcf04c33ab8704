"""
Detects that another node overrides the commands, and estimates gains only while none does.

An emergency stop, a collision monitor or a joystick behind this node overrides its commands. From
the motion alone that looks like a change of the robot's gains, but gains do not change abruptly.
So a motion that differs abruptly from the expected one is an override: it is not learned from,
what was learned shortly before is dropped, as the override may have begun already, and learning
goes on when the robot moves as expected again. Where a topic shows the command that the robot
receives, `block` reports an override for certain.
"""

from collections import deque
from enum import Enum
from typing import NamedTuple

from lstm_predictor.control.gain_estimator import (
    Factors, GainEstimator, MAX_GAIN, MIN_GAIN, Span)
from lstm_predictor.control.velocity_limiter import clamp

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVER = 0.2  # weight of a heading error against one of position [m/rad]
_TAKEN_AFTER = (0.8, 2.0)  # age at which a span counts as known lately, and as known [s]
_LOOKED_AT = 0.4  # time over which deviations are averaged [s]
_SHARE = 0.15  # of the expected motion; a larger deviation is an override [-]
# And of the commanded one, where the robot is not known yet: by less and by more, ahead and turn.
# Robots that skid turn by a third of what is commanded.
_UNKNOWN_LESS = np.array([1.0 - MIN_GAIN, 0.75])  # [-]
_UNKNOWN_MORE = MAX_GAIN - 1.0  # [-]
_UNSURE = 0.1  # of the commanded motion; if that is so unsure, a span counts for half [-]
_KNOWN_AFTER = 2.0  # of driving [s]
_OVER = 0.5  # of the limits, below which an override is over [-]
_NOISE = (0.04, 0.03)  # of the robot's largest velocities; less is no deviation [-]
_MAX_RATES = (0.06, 0.06, 0.06)  # change of the factors that are used [1/s]
# A robot that seems to be overridden all the time is one that moves irregularly, as on loose
# ground: it may deviate further.
_OFTEN = 3.0  # overrides in a minute of driving, from which on the limits grow in proportion [-]
_MINUTE = 60.0  # [s]
_ANOTHER_ROBOT = 10.0  # of driving faster than expected, after which all is learned anew [s]


class Override(Enum):
    """Whether the commands are overridden, and how that shows."""

    NONE = 'none'
    BLOCKED = 'blocked'  # a topic shows that the robot gets another command
    LESS = 'less'  # it moves less than expected, or elsewhere
    MORE = 'more'  # it moves farther than expected


class _Pending(NamedTuple):
    at: float  # [s]
    span: Span
    share: float  # of it that is new [-]
    weight: float  # that it has as evidence [-]


class _Deviation(NamedTuple):
    at: float  # [s]
    errors: Array  # moved less expected [m/s], [rad/s] (2,)
    expected: Array  # [m/s], [rad/s] (2,)
    commanded: Array  # [m/s], [rad/s] (2,)


class GuardedGains:
    """Estimated gains of a robot, protected from overrides."""

    def __init__(self, max_speed: float, max_yaw_rate: float, tolerance: float = 1.0) -> None:
        """
        Assume unit gains, of a robot with these limits [m/s], [rad/s].

        `tolerance` multiplies the deviation up to which motion is as expected.
        """
        self._share = tolerance * _SHARE
        self._noise = tolerance * np.array(_NOISE) * (max_speed, max_yaw_rate)
        self.reset()

    def reset(self) -> None:
        """Assume unit gains and no override."""
        self._known, self._lately = GainEstimator(), GainEstimator()
        self._pending: tuple[deque[_Pending], deque[_Pending]] = deque(), deque()
        self._deviations: deque[_Deviation] = deque()
        self._slow = Factors()  # follow what is known
        self.override = Override.NONE
        self.moved = self.expected = (0.0, 0.0)  # lately [m/s], [rad/s]
        self._time = 0.0  # of all that was taken [s]
        # How long each axis was driven of what is known, lately and well [s], (2, 2).
        self._driven = np.zeros((2, 2))
        self._faster = 0.0  # for how long it has been faster than expected [s]
        self._often = 0.0  # overrides in the last minute of driving

    @property
    def factors(self) -> Factors:
        """The factors to compensate; a robot that is too fast is not made faster."""
        if self.override is Override.MORE:
            return Factors(max(self._slow.along, 1.0), max(self._slow.turn, 1.0), 0.0)
        return self._slow

    @property
    def known(self) -> bool:
        """Return whether there is evidence enough to trust the gains."""
        return bool((self._driven[0] >= _KNOWN_AFTER).any())

    @property
    def distrusts_feedback(self) -> bool:
        """
        Return whether a tracking error is due to the override and must not be fed back.

        That of an unknown robot that is too fast may be.
        """
        return self.override in (Override.BLOCKED, Override.LESS) \
            or self.override is Override.MORE and self.known

    def block(self) -> None:
        """Set an override that a topic shows; learning goes on after `unblock`."""
        if self.override is not Override.BLOCKED:
            self._drop()
            self.override = Override.BLOCKED

    def unblock(self) -> None:
        """End that override as soon as the motion is as expected."""
        if self.override is Override.BLOCKED:
            self.override = Override.LESS
            self._deviations.clear()
            self.moved = self.expected = (0.0, 0.0)

    def take(self, commanded: Array, span: Span, passed: float) -> None:
        """
        Take a span, of which `passed` [s] are new.

        `commanded` (n, 3) has the motions that were commanded for it, one per hypothesis of the
        input delay; the most likely one counts.
        """
        self._time += passed
        expected = self._lately.expected(commanded, span.change)
        misses = np.hypot(expected[:, 0] - span.moved[0],
                          LEVER * (expected[:, 1] - span.moved[2]))
        if not np.isfinite(misses).all():
            return
        best = int(np.argmin(misses))
        span = span._replace(commanded=commanded[best])
        drives = bool(self._drives(span.commanded[[0, 2]] / span.seconds).any())
        if drives:
            self._often *= 1.0 - passed / _MINUTE
        self._look(span, expected[best])
        if self.override is Override.NONE:
            self._learn(span, passed, _weight(commanded))
            self._follow(passed)
        elif self.override is Override.MORE and drives:
            self._faster += passed
            if self._faster > _ANOTHER_ROBOT:
                self.reset()

    def _look(self, span: Span, expected: Array) -> None:
        """Compare the motion with the expected one, and set or end an override."""
        deviations = self._deviations
        deviations.append(_Deviation(
            self._time, (span.moved[[0, 2]] - expected) / span.seconds, expected / span.seconds,
            span.commanded[[0, 2]] / span.seconds))
        while self._time - deviations[0].at > _LOOKED_AT:
            deviations.popleft()
        errors, expected, commanded = (
            np.mean([getattr(one, name) for one in deviations], axis=0)
            for name in ('errors', 'expected', 'commanded'))
        whole = self._time - deviations[0].at > 0.7 * _LOOKED_AT
        self.expected, self.moved = tuple(expected), tuple(expected + errors)
        limits = self._limits(errors, expected, commanded)
        if self.override is Override.BLOCKED or not whole:
            return
        if self.override is Override.NONE:
            if (np.abs(errors) > limits).any():
                self._drop()
                self._often += 1.0
                farther = errors * np.sign(expected) > limits
                self.override = Override.MORE if farther.any() else Override.LESS
                self._faster = 0.0
        elif (np.abs(errors) < _OVER * limits).all() and self._drives(commanded).any():
            self.override = Override.NONE

    def _limits(self, errors: Array, expected: Array, commanded: Array) -> Array:
        """Return the thresholds of the deviation [m/s], [rad/s] (2,)."""
        further = max(1.0, self._often / _OFTEN)
        less = errors * expected < 0.0
        return np.where(
            self._driven[0] >= _KNOWN_AFTER,
            further * np.maximum(self._noise, self._share * np.abs(expected)),
            np.maximum(2.0 * self._noise, np.where(
                less, _UNKNOWN_LESS, _UNKNOWN_MORE) * np.abs(commanded)))

    def _learn(self, span: Span, passed: float, weight: float) -> None:
        """Learn from spans once an override in them would have been detected."""
        for pending, gains, driven, age in zip(
                self._pending, (self._lately, self._known), self._driven, _TAKEN_AFTER):
            pending.append(_Pending(self._time, span, passed / span.seconds, weight))
            while self._time - pending[0].at > age:
                old = pending.popleft()
                share, seconds = old.weight * old.share, old.span.seconds
                gains.learn(old.span, share)
                # Only by evidence is it known: by the time alone, a weak robot would be taken for
                # one that is overridden before its gain has been found.
                driven += share * seconds * self._drives(old.span.commanded[[0, 2]] / seconds)

    def _drives(self, commanded: Array) -> NDArray[np.bool_]:
        """Return for each axis whether it is commanded to move [m/s], [rad/s] (2,)."""
        return np.asarray(np.abs(commanded) > self._noise)

    def _drop(self) -> None:
        """Discard what was learned lately."""
        self._lately = self._known.copy()
        self._driven[0] = self._driven[1]
        for pending in self._pending:
            pending.clear()

    def _follow(self, passed: float) -> None:
        """Let the factors in use follow the known ones, at a bounded rate."""
        self._slow = Factors(*(
            clamp(new, old - most * passed, old + most * passed)
            for new, old, most in zip(self._known.factors, self._slow, _MAX_RATES)))


def _weight(commanded: Array) -> float:
    """
    Return what a span counts for, by the motions (n, 3) that may have been commanded for it.

    While commands change, a lag looks like a delay with a smaller gain.
    """
    spread = np.ptp(commanded, axis=0)
    size = np.abs(commanded).max(axis=0)
    unsure = np.hypot(spread[0], LEVER * spread[2]) / max(
        np.hypot(size[0], LEVER * size[2]), 1e-9)
    return float(1.0 / (1.0 + (unsure / _UNSURE) ** 2))
