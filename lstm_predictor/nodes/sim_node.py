"""The sim node: a TurtleBot3 in MuJoCo with the topics, frames and rates of turtlebot3_gazebo."""

from dataclasses import dataclass
import time
from typing import Any

from geometry_msgs.msg import TransformStamped, Twist, TwistStamped

from lstm_predictor.common import readings
from lstm_predictor.common.checks import (
    require_not_negative, require_one_of, require_positive, require_text)
from lstm_predictor.nodes import parameters
from lstm_predictor.nodes.conversions import set_pose, time_message
from lstm_predictor.nodes.executor import run
from lstm_predictor.nodes.lifecycle_node import ManagedNode
from lstm_predictor.nodes.velocity_commands import BEST_EFFORT
from lstm_predictor.simulation.robot import Robot, TippedOver
from lstm_predictor.simulation.robot_config import RobotConfig
from lstm_predictor.simulation.sensor_readings import ImuReading, JointReading

from nav_msgs.msg import Odometry

from rosgraph_msgs.msg import Clock as ClockMessage

from sensor_msgs.msg import Imu, JointState

_TICK = 0.005  # wall time between two looks at the robot [s]
_MOST_BEHIND = 0.1  # wall time that is caught up at once; more is lost, as on a slow machine [s]
_JOINTS = ['wheel_left_joint', 'wheel_right_joint']


@dataclass(frozen=True)
class SimNodeConfig:
    """What the node needs to know beside the robot itself."""

    autostart: bool = True  # configure and activate on start-up
    seed: int = 0  # of noise and slippery patches
    publish_clock: bool = False  # publish /clock; stamps then start at zero
    real_time_factor: float = 1.0  # simulated seconds per second
    cmd_vel_type: str = 'TwistStamped'  # or Twist, as the robot's own driver before Jazzy
    odom_frame: str = 'odom'  # of the odometry
    base_frame: str = 'base_footprint'  # child of odometry, transform and ground truth
    imu_frame: str = 'imu_link'

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        require_not_negative(self, 'seed')
        require_positive(self, 'real_time_factor')
        require_one_of(self, ('Twist', 'TwistStamped'), 'cmd_vel_type')
        require_text(self, 'odom_frame', 'base_frame', 'imu_frame')
        if self.real_time_factor != 1.0 and not self.publish_clock:
            raise ValueError(
                f'real_time_factor is {self.real_time_factor}: only with publish_clock can the '
                f'other nodes follow (use_sim_time:=true of simulation.launch.py)')


