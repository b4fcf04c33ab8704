"""
The testbed: simulator and nodes as processes, with every topic between them relayed here.

The readings of the robot, the predictions and the commands pass through this process, where a
fault can corrupt, delay or drop them. It also publishes the upstream commands, and observes the
commands to the robot, its motion and the diagnostics.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
import math
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray

from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped, TwistStamped

from fault_injection.finite import first_not_finite
from fault_injection.observations import Observations
from lstm_predictor.control.status import ReplannerStatus as Status
from lstm_predictor.nodes.conversions import set_pose, time_message
from lstm_predictor.nodes.session import Session
from lstm_predictor.nodes.subprocesses import Nodes

from nav_msgs.msg import Odometry, Path

import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy

from rosgraph_msgs.msg import Clock

from sensor_msgs.msg import Imu

RATE = 20.0  # of the source [Hz]
LIMITS = {'max_velocity': [0.22, 0.0, 2.84], 'min_velocity': [-0.22, 0.0, -2.84],
          'max_accel': [1.0, 0.0, 4.0]}
BEFORE = (0.22, 0.5)  # request of the source until a fault begins [m/s], [rad/s]
AFTER = (0.11, -0.6)  # and from then on, which differs from any old command
_BEHIND = 'cmd_vel_robot'  # topic of the robot where commands are relayed here
_DECEL = [-1.0, 0.0, -4.0]
_WIRES = {'odom': Odometry, 'imu': Imu, 'predicted_path': Path,
          'predicted_pose': PoseWithCovarianceStamped}
# What the replanner may do with upstream commands, and when it needs a plan.
_UPSTREAM = (Status.CORRECTED, Status.UNCORRECTED, Status.PREDICTION_DISAGREES,
             Status.ZERO_REQUESTED, Status.OVERRIDDEN, Status.NOT_EXECUTED)
_WITHOUT_PLAN = (Status.NO_PLAN, Status.CANCELLED, Status.NO_PLAN_TO_CANCEL, Status.AT_GOAL,
                 Status.NO_PROGRESS)
_QOS = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
_NODES: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    'sim': (('odom:=odom_raw', 'imu:=imu_raw'), {
        'odom_rate': 20.0, 'imu_rate': 50.0, 'command_delay': 0.1, 'motor_lag': 0.1}),
    'predictor': (('predicted_path:=predicted_path_raw', 'predicted_pose:=predicted_pose_raw'),
                  {'diagnostics_period': 0.2}),
    'replanner': (('cmd_vel:=cmd_vel_replanned',), {
        'diagnostics_period': 0.2, **LIMITS, 'max_decel': _DECEL}),
    'command_guard': (('cmd_vel_in:=cmd_vel_replanned',), {'diagnostics_period': 0.2, **LIMITS}),
}

Change = Callable[[Any], Iterable[Any]]  # of a message into those that are sent in its place


@dataclass(frozen=True)
class Setting:
    """What a testbed is set up with; faults of the same one share it."""

    sim_time: bool = False  # the nodes take the time from /clock
    clock: bool = True  # /clock is published
    mode: str = 'compensate'  # of the replanner
    parameters: tuple[tuple[str, str, Any], ...] = ()  # node, name, value
    full_disk: bool = False  # no file of the nodes can grow
    factor: float = 1.0  # simulated seconds per second; the simulation publishes /clock then
    # Commands pass through here on their way to the robot: on a 'topic' that the nodes can see, or
    # 'unseen', as in a driver.
    behind: str = ''


@dataclass
class Wires:
    """Changes of the messages on their way, by topic; set by a fault, cleared at its end."""

    changes: dict[str, Change] = field(default_factory=dict)
    shift_ns: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # of stamps


class Testbed:
    """Relays all topics, drives the robot and applies the faults."""

    def __init__(self, session: Session, nodes: Nodes, setting: Setting) -> None:
        """Open the wires and start the nodes."""
        self.setting, self.nodes, self._session = setting, nodes, session
        self.node = session.node
        self.wires = Wires()
        self.close: Callable[[], object] = lambda: None
        self.observations = Observations()
        self.command: tuple[float, float] | None = BEFORE  # of the source; None: no command
        self.clock_runs = setting.clock
        self.clock_ns = 0  # added to the time of /clock and to every stamp
        self.moved = 0.0  # added to the odometry's x [m]
        self._fast = setting.factor != 1.0
        self._base_ns = time.time_ns() - 100_000_000_000 \
            if setting.sim_time and not self._fast else 0
        self._simulated_ns = 0  # stamp of the newest reading, as the simulation made it
        self._out = {topic: self.node.create_publisher(kind, topic, 100)
                     for topic, kind in _WIRES.items()}
        self._source = self.node.create_publisher(TwistStamped, 'cmd_vel_in', 10)
        self._plan = self.node.create_publisher(Path, 'plan', 10)
        self._to_robot = self._robot_publisher(setting.behind)
        self._clock = self.node.create_publisher(Clock, '/clock', 10) \
            if setting.sim_time and setting.clock and not self._fast else None
        for topic, kind in _WIRES.items():
            self._subscribe(kind, f'{topic}_raw', lambda message, topic=topic: self._forward(
                topic, message))
        self._subscribe(TwistStamped, 'cmd_vel', self._on_command)
        self._subscribe(Odometry, 'ground_truth', self._on_truth)
        self._subscribe(Odometry, 'predicted_odom',
                        lambda message: self._check_finite('predicted_odom', message))
        self._subscribe(DiagnosticArray, '/diagnostics', self._on_diagnostics)
        self._next_at = time.monotonic()
        for name in _NODES:
            self.start(name)

    def start(self, name: str) -> None:
        """Start one of the nodes."""
        renamed, parameters = _NODES[name]
        more: dict[str, Any] = {key: value for node, key, value in self.setting.parameters
                                if node == name}
        if name == 'sim' and self._fast:
            more.update(real_time_factor=self.setting.factor, publish_clock=True)
        if name == 'sim' and self.setting.behind:
            renamed = (*renamed, f'cmd_vel:={_BEHIND}')
        if name == 'replanner':
            more.setdefault('mode', self.setting.mode)
        if name != 'sim':
            more['use_sim_time'] = self.setting.sim_time
        self.nodes.start(name, *renamed, full_disk=self.setting.full_disk and name != 'sim',
                         **{**parameters, **more})

    def wait(self, seconds: float) -> None:
        """Run for a time [s]."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn()

    def wait_for(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Run until a condition holds; return whether it does in time."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            self.turn()
        return True

    def drives(self) -> bool:
        """Return whether the robot moves as requested, corrected by a prediction."""
        observed = self.observations
        ways = (Status.CORRECTED, Status.FOLLOWING) if self.setting.clock else _UPSTREAM
        return observed.is_in('replanner: replanning', *ways) and bool(observed.commands) and \
            abs(observed.commands[-1][1] - BEFORE[0]) < 0.35 * BEFORE[0]

    def now_ns(self) -> int:
        """Return the time on the clock of the stamps [ns]."""
        return self._simulated_ns if self._fast else \
            time.time_ns() - self._base_ns + self.clock_ns

    def follow(self, message: Path) -> None:
        """Publish a path."""
        self._plan.publish(message)

    def follow_on(self) -> None:
        """Publish a path straight ahead if the replanner has none."""
        if self.setting.mode != 'compensate' and self.observations.is_in(
                'replanner: replanning', *_WITHOUT_PLAN):
            self.follow(self.straight_on(5.0))
            self.wait(0.5)

    def straight_on(self, length: float) -> Path:
        """Return a path straight ahead from the pose of the robot."""
        x, y, yaw = self.observations.odometry
        plan = Path()
        plan.header.frame_id = 'odom'
        for along in range(round(length / 0.05) + 1):
            pose = PoseStamped()
            set_pose(pose.pose, x + 0.05 * along * math.cos(yaw),
                     y + 0.05 * along * math.sin(yaw), yaw)
            plan.poses.append(pose)
        return plan

    def _subscribe(self, kind: type, topic: str, callback: Callable[[Any], None]) -> None:
        self.node.create_subscription(kind, topic, callback, _QOS)

    def turn(self) -> None:
        """Handle the messages received and publish what is due."""
        now = time.monotonic()
        self._session.wait(min(0.01, self._next_at - now))
        now = time.monotonic()
        self.observations.awake.append(now)
        if self.clock_runs:
            self.publish_time(self.now_ns())
        if now >= self._next_at:
            period = 1.0 / (RATE * self.setting.factor)
            self._next_at = max(self._next_at + period, now - period)
            self.publish_command()

    def publish_time(self, time_ns: int) -> None:
        """Publish a time [ns] on /clock, where there is one."""
        if self._clock is not None:
            self._clock.publish(Clock(clock=time_message(time_ns)))

    def publish_command(self) -> None:
        """Publish the command of the source, if it has one."""
        if self.command is None or self.setting.mode != 'compensate':
            return
        message = TwistStamped()
        message.header.stamp = time_message(self.now_ns())
        message.twist.linear.x, message.twist.angular.z = self.command
        for sent in self.wires.changes.get('cmd_vel_in', _same)(message):
            self._source.publish(sent)
        if all(map(math.isfinite, self.command)):
            self.observations.requested.append((time.monotonic(), *self.command))

    def _forward(self, topic: str, message: Any) -> None:
        if topic.startswith('predicted'):
            self._check_finite(topic, message)
            self.observations.predictions += topic == 'predicted_path'
        else:
            stamp = message.header.stamp
            self._simulated_ns = 1_000_000_000 * stamp.sec + stamp.nanosec
            stamp_ns = self._simulated_ns - self._base_ns
            message.header.stamp = time_message(
                stamp_ns + self.clock_ns + self.wires.shift_ns[topic])
        if topic == 'odom':
            message.pose.pose.position.x += self.moved
            self.observations.take_odometry(message)
        for sent in self.wires.changes.get(topic, _same)(message):
            self._out[topic].publish(sent)
            if topic == 'odom':
                self.observations.odometry_at.append(time.monotonic())

    def _check_finite(self, topic: str, message: Any) -> None:
        where = first_not_finite(message)
        if where:
            self.observations.not_finite.append((time.monotonic(), f'{topic}: {where}'))

    def _on_command(self, message: TwistStamped) -> None:
        self._check_finite('cmd_vel', message)
        twist = message.twist
        self.observations.commands.append((time.monotonic(), twist.linear.x, twist.angular.z))

        if self._to_robot is not None:
            for sent in self.wires.changes.get('cmd_vel', _same)(message):
                self._to_robot.publish(sent)

    def _robot_publisher(self, behind: str) -> Any:
        """Return what publishes the commands as the robot gets them, where they pass here."""
        if not behind:
            return None
        node = self.node
        if behind == 'unseen':  # by another node than the one that subscribes to them
            context = rclpy.Context()
            rclpy.init(context=context)
            node = rclpy.create_node('driver', context=context)
            self.close = lambda: (node.destroy_node(), context.try_shutdown())
        return node.create_publisher(TwistStamped, _BEHIND, 10)

    def _on_truth(self, message: Odometry) -> None:
        position = message.pose.pose.position
        now, twist = time.monotonic(), message.twist.twist
        self.observations.truth.append((now, position.x, position.y))
        self.observations.moved.append((now, twist.linear.x, twist.angular.z))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.observations.take_diagnostics(time.monotonic(), message)


def _same(message: Any) -> list[Any]:
    return [message]
