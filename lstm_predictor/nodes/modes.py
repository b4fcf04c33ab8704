"""
What the replanner does, by mode: which topics it hears and what it makes of them.

Each mode is handed the node, opens its topics, and answers with a command whenever it is asked.
"""

import time
from typing import Any

from geometry_msgs.msg import PoseWithCovarianceStamped, TwistStamped

from lstm_predictor.core import samples
from lstm_predictor.core.caution import Caution, CautionConfig
from lstm_predictor.core.follower import CONTRADICTED, Follower, UNPREDICTED
from lstm_predictor.core.plan import Plan
from lstm_predictor.core.pursuit import Law, Pursuit, PursuitConfig
from lstm_predictor.core.replanner import (
    DISAGREES, IDLE, LEAST_HORIZON_NS, Output, Replanner, ReplannerConfig, STOPPED, Target,
    UNCORRECTED)
from lstm_predictor.extras import missing
from lstm_predictor.nodes import health, parameters
from lstm_predictor.nodes.commands import BEST_EFFORT, COMMANDS, CommandSubscription
from lstm_predictor.nodes.frames import FrameError, Frames
from lstm_predictor.nodes.timing import Timing

from nav_msgs.msg import Odometry, Path

import numpy as np

from rclpy.qos import QoSProfile

_PLANS = QoSProfile(depth=10)


class Mode:
    """What all modes hear: odometry, and where the robot will be when it obeys."""

    def __init__(self, node: Any, inputs: dict[str, health.Input]) -> None:
        """Open the topics; `inputs` takes what is to be said of them."""
        self.node = node
        self.config: ReplannerConfig = parameters.read(node, ReplannerConfig)
        self.caution = Caution(parameters.read(node, CautionConfig))
        for topic, kind in (('odom', Odometry), ('predicted_pose', PoseWithCovarianceStamped)):
            inputs[topic] = health.Input(topic, (kind,), stopped=health.WARN)
        self.inputs = inputs
        self.timing = Timing(node)
        self.asked: samples.Command | None = None  # by who is upstream, where there is one
        self.body_frame = ''  # of the robot, as the odometry calls it
        node.hear(Odometry, 'odom', self._on_odometry, BEST_EFFORT)
        node.hear(PoseWithCovarianceStamped, 'predicted_pose', self._on_pose, BEST_EFFORT)

    def start(self) -> None:
        """Start with nothing heard."""
        self.timing.forget()
        self.asked = None
        self.caution.reset()

    def retune(self, configs: dict[type, Any]) -> None:
        """Take other limits, gains and ages while driving."""
        self.config = configs[ReplannerConfig]
        self.caution.config = configs[CautionConfig]

    def output(self, steady: float) -> Output:
        """Return the command for now, at a time [s] that only goes forward."""
        raise NotImplementedError

    def level(self, reason: str) -> Any:
        """Return how bad it is to do something for a reason."""
        if reason.startswith(('idle', 'at the goal')):
            return health.OK
        good = reason.startswith(('following', 'turning', 'corrected',
                                  'limited upstream command: it asks for no motion'))
        return health.OK if good and not self.caution.reason else health.WARN

    def read_odometry(self, message: Odometry) -> samples.Odometry:
        """Return where the robot is; raise BadMessage where it cannot be."""
        return samples.read_odometry(message)

    def take_odometry(self, odometry: samples.Odometry) -> None:
        """Take where the robot is."""

    def take_pose(self, target: Target) -> None:
        """Take where the robot will be when it obeys."""

    def drop_pose(self) -> None:
        """Take back a prediction, as a newer one is unusable."""

    def turn_back(self) -> None:
        """Forget what is of a later time: the odometry's clock went back."""

    def _on_odometry(self, message: Odometry) -> None:
        odometry = self.node.read('odom', self.read_odometry, message)
        if odometry is not None:
            if self.timing.add_odometry(odometry.stamp_ns) < 0.0:
                self.turn_back()
            self.body_frame = message.child_frame_id
            self.take_odometry(odometry)

    def _on_pose(self, message: PoseWithCovarianceStamped) -> None:
        target = self.node.read('predicted_pose', _read_target, message)
        if target is not None:
            covariance = np.array(samples.read_planar_covariance(message.pose.covariance))
            self.caution.see(float(target.pose[2]), covariance, time.monotonic())
            self.take_pose(target)
        elif self.node.active:
            self.drop_pose()


