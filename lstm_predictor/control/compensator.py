"""
The robot's command: the upstream command, corrected by the prediction.

The reference is an ideal robot: it starts at the odometry's pose and moves exactly as upstream
commands. Two errors are compensated, within bounds. The gain of the real robot, which moves more
or less than commanded, is learned while it drives (`gain_estimator.py`) and kept while it stands.
The error of the predicted pose from the reference at that time is fed back after Kanayama et al.,
"A stable tracking control method for an autonomous mobile robot" (ICRA 1990). Where upstream
commands zero velocity, the robot stops.

An input delay cannot be undone, and compensating it makes a source with feedback unstable. So of
all ideal robots that receive their commands late, but no later than commands take effect (by the
predictor, `max_input_delay` at most), the reference is the one that agrees best with the
prediction. What is left is a wrong gain, slip, lag or a drift.

No torch here: the process that runs this stays small.
"""

from dataclasses import dataclass
import math

from lstm_predictor.common import se2
from lstm_predictor.common.checks import (
    require_not_negative, require_positive, require_range)
from lstm_predictor.common.readings import Command, InvalidMessage, Odometry
from lstm_predictor.control.command_delivery import Delivery
from lstm_predictor.control.command_shaper import CommandShaper
from lstm_predictor.control.execution_monitor import ExecutionMonitor
from lstm_predictor.control.override_detection import GuardedGains, LEVER, Override
from lstm_predictor.control.reference_robot import ReferenceRobot
from lstm_predictor.control.status import Output, ReplannerStatus
from lstm_predictor.control.velocity_limiter import clamp, Limits, Triple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_JUMP_NS = 1_000_000_000  # of the odometry's stamps, back: another time
MIN_HORIZON_NS = 500_000_000  # of the prediction: over less, errors are lost in the noise
# A robot may be this much faster than its bounds before a prediction is absurd.
_FASTER = 2.0  # [-]
_BEYOND = 0.2  # and this much farther [m], [rad]


@dataclass(frozen=True)
class ReplannerConfig(Limits):
    """Limits, gains of the correction and ages up to which an input counts."""

    # Age of the upstream command that stops the robot; 0.7 in the profiles of TurtleBot3s, since a
    # held key of teleop repeats for the first time after 0.5 to 0.66 s [s].
    velocity_timeout: float = 0.4
    prediction_timeout: float = 0.3  # age above which a prediction is not used [s]
    odometry_timeout: float = 0.4  # age of the odometry that stops a robot on a plan [s]
    max_input_delay: float = 0.6  # actuation latency that is not corrected, at most [s]
    k_x: float = 1.0  # speed per position error ahead [1/s]
    k_y: float = 3.0  # yaw rate per speed and position error to the left [rad/m^2]
    k_theta: float = 1.0  # yaw rate per heading error [1/s]
    max_relative_correction: float = 0.3  # of the requested velocity [-]
    # Steps to which the robot's driver truncates commands; 0: it does not [m/s], [m/s], [rad/s].
    command_resolution: Triple = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        super().__post_init__()
        require_positive(self, 'velocity_timeout', 'prediction_timeout', 'odometry_timeout')
        require_not_negative(self, 'max_input_delay', 'k_x', 'k_y', 'k_theta')
        require_range(self, 0.0, 1.0, 'max_relative_correction')
        if len(self.command_resolution) != 3 or not all(
                0.0 <= step < math.inf for step in self.command_resolution):
            raise ValueError(f'command_resolution must be three steps [x, y, yaw rate] of 0 or '
                             f'more, is {list(self.command_resolution)}')


@dataclass(frozen=True)
class Target:
    """The predicted pose that is worked on."""

    stamp_ns: int  # the time it is predicted for
    pose: Array  # odometry's frame, [x [m], y [m], yaw [rad]], (3,)

    def __post_init__(self) -> None:
        """Raise InvalidMessage where a value is not finite."""
        if not np.isfinite(self.pose).all():
            raise InvalidMessage(f'predicted pose is not finite: {self.pose.tolist()}')

    def agrees(self, stamp_ns: int, pose: Array, limits: Limits) -> bool:
        """Return whether a robot within limits can get there from an odometry pose (3,)."""
        seconds = 1e-9 * abs(self.stamp_ns - stamp_ns)
        moved = se2.between(pose, self.pose)
        fastest = _FASTER * max(limits.max_velocity[0], -limits.min_velocity[0])
        turning = _FASTER * max(limits.max_velocity[2], -limits.min_velocity[2])
        return bool(np.hypot(moved[0], moved[1]) <= fastest * seconds + _BEYOND
                    and abs(moved[2]) <= turning * seconds + _BEYOND)