class SimNode(ManagedNode):
    """Lets simulated time pass and publishes what the robot reads."""

    def __init__(self, **options: Any) -> None:
        """Declare the parameters; ValueError names one that is wrong."""
        super().__init__('sim', **options)
        parameters.declare(self, SimNodeConfig, RobotConfig)

    def configure(self) -> None:
        """Build the robot and open the topics."""
        self._config = parameters.read(self, SimNodeConfig)
        self._robot = Robot(parameters.read(self, RobotConfig), self._config.seed)
        self._readings = {
            readings.Odometry: (self.publish_on(Odometry, 'odom'), odometry_message),
            ImuReading: (self.publish_on(Imu, 'imu', 50), imu_message),
            JointReading: (self.publish_on(JointState, 'joint_states'), joint_message)}
        self._truth = self.publish_on(Odometry, 'ground_truth')
        self._clock_topic = \
            self.publish_on(ClockMessage, '/clock') if self._config.publish_clock else None
        self._transforms = _transform_publisher(self)
        command = Twist if self._config.cmd_vel_type == 'Twist' else TwistStamped
        self.subscribe(command, 'cmd_vel', self._on_command, BEST_EFFORT)
        self.add_timer(_TICK, self._tick)

    def start(self) -> None:
        """Put the robot at the origin and start the clock."""
        self._robot.reset()
        # A stamp of zero means that it was not set, so simulated time starts after it.
        self._origin_ns = 1_000_000_000 if self._config.publish_clock else time.time_ns()
        self._started = time.monotonic()

    def _on_command(self, message: Any) -> None:
        try:
            command = readings.read_command(message, receive_ns=1)
        except readings.InvalidMessage as error:
            self.get_logger().warning(f'cmd_vel rejected: {error}', throttle_duration_sec=1.0)
            return
        self._robot.command(command.speed, command.yaw_rate)

    def _tick(self) -> None:
        if not self.active:
            return
        factor = self._config.real_time_factor
        passed = time.monotonic() - self._started
        behind = passed - 1e-9 * self._robot.time_ns / factor
        if behind > _MOST_BEHIND:
            self._started += behind - _MOST_BEHIND
            passed -= behind - _MOST_BEHIND
        until_ns = max(self._robot.time_ns, round(1e9 * passed * factor))
        try:
            measured = self._robot.advance(until_ns)
        except TippedOver as error:
            self.get_logger().error(f'{error}; it starts again at the origin')
            self.start()
            return
        if self._clock_topic is not None:
            self._clock_topic.publish(ClockMessage(clock=time_message(self._origin_ns + until_ns)))
        odometry = None
        for reading in measured:
            publisher, convert = self._readings[type(reading)]
            message = convert(reading, self._origin_ns)
            if isinstance(reading, readings.Odometry):
                message.header.frame_id = self._config.odom_frame
                message.child_frame_id = self._config.base_frame
                odometry = message
            elif isinstance(reading, ImuReading):
                message.header.frame_id = self._config.imu_frame
            publisher.publish(message)
        if odometry is not None:
            self._publish_truth(odometry)

    def _publish_truth(self, odometry: Odometry) -> None:
        truth = self._robot.ground_truth()
        message = Odometry()
        message.header.stamp = time_message(self._origin_ns + truth.stamp_ns)
        message.header.frame_id = 'world'
        message.child_frame_id = odometry.child_frame_id
        set_pose(message.pose.pose, truth.x, truth.y, truth.yaw)
        message.twist.twist.linear.x = truth.speed
        message.twist.twist.linear.y = truth.lateral_speed
        message.twist.twist.angular.z = truth.yaw_rate
        self._truth.publish(message)
        if self._transforms is not None:
            self._transforms.publish(_transforms_message(odometry))


def odometry_message(reading: readings.Odometry, origin_ns: int) -> Odometry:
    """Return the odometry as the robot's driver publishes it; covariances of zero mean unknown."""
    message = Odometry()
    message.header.stamp = time_message(origin_ns + reading.stamp_ns)
    set_pose(message.pose.pose, reading.x, reading.y, reading.yaw)
    message.twist.twist.linear.x = reading.speed
    message.twist.twist.angular.z = reading.yaw_rate
    return message


def imu_message(reading: ImuReading, origin_ns: int) -> Imu:
    """Return the inertial reading."""
    message = Imu()
    message.header.stamp = time_message(origin_ns + reading.stamp_ns)
    o, rate, acceleration = (
        message.orientation, message.angular_velocity, message.linear_acceleration)
    o.x, o.y, o.z, o.w = reading.orientation
    rate.x, rate.y, rate.z = reading.angular_velocity
    acceleration.x, acceleration.y, acceleration.z = reading.linear_acceleration
    return message


def joint_message(reading: JointReading, origin_ns: int) -> JointState:
    """Return both wheels."""
    message = JointState(
        name=_JOINTS, position=list(reading.angles), velocity=list(reading.speeds))
    message.header.stamp = time_message(origin_ns + reading.stamp_ns)
    return message


def _transform_publisher(node: ManagedNode) -> Any:
    """Return a publisher on /tf, or None where tf2_msgs is not installed."""
    try:
        from tf2_msgs.msg import TFMessage
    except ImportError:
        return None
    return node.publish_on(TFMessage, '/tf', 100)


def _transforms_message(odometry: Odometry) -> Any:
    from tf2_msgs.msg import TFMessage
    transform = TransformStamped(header=odometry.header, child_frame_id=odometry.child_frame_id)
    position = odometry.pose.pose.position
    transform.transform.translation.x, transform.transform.translation.y = position.x, position.y
    transform.transform.rotation = odometry.pose.pose.orientation
    return TFMessage(transforms=[transform])


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(SimNode, args)