class Compensate(Mode):
    """Between any source of velocity and the robot: makes up for what the robot does wrong."""

    def __init__(self, node: Any, inputs: dict[str, health.Input]) -> None:
        """Hear upstream and the predicted path as well."""
        inputs['cmd_vel_in'] = health.Input('cmd_vel_in', COMMANDS)
        inputs['predicted_path'] = health.Input('predicted_path', (Path,), stopped=health.WARN)
        super().__init__(node, inputs)
        self._given = float(node.get_parameter('correction_horizon').value)  # [s], 0: none
        self._effect_ns = 0  # stamp of the newest predicted pose
        self._begin_ns = 0  # stamp at which the newest predicted path begins
        self._replanner = Replanner(self.config)
        node.keep(CommandSubscription(
            node, 'cmd_vel_in', self._on_upstream, before=TwistStamped).destroy)
        node.hear(Path, 'predicted_path', self._on_path, BEST_EFFORT)

    def start(self) -> None:
        """Start idle."""
        super().start()
        self._replanner.reset()
        self._begin_ns = self._effect_ns = 0

    def retune(self, configs: dict[type, Any]) -> None:
        """Take other limits, gains and ages while driving."""
        super().retune(configs)
        self._replanner.retune(self.config)

    def output(self, steady: float) -> Output:
        """Return the upstream command as it is passed on."""
        output = self._replanner.output(steady)
        if self.caution.reason and output.reason not in (IDLE, STOPPED):
            return Output(
                output.speed, output.yaw_rate, f'{output.reason}, {self.caution.reason}')
        return output

    def level(self, reason: str) -> Any:
        """Return how bad it is to do something for a reason."""
        if reason in (STOPPED, UNCORRECTED, DISAGREES):
            return health.WARN
        return super().level(reason)

    def take_odometry(self, odometry: samples.Odometry) -> None:
        """Take where the robot is."""
        self._replanner.set_odometry(odometry)

    def take_pose(self, target: Target) -> None:
        """Take when a command given now has effect."""
        self._effect_ns = target.stamp_ns
        if self._begin_ns:
            self._replanner.set_effect(1e-9 * (target.stamp_ns - self._begin_ns))

    def turn_back(self) -> None:
        """Forget when commands had effect."""
        self._begin_ns = self._effect_ns = 0

    def _on_upstream(self, message: Any) -> None:
        command = self.node.read('cmd_vel_in', samples.read_command, message, 0)
        if command is None:
            return
        aside = samples.sideways(message)
        if aside:
            self.inputs['cmd_vel_in'].remark(
                f'linear.y of {aside:.2f} m/s is left out: this node drives robots that cannot '
                f'move sideways', time.monotonic())
        self.asked = command
        # Its stamp may be of another machine; what counts is when it was heard, by the clock of
        # the odometry that it is compared with.
        self._replanner.set_upstream(
            command._replace(stamp_ns=self.timing.heard_ns()), time.monotonic(),
            self.caution.share)
        stands = command.speed == 0.0 and command.yaw_rate == 0.0
        # A source that wants nothing more may well fall silent.
        self.inputs['cmd_vel_in'].stopped = health.OK if stands else health.ERROR
        if stands:
            self.node.send()
        else:
            self.node.send_if_due()

    def _on_path(self, message: Path) -> None:
        target = self.node.read('predicted_path', self._target, message)
        if target is not None:
            self._replanner.set_target(target, time.monotonic())
        elif self.node.active:
            self._replanner.drop_target()

    def _target(self, path: Path) -> Target:
        """Return the step of the path at which a command given now has effect, or the last."""
        if not path.poses:
            raise samples.BadMessage('predicted_path has no poses')
        begin_ns = self._begin_ns = samples.stamp_ns(path.header)
        wanted_ns = begin_ns + round(1e9 * self._given) if self._given else \
            max(self._effect_ns, begin_ns + LEAST_HORIZON_NS)
        stamps = [samples.stamp_ns(pose.header) for pose in path.poses]
        index = min(int(np.searchsorted(stamps, wanted_ns)), len(stamps) - 1)
        return Target(stamps[index], np.array(samples.read_pose(path.poses[index].pose)))


