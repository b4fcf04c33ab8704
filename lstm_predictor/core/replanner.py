"""
The command the robot gets: the upstream command, corrected by what the prediction says.

The reference is an ideal robot: one that starts where the odometry is and moves exactly as
upstream asks. Two things are made up for, within bounds: that this robot moves more or less than
it is asked to, which is learned while it drives (`gains.py`) and kept while it stands, and that
it will not be where the ideal one will be at the prediction's time, which is fed back after
Kanayama et al., "A stable tracking control method for an autonomous mobile robot" (ICRA 1990).
Where upstream asks for no motion there is none.

Nobody can undo a dead time, and a source that steers by feedback becomes unstable where one tries:
of all ideal robots that get their commands late, but no later than commands take effect (by the
predictor, `max_dead_time` at most), the reference is the one that the prediction agrees with best.
What is left is a wrong gain, slip, lag or a drift.

No torch here: the process that runs this stays small.
"""

from collections import deque
from dataclasses import dataclass
import math

from lstm_predictor.core import se2
from lstm_predictor.core.gains import Gains
from lstm_predictor.core.limiter import clamp, Limiter, Limits, Triple
from lstm_predictor.core.quantiser import Quantiser
from lstm_predictor.core.reference import IdealRobot
from lstm_predictor.core.samples import BadMessage, Command, Odometry
from lstm_predictor.core.stream import Stream

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_DEAD_TIME_STEP_NS = 50_000_000
_EFFECTS = 20  # of the times until a command has effect that are kept
_LEVER = 0.2  # what a heading error of 1 rad counts when dead times are compared [m]
_BACK_NS = 500_000_000  # how far before the newest odometry the gains are learned from
_JUMP_NS = 1_000_000_000  # of the odometry's stamps, back: another time
_OVERLAP = 0.1  # longest time that one look at the gains may stand for [s]
LEAST_HORIZON_NS = 500_000_000  # of the prediction: over less, errors are lost in the noise
# A robot may be this much faster than its bounds before a prediction is absurd.
_FASTER = 2.0  # [-]
_BEYOND = 0.2  # and this much farther [m], [rad]

PASSED = 'limited upstream command: it asks for no motion'
UNCORRECTED = 'limited upstream command: no fresh prediction to correct it with'
DISAGREES = 'limited upstream command: the prediction disagrees with the odometry'
CORRECTED = 'corrected from the prediction'
STOPPED = 'stopped: no fresh upstream command'
IDLE = 'idle: no upstream command yet'


@dataclass(frozen=True)
class ReplannerConfig(Limits):
    """Limits, gains of the correction and ages up to which an input counts."""

    velocity_timeout: float = 0.4  # age of the upstream command that stops the robot [s]
    prediction_timeout: float = 0.3  # age from which on a prediction is none [s]
    odometry_timeout: float = 0.4  # age of the odometry that stops a robot on a plan [s]
    max_dead_time: float = 0.6  # largest delay of the robot that is not corrected [s]
    gain_along: float = 1.0  # speed per position error ahead [1/s]
    gain_across: float = 3.0  # yaw rate per speed and position error to the left [rad/m^2]
    gain_yaw: float = 1.0  # yaw rate per heading error [1/s]
    authority: float = 0.3  # largest correction as a share of what is asked for [-]
    # To whose steps the robot's driver truncates commands; 0: it does not [m/s], [m/s], [rad/s].
    command_quantum: Triple = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        super().__post_init__()
        for name in ('velocity_timeout', 'prediction_timeout', 'odometry_timeout'):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(f'{name} must be positive [s], is {getattr(self, name)}')
        for name in ('max_dead_time', 'gain_along', 'gain_across', 'gain_yaw'):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(f'{name} must not be negative, is {getattr(self, name)}')
        if len(self.command_quantum) != 3 or not all(
                0.0 <= step < math.inf for step in self.command_quantum):
            raise ValueError(f'command_quantum must be three steps [x, y, yaw rate] of 0 or more, '
                             f'is {list(self.command_quantum)}')
        if not 0.0 <= self.authority <= 1.0:
            raise ValueError(f'authority must be a share from 0 to 1, is {self.authority}')


@dataclass(frozen=True)
class Target:
    """The predicted pose that is worked on."""

    stamp_ns: int  # the time it is predicted for
    pose: Array  # odometry's frame, [x [m], y [m], yaw [rad]], (3,)

    def __post_init__(self) -> None:
        """Raise BadMessage where a value is not finite."""
        if not np.isfinite(self.pose).all():
            raise BadMessage(f'predicted pose is not finite: {self.pose.tolist()}')

    def agrees(self, stamp_ns: int, pose: Array, limits: Limits) -> bool:
        """Return whether a robot within limits can get there from an odometry pose (3,)."""
        seconds = 1e-9 * abs(self.stamp_ns - stamp_ns)
        moved = se2.between(pose, self.pose)
        fastest = _FASTER * max(limits.max_velocity[0], -limits.min_velocity[0])
        turning = _FASTER * max(limits.max_velocity[2], -limits.min_velocity[2])
        return bool(np.hypot(moved[0], moved[1]) <= fastest * seconds + _BEYOND
                    and abs(moved[2]) <= turning * seconds + _BEYOND)