class Compensator:
    """
    Limits, corrects and watches the velocity command.

    Two clocks: stamps [ns] are of the odometry's and the commands' time, `steady` [s] only ever
    goes forward and decides what is stale.
    """

    def __init__(self, config: ReplannerConfig) -> None:
        """Start idle, with a robot that stands."""
        self.config = config
        # Of the robot's motion over the commands that it is sent.
        self.gains = GuardedGains(config.max_velocity[0], config.max_velocity[2])
        self._robot = ExecutionMonitor(self.gains, config.max_input_delay)
        self._reference = ReferenceRobot(self._robot.span_ns)  # obeys upstream
        self._shaper = CommandShaper(config, config.command_resolution)
        self.reset()

    def retune(self, config: ReplannerConfig) -> None:
        """Take other limits, gains and ages; the dead times stay as they were."""
        self.config = config
        self._shaper.retune(config, config.command_resolution)

    def reset(self) -> None:
        """Forget every input and what was sent last."""
        self._robot.reset()
        self._reference.clear()
        self._requested_at: float | None = None  # [s] steady
        self._requested_ns = 0
        self._target: Target | None = None
        self._target_at = -math.inf  # [s] steady
        self._shaper.reset()

    def set_upstream(self, command: Command, steady: float, share: float = 1.0) -> None:
        """Take the upstream command, to be driven at a fraction of its speed."""
        speed, yaw_rate = self._shaper.clip(command.speed, command.yaw_rate)
        self._reference.set_command(Command(command.stamp_ns, share * speed, share * yaw_rate))
        self._requested_at, self._requested_ns = steady, command.stamp_ns

    def set_odometry(self, odometry: Odometry) -> None:
        """Take where the robot is; a stamp of another time starts afresh."""
        times = self._robot.odometry.times
        if len(times) and not -_JUMP_NS <= odometry.stamp_ns - times[-1] <= self._robot.span_ns:
            self._robot.restart(odometry.stamp_ns)
            self._reference.restart(odometry.stamp_ns)
            self._target = None
        self._robot.add(odometry)

    def pose_at(self, stamp_ns: int) -> Array | None:
        """Return the odometry's pose (3,) of a stamp [ns]; None where no message had it."""
        times, poses = self._robot.odometry.times, self._robot.odometry.values
        index = int(np.searchsorted(times, stamp_ns))
        return np.array(poses[index]) if index < len(times) and times[index] == stamp_ns else None

    def set_target(self, target: Target, steady: float) -> None:
        """Take the newest prediction."""
        self._target = target
        self._target_at = steady

    def set_actuation_latency(self, seconds: float) -> None:
        """Take after which time [s] a command given now has effect, as the predictor found it."""
        self._robot.set_actuation_latency(seconds)

    def set_delivery(self, delivery: Delivery) -> None:
        """Take what becomes of the commands, where a topic shows it."""
        if delivery in (Delivery.REPLACED, Delivery.SILENT):
            self.gains.block()
        else:
            self.gains.unblock()

    def drop_target(self) -> None:
        """Take back the prediction, as when a newer one is unusable."""
        self._target = None

    def output(self, steady: float) -> Output:
        """Return the command for now; call it at least once per control period."""
        self._robot.learn()
        if self._requested_at is None:
            return Output(*self._shaper.brake(steady), ReplannerStatus.IDLE)
        if steady - self._requested_at > self.config.velocity_timeout:
            self._robot.forget()  # the next load may be another
            return self._sent(self._shaper.zero(steady), ReplannerStatus.STOPPED, steady)
        speed, yaw_rate = self._reference.newest
        if speed == 0.0 and yaw_rate == 0.0:
            # At once: a robot that is to stand must not wait for a correction to fade.
            return self._sent(self._shaper.zero(steady), ReplannerStatus.ZERO_REQUESTED, steady)
        status, error = self._feedback(steady)
        if error is not None:
            speed, yaw_rate = self._corrected(error, speed, yaw_rate)
        return self._sent(self._shaper.limit(speed, yaw_rate, steady), status, steady)

    def _feedback(self, steady: float) -> tuple[ReplannerStatus, Array | None]:
        """Return the status, and the error (3,) to correct; None where nothing is corrected."""
        target = self._fresh(steady)
        if target is None:
            return ReplannerStatus.UNCORRECTED, None
        if not target.agrees(self._newest_ns, self._robot.odometry.values[-1], self.config):
            return ReplannerStatus.PREDICTION_DISAGREES, None
        error = self.error(steady)
        if error is None:
            return ReplannerStatus.UNCORRECTED, None
        if not self.gains.distrusts_feedback:
            return ReplannerStatus.CORRECTED, error
        # The error of a robot that does not receive its commands must not grow into a correction
        # that it receives once it is released; the gains are still compensated.
        return (ReplannerStatus.OVERRIDDEN if self.gains.override is Override.BLOCKED
                else ReplannerStatus.NOT_EXECUTED), np.zeros(3)

    def error(self, steady: float) -> Array | None:
        """
        Return the reference as seen from the predicted pose [ahead [m], left [m], yaw [rad]].

        None where the prediction is missing or stale, or the past is not known far enough.
        """
        target = self._fresh(steady)
        if target is None:
            return None
        starts = np.asarray(self._newest_ns - self._robot.delays_ns)
        starts = starts[self._reference.has_command(starts)]
        if not len(starts):
            return None
        moved = self._reference.motion(starts, starts + (target.stamp_ns - self._newest_ns))
        errors = se2.between(target.pose, se2.compose(self._robot.odometry.values[-1], moved))
        sizes = np.hypot(np.hypot(errors[:, 0], errors[:, 1]), LEVER * errors[:, 2])
        # Poses too far apart for a number make a distance that is none.
        return np.asarray(errors[np.argmin(sizes)]) if np.isfinite(errors).all() else None

    @property
    def _newest_ns(self) -> int:
        return int(self._robot.odometry.times[-1])

    def _fresh(self, steady: float) -> Target | None:
        """Return the prediction where it is one: not stale, and of a time that has not passed."""
        target = self._target
        if target is None or steady - self._target_at > self.config.prediction_timeout:
            return None
        return target if len(self._robot.odometry) and target.stamp_ns > self._newest_ns else None

    def _corrected(self, error: Array, speed: float, yaw_rate: float) -> tuple[float, float]:
        """
        Return the speed [m/s] and the yaw rate [rad/s] that make up for gains and error.

        The change is bounded by the command, so that a little motion stays little and a
        turn on the spot keeps its direction.
        """
        c = self.config
        ahead, left, yaw = (float(e) for e in error)
        share = abs(speed) / c.max_velocity[0] if c.max_velocity[0] else 0.0
        most_speed = c.max_relative_correction * abs(speed)
        most_yaw_rate = c.max_relative_correction * min(
            abs(yaw_rate) + share * c.max_velocity[2], c.max_velocity[2])
        more_speed, more_yaw_rate = self.gains.factors.compensate(speed, yaw_rate)
        more_speed += c.k_x * ahead
        more_yaw_rate += c.k_y * speed * left + c.k_theta * yaw
        return (clamp(more_speed, speed - most_speed, speed + most_speed),
                clamp(more_yaw_rate, yaw_rate - most_yaw_rate, yaw_rate + most_yaw_rate))

    def _sent(self, command: tuple[float, float], status: ReplannerStatus, steady: float
              ) -> Output:
        """Remember the command [m/s], [rad/s] that is sent, and when by the odometry's clock."""
        assert self._requested_at is not None
        speed, yaw_rate = command
        stamp_ns = self._requested_ns + round(1e9 * (steady - self._requested_at))
        self._robot.command(stamp_ns, speed, yaw_rate)
        return Output(speed, yaw_rate, status)
