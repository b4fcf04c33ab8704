"""The mode that follows a path from the predicted pose."""

import time
from typing import Any

from lstm_predictor.common import readings
from lstm_predictor.control.compensator import Target
from lstm_predictor.control.path_follower import PathFollower
from lstm_predictor.control.plan import Plan
from lstm_predictor.control.regulated_pure_pursuit import Law, Pursuit, PursuitConfig
from lstm_predictor.control.status import Output
from lstm_predictor.nodes import parameters
from lstm_predictor.nodes.modes.base import Mode
from lstm_predictor.nodes.monitored_node import MonitoredNode
from lstm_predictor.nodes.transforms import frame_name, FrameError, Frames

from nav_msgs.msg import Path

from rclpy.qos import QoSProfile

_PLANS = QoSProfile(depth=10)


class FollowPathMode(Mode):
    """Follows a plan, by pure pursuit from the predicted pose where no other law is given."""

    def __init__(self, node: MonitoredNode, law: Law | None = None) -> None:
        """Subscribe to plans as well; a `law` of its own predicts the motion itself."""
        self._plan_input = node.add_input('plan', (Path,), qos=_PLANS)
        super().__init__(node)
        self._transforms = Frames(node)
        self._plan_frame = ''
        self._pursuit = Pursuit(parameters.read(node, PursuitConfig), law)
        self._follower = PathFollower(
            self.config, self._pursuit, self.caution, uses_prediction=law is None)
        node.subscribe(Path, 'plan', self._on_plan, _PLANS)

    def start(self) -> None:
        """Start without a plan."""
        super().start()
        self._follower.reset()
        self._plan_frame = ''

    def retune(self, configs: dict[type, Any]) -> None:
        """Take other limits, gains and ages while driving."""
        super().retune(configs)
        self._pursuit.config = configs[PursuitConfig]
        self._follower.retune(self.config)

    def output(self, steady: float) -> Output:
        """Return the command that follows the plan."""
        frame = frame_name(self.frame)
        if self._plan_frame and frame:
            try:
                self._follower.set_frame(self._transforms.pose(frame, self._plan_frame))
            except FrameError as error:
                self._follower.set_frame(None, str(error))
        return self._follower.output(steady)

    def take_odometry(self, odometry: readings.Odometry, newer_waits: bool) -> None:
        """Take where the robot is."""
        self._follower.set_odometry(odometry, time.monotonic())

    def take_pose(self, target: Target) -> None:
        """Take where the robot will be when a command given now takes effect."""
        self._follower.set_target(target, time.monotonic())

    def drop_pose(self) -> None:
        """Steer by the odometry until the next prediction."""
        self._follower.drop_target()

    def handle_time_jump(self) -> None:
        """Forget the transforms: tf2 would give back the newest, which are of a later time."""
        self._transforms.forget()

    def _on_plan(self, message: Path) -> None:
        with self._plan_input.parsing():
            if not message.poses:  # the planner's way to cancel
                self._plan_frame = ''
                self._follower.cancel()
                return
            plan_frame = frame_name(message.header.frame_id)
            if not plan_frame:
                raise readings.InvalidMessage('the plan has no frame_id')
            self._follower.follow(Plan(readings.read_plan(message)))
            self._plan_frame = plan_frame
            return
        self._follower.reject(self._plan_input.reason)