class FollowPath(Mode):
    """Follows a plan from the predicted pose."""

    def __init__(self, node: Any, inputs: dict[str, health.Input]) -> None:
        """Hear plans as well."""
        inputs['plan'] = health.Input('plan', (Path,), _PLANS)
        super().__init__(node, inputs)
        self._frames = Frames(node)
        self._frame_ids = ('', '')  # of the odometry, of the plan
        self._pursuit = Pursuit(parameters.read(node, PursuitConfig), self.law())
        self.follower = Follower(self.config, self._pursuit, self.caution)
        node.hear(Path, 'plan', self._on_plan, _PLANS)

    def law(self) -> Law | None:
        """Return how to steer; None is pure pursuit."""
        return None

    def start(self) -> None:
        """Start without a plan."""
        super().start()
        self.follower.reset()
        self._frame_ids = (self._frame_ids[0], '')

    def retune(self, configs: dict[type, Any]) -> None:
        """Take other limits, gains and ages while driving."""
        super().retune(configs)
        self._pursuit.config = configs[PursuitConfig]
        self.follower.retune(self.config)

    def output(self, steady: float) -> Output:
        """Return the command that follows the plan."""
        odometry, plan = self._frame_ids
        if plan and odometry:
            try:
                self.follower.set_frame(self._frames.pose(odometry, plan))
            except FrameError as error:
                self.follower.set_frame(None, str(error))
        return self.follower.output(steady)

    def level(self, reason: str) -> Any:
        """Return how bad it is to do something for a reason."""
        if reason.endswith((UNPREDICTED, CONTRADICTED)):
            return health.WARN
        return super().level(reason)

    def take_odometry(self, odometry: samples.Odometry) -> None:
        """Take where the robot is."""
        self.follower.set_odometry(odometry, time.monotonic())

    def take_pose(self, target: Target) -> None:
        """Take where the robot will be when it obeys."""
        self.follower.set_target(target, time.monotonic())

    def drop_pose(self) -> None:
        """Steer by the odometry until the next prediction."""
        self.follower.drop_target()

    def turn_back(self) -> None:
        """Forget the transforms: tf2 would give back the newest, which are of a later time."""
        self._frames.forget()

    def _on_odometry(self, message: Odometry) -> None:
        self._frame_ids = (message.header.frame_id, self._frame_ids[1])
        super()._on_odometry(message)

    def _on_plan(self, message: Path) -> None:
        plan = self.node.read('plan', _read_plan, message)
        if plan is not None:
            self._frame_ids = (self._frame_ids[0], message.header.frame_id)
            self.follower.follow(plan)
        elif self.node.active:
            self.follower.refuse(f'the newest plan is refused: {self.inputs["plan"].reason}')


def _read_plan(message: Path) -> Plan:
    if not message.header.frame_id:
        raise samples.BadMessage('the plan has no frame_id')
    return Plan(samples.read_plan(message))


def _read_target(message: PoseWithCovarianceStamped) -> Target:
    return Target(samples.stamp_ns(message.header),
                  np.array(samples.read_pose(message.pose.pose)))


def mode_of(name: str) -> type[Mode]:
    """Return a mode by its name; torch is imported for the one that plans with the model."""
    if name == 'compensate':
        return Compensate
    if name == 'follow_path':
        return FollowPath
    if name == 'mppi':
        try:
            from lstm_predictor.nodes.planning import PlanWithModel
        except ModuleNotFoundError as error:
            raise ValueError(missing(error, 'mode mppi')) from None
        return PlanWithModel
    raise ValueError(f'mode must be compensate, follow_path or mppi, is {name!r}')