@dataclass(frozen=True)
class Output:
    """A velocity command and why it is what it is."""

    speed: float  # [m/s]
    yaw_rate: float  # [rad/s]
    reason: str


class Replanner:
    """
    Limits, corrects and watches the velocity command.

    Two clocks: stamps [ns] are of the odometry's and the commands' time, `steady` [s] only ever
    goes forward and decides what is stale.
    """

    def __init__(self, config: ReplannerConfig) -> None:
        """Start idle, with a robot that stands."""
        self.config = config
        self._span_ns = round(2e9 * (1.0 + config.max_dead_time))
        self._odometry = Stream(3, self._span_ns)
        self._wanted = IdealRobot(self._span_ns)  # does what upstream asks
        self._told = IdealRobot(self._span_ns)  # does what the robot is told
        self._limiter = Limiter(config)
        self._quantiser = Quantiser(config.command_quantum, config)
        self._longest_ns = round(1e9 * config.max_dead_time)
        self._effects_ns: deque[int] = deque(maxlen=_EFFECTS)
        self.gains = Gains()
        self._learned_at = -math.inf  # [s] steady
        self.reset()

    def retune(self, config: ReplannerConfig) -> None:
        """Take other limits, gains and ages; the dead times stay as they were."""
        self.config = self._limiter.limits = self._quantiser.limits = config
        self._quantiser.steps = config.command_quantum

    def reset(self) -> None:
        """Forget every input and what was sent last."""
        self._odometry.clear()
        self._wanted.clear()
        self._told.clear()
        self._asked_at: float | None = None  # [s] steady
        self._asked_ns = 0
        self._target: Target | None = None
        self._target_at = -math.inf  # [s] steady
        self._limiter.reset()
        self._quantiser.reset()
        self._effects_ns.clear()
        self._forget_gains()

    def set_upstream(self, command: Command, steady: float, share: float = 1.0) -> None:
        """Take the upstream command, of which only a share of the speed is wanted."""
        speed, yaw_rate = self._limiter.within(command.speed, command.yaw_rate)
        self._wanted.ask(Command(command.stamp_ns, share * speed, share * yaw_rate))
        self._asked_at, self._asked_ns = steady, command.stamp_ns

    def set_odometry(self, odometry: Odometry) -> None:
        """Take where the robot is; a stamp of another time starts afresh."""
        times = self._odometry.times
        if len(times) and not -_JUMP_NS <= odometry.stamp_ns - times[-1] <= self._span_ns:
            self._odometry.clear()
            self._wanted.restart(odometry.stamp_ns)
            self._told.restart(odometry.stamp_ns)
            self._target = None
            self._forget_gains()
        self._odometry.add(odometry.stamp_ns, odometry[1:4])

    def set_target(self, target: Target, steady: float) -> None:
        """Take the newest prediction."""
        self._target = target
        self._target_at = steady

    def set_effect(self, seconds: float) -> None:
        """
        Take after which time [s] a command given now has effect, as the predictor found it.

        The longest of the last ones counts: to correct a dead time is worse than to leave a lag.
        """
        self._effects_ns.append(round(1e9 * clamp(seconds, 0.0, self.config.max_dead_time)))

    def drop_target(self) -> None:
        """Take back the prediction, as when a newer one is unusable."""
        self._target = None

    def output(self, steady: float) -> Output:
        """Return the command for now; call it at least once per control period."""
        if self._asked_at is None:
            return Output(*self._limiter.send(0.0, 0.0, steady), IDLE)
        if steady - self._asked_at > self.config.velocity_timeout:
            self._forget_gains()  # who drives next may drive another load
            return self._told_to(*self._limiter.stop(steady), STOPPED, steady)
        speed, yaw_rate = self._wanted.newest
        if speed == 0.0 and yaw_rate == 0.0:
            # At once: who wants the robot to stand must not wait for a correction to fade.
            return self._told_to(*self._limiter.stop(steady), PASSED, steady)
        target = self._fresh(steady)
        if target is None:
            return self._told_to(
                *self._limiter.send(speed, yaw_rate, steady), UNCORRECTED, steady)
        if not target.agrees(self._newest_ns, self._odometry.values[-1], self.config):
            return self._told_to(*self._limiter.send(speed, yaw_rate, steady), DISAGREES, steady)
        error = self.error(steady)
        if error is None:
            return self._told_to(
                *self._limiter.send(speed, yaw_rate, steady), UNCORRECTED, steady)
        self._learn(target, steady)
        return self._told_to(*self._limiter.send(
            *self._corrected(error, speed, yaw_rate), steady), CORRECTED, steady)

    def error(self, steady: float) -> Array | None:
        """
        Return the reference as seen from the predicted pose [ahead [m], left [m], yaw [rad]].

        None where the prediction is missing or stale, or the past is not known far enough.
        """
        target = self._fresh(steady)
        if target is None:
            return None
        starts = np.asarray(self._newest_ns - self._dead_times_ns)
        starts = starts[self._wanted.known(starts)]
        if not len(starts):
            return None
        moved = self._wanted.moved(starts, starts + (target.stamp_ns - self._newest_ns))
        errors = se2.between(target.pose, se2.compose(self._odometry.values[-1], moved))
        sizes = np.hypot(np.hypot(errors[:, 0], errors[:, 1]), _LEVER * errors[:, 2])
        # Poses too far apart for a number make a distance that is none.
        return np.asarray(errors[np.argmin(sizes)]) if np.isfinite(errors).all() else None

    @property
    def _dead_times_ns(self) -> NDArray[np.int64]:
        """The delays [ns] that the robot may have, (n,)."""
        # A step more, for the prediction was made before the newest command was asked for.
        longest = max(self._effects_ns, default=self._longest_ns) + _DEAD_TIME_STEP_NS
        return np.arange(0, min(longest, self._longest_ns) + 1, _DEAD_TIME_STEP_NS,
                         dtype=np.int64)

    @property
    def _newest_ns(self) -> int:
        return int(self._odometry.times[-1])

    def _fresh(self, steady: float) -> Target | None:
        """Return the prediction where it is one: not stale, and of a time that has not passed."""
        target = self._target
        if target is None or steady - self._target_at > self.config.prediction_timeout:
            return None
        return target if len(self._odometry) and target.stamp_ns > self._newest_ns else None

    def _corrected(self, error: Array, speed: float, yaw_rate: float) -> tuple[float, float]:
        """
        Return the speed [m/s] and the yaw rate [rad/s] that make up for gains and error.

        The change is bounded by what is asked for, so that a little motion stays little and a
        turn on the spot keeps its direction.
        """
        c = self.config
        ahead, left, yaw = (float(e) for e in error)
        share = abs(speed) / c.max_velocity[0] if c.max_velocity[0] else 0.0
        most_speed = c.authority * abs(speed)
        most_yaw_rate = c.authority * min(
            abs(yaw_rate) + share * c.max_velocity[2], c.max_velocity[2])
        more_speed, more_yaw_rate = self.gains.made_up(speed, yaw_rate)
        more_speed += c.gain_along * ahead
        more_yaw_rate += c.gain_across * speed * left + c.gain_yaw * yaw
        return (clamp(more_speed, speed - most_speed, speed + most_speed),
                clamp(more_yaw_rate, yaw_rate - most_yaw_rate, yaw_rate + most_yaw_rate))

    def _told_to(self, speed: float, yaw_rate: float, reason: str, steady: float) -> Output:
        """Remember what the robot is told, and when by the clock of the odometry."""
        assert self._asked_at is not None
        speed, yaw_rate = self._quantiser.send(speed, yaw_rate)
        stamp_ns = self._asked_ns + round(1e9 * (steady - self._asked_at))
        if not self._told.known(np.array([stamp_ns])).any():
            self._told.ask(Command(stamp_ns - self._span_ns // 2, 0.0, 0.0))  # it stood
        self._told.ask(Command(stamp_ns, speed, yaw_rate))
        return Output(speed, yaw_rate, reason)

    def _learn(self, target: Target, steady: float) -> None:
        """Compare how the robot moves with one that does what it is told, a dead time late."""
        times = self._odometry.times
        first = int(np.searchsorted(times, times[-1] - _BACK_NS))
        span_ns = target.stamp_ns - int(times[first])
        passed = min(steady - self._learned_at, _OVERLAP)
        self._learned_at = steady
        starts = np.asarray(times[first] - self._dead_times_ns)
        starts = starts[self._told.known(starts)]
        if not len(starts) or passed <= 0.0:
            return
        told = self._told.moved(starts, starts + span_ns)
        moved = se2.between(self._odometry.values[first], target.pose)
        meant = self.gains.expected(told)
        misses = np.hypot(meant[:, 0] - moved[0], _LEVER * (meant[:, 1] - moved[2]))
        if np.isfinite(misses).all():
            self.gains.learn(told[int(np.argmin(misses))], moved, 1e9 * passed / span_ns)

    def _forget_gains(self) -> None:
        self.gains.reset()
        self._learned_at = -math.inf
