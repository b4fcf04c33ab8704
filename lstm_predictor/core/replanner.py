"""
The command the robot gets: the upstream command, corrected by what the prediction says.

The reference is an ideal robot: one that starts where the odometry was a moment ago and has moved
exactly as upstream asked since. The pose it will have at the prediction's time, seen from the
predicted pose, is the error that the correction feeds back, after Kanayama et al., "A stable
tracking control method for an autonomous mobile robot" (ICRA 1990). Where upstream asks for no
motion there is none.

Nobody can undo a dead time, and a source that steers by feedback becomes unstable where one tries:
of all ideal robots that get their commands up to `max_dead_time` late, the reference is the one
that the prediction agrees with best. What is left is a wrong gain, slip or a drift.

No torch here: the process that runs this stays small.
"""

from dataclasses import dataclass
import math

from lstm_predictor.core import se2
from lstm_predictor.core.limiter import clamp, Limiter, Limits
from lstm_predictor.core.reference import IdealRobot
from lstm_predictor.core.samples import BadMessage, Command, Odometry
from lstm_predictor.core.stream import Stream

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_DEAD_TIME_STEP_NS = 50_000_000
_LEVER = 0.2  # what a heading error of 1 rad counts when dead times are compared [m]

PASSED = 'limited upstream command: it asks for no motion'
UNCORRECTED = 'limited upstream command: no fresh prediction to correct it with'
CORRECTED = 'corrected from the prediction'
STOPPED = 'stopped: no fresh upstream command'
IDLE = 'idle: no upstream command yet'


@dataclass(frozen=True)
class ReplannerConfig(Limits):
    """Limits, gains of the correction and ages up to which an input counts."""

    velocity_timeout: float = 0.5  # age of the upstream command that stops the robot [s]
    prediction_timeout: float = 0.3  # age of the prediction that ends the correction [s]
    memory: float = 1.0  # how far back the reference starts [s]
    max_dead_time: float = 0.6  # largest delay of the robot that is not corrected [s]
    gain_along: float = 0.5  # speed per position error ahead [1/s]
    gain_across: float = 3.0  # yaw rate per speed and position error to the left [rad/m^2]
    gain_yaw: float = 0.5  # yaw rate per heading error [1/s]
    authority: float = 0.3  # largest correction as a share of what is asked for [-]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        super().__post_init__()
        for name in ('velocity_timeout', 'prediction_timeout', 'memory'):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(f'{name} must be positive [s], is {getattr(self, name)}')
        for name in ('max_dead_time', 'gain_along', 'gain_across', 'gain_yaw'):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(f'{name} must not be negative, is {getattr(self, name)}')
        if not 0.0 <= self.authority <= 1.0:
            raise ValueError(f'authority must be a share from 0 to 1, is {self.authority}')


@dataclass(frozen=True)
class Target:
    """The predicted pose that the correction works on."""

    stamp_ns: int  # the time it is predicted for
    pose: Array  # odometry's frame, [x [m], y [m], yaw [rad]], (3,)

    def __post_init__(self) -> None:
        """Raise BadMessage where a value is not finite."""
        if not np.isfinite(self.pose).all():
            raise BadMessage(f'predicted pose is not finite: {self.pose.tolist()}')


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
        self._span_ns = round(2e9 * (config.memory + config.max_dead_time))
        self._odometry = Stream(3, self._span_ns)
        self._ideal = IdealRobot(self._span_ns)
        self._limiter = Limiter(config)
        self._dead_times_ns = np.arange(
            0, round(1e9 * config.max_dead_time) + 1, _DEAD_TIME_STEP_NS, dtype=np.int64)
        self.reset()

    def reset(self) -> None:
        """Forget every input and what was sent last."""
        self._odometry.clear()
        self._ideal.clear()
        self._asked_at: float | None = None  # [s] steady
        self._target: Target | None = None
        self._target_at = -math.inf  # [s] steady
        self._limiter.reset()

    def set_upstream(self, command: Command, steady: float) -> None:
        """Take the upstream command; lateral speed was dropped by its reader."""
        self._ideal.ask(
            Command(command.stamp_ns, *self._limiter.within(command.speed, command.yaw_rate)))
        self._asked_at = steady

    def set_odometry(self, odometry: Odometry) -> None:
        """Take where the robot is; a stamp far in the past starts afresh."""
        times = self._odometry.times
        if len(times) and odometry.stamp_ns < times[-1] - self._span_ns:
            self._odometry.clear()
            self._ideal.restart(odometry.stamp_ns)
            self._target = None
        self._odometry.add(odometry.stamp_ns, odometry[1:4])

    def set_target(self, target: Target, steady: float) -> None:
        """Take the newest prediction."""
        self._target = target
        self._target_at = steady

    def drop_target(self) -> None:
        """Take back the prediction, as when a newer one is unusable."""
        self._target = None

    def output(self, steady: float) -> Output:
        """Return the command for now; call it at least once per control period."""
        if self._asked_at is None:
            return Output(*self._limiter.send(0.0, 0.0, steady), IDLE)
        if steady - self._asked_at > self.config.velocity_timeout:
            return Output(*self._limiter.stop(steady), STOPPED)
        speed, yaw_rate = self._ideal.newest
        if speed == 0.0 and yaw_rate == 0.0:
            return Output(*self._limiter.send(speed, yaw_rate, steady), PASSED)
        error = self.error(steady)
        if error is None:
            return Output(*self._limiter.send(speed, yaw_rate, steady), UNCORRECTED)
        more_speed, more_yaw_rate = self._correction(error, speed, yaw_rate)
        return Output(*self._limiter.send(
            speed + more_speed, yaw_rate + more_yaw_rate, steady), CORRECTED)

    def error(self, steady: float) -> Array | None:
        """
        Return the reference as seen from the predicted pose [ahead [m], left [m], yaw [rad]].

        None where the prediction is missing or stale, or the past is not known far enough.
        """
        target = self._target
        if target is None or steady - self._target_at > self.config.prediction_timeout:
            return None
        times = self._odometry.times
        if not len(times):
            return None
        first = int(np.searchsorted(times, times[-1] - round(1e9 * self.config.memory)))
        starts = times[first] - self._dead_times_ns
        starts = starts[self._ideal.known(starts)]
        # A prediction whose time has passed is none, however late it arrived.
        if not len(starts) or target.stamp_ns <= times[-1]:
            return None
        moved = self._ideal.moved(starts, starts + (target.stamp_ns - times[first]))
        errors = se2.between(target.pose, se2.compose(self._odometry.values[first], moved))
        sizes = np.hypot(np.hypot(errors[:, 0], errors[:, 1]), _LEVER * errors[:, 2])
        # Poses too far apart for a number make a distance that is none.
        return np.asarray(errors[np.argmin(sizes)]) if np.isfinite(errors).all() else None

    def _correction(self, error: Array, speed: float, yaw_rate: float) -> tuple[float, float]:
        """
        Return the bounded change of [speed [m/s], yaw rate [rad/s]].

        It grows with what is asked for, so that a little motion stays little and a turn on the
        spot keeps its direction.
        """
        c = self.config
        ahead, left, yaw = (float(e) for e in error)
        share = abs(speed) / c.max_velocity[0] if c.max_velocity[0] else 0.0
        most_speed = c.authority * abs(speed)
        most_yaw_rate = c.authority * min(
            abs(yaw_rate) + share * c.max_velocity[2], c.max_velocity[2])
        return (
            clamp(c.gain_along * ahead, -most_speed, most_speed),
            clamp(c.gain_across * speed * left + c.gain_yaw * yaw, -most_yaw_rate, most_yaw_rate))
