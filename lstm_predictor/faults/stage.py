"""
The whole chain as processes, with this process in every wire of it.

The simulated robot's readings, the predictions and the commands pass through here, where a fault
can spoil, delay or drop them; what the robot is told and does is written down. The source of the
commands is here as well.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
import math
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray

from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped, TwistStamped

from lstm_predictor.cli.processes import Nodes
from lstm_predictor.cli.session import Session
from lstm_predictor.faults.finite import first_not_finite
from lstm_predictor.faults.record import Record
from lstm_predictor.nodes.messages import set_pose, time_message

from nav_msgs.msg import Odometry, Path

from rclpy.qos import QoSProfile, ReliabilityPolicy

from rosgraph_msgs.msg import Clock

from sensor_msgs.msg import Imu

RATE = 20.0  # of the source [Hz]
LIMITS = {'max_velocity': [0.22, 0.0, 2.84], 'min_velocity': [-0.22, 0.0, -2.84],
          'max_accel': [1.0, 0.0, 4.0]}
BEFORE = (0.22, 0.5)  # that the source asks for until a fault begins [m/s], [rad/s]
AFTER = (0.11, -0.6)  # and from then on, which an old command cannot be mistaken for
_DECEL = [-1.0, 0.0, -4.0]
_WIRES = {'odom': Odometry, 'imu': Imu, 'predicted_path': Path,
          'predicted_pose': PoseWithCovarianceStamped}
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
    """What a stage is set up with; faults of the same one share it."""

    sim_time: bool = False  # the nodes take the time from /clock
    clock: bool = True  # which somebody publishes
    mode: str = 'compensate'  # of the replanner
    parameters: tuple[tuple[str, str, Any], ...] = ()  # node, name, value
    full_disk: bool = False  # no file of the nodes can grow
    factor: float = 1.0  # simulated seconds per second; the simulation publishes /clock then


@dataclass
class Wires:
    """What happens to messages on their way, by topic; a fault fills it, its end empties it."""

    changes: dict[str, Change] = field(default_factory=dict)
    shift_ns: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # of stamps


class Stage:
    """Drives, listens and lets faults happen."""

    def __init__(self, session: Session, nodes: Nodes, setting: Setting) -> None:
        """Open the wires and start the nodes."""
        self.setting, self.nodes, self._session = setting, nodes, session
        self.node = session.node
        self.wires = Wires()
        self.record = Record()
        self.command: tuple[float, float] | None = BEFORE  # of the source; None: silence
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
        self._clock = self.node.create_publisher(Clock, '/clock', 10) \
            if setting.sim_time and setting.clock and not self._fast else None
        for topic, kind in _WIRES.items():
            self._hear(kind, f'{topic}_raw', lambda message, topic=topic: self._pass(
                topic, message))
        self._hear(TwistStamped, 'cmd_vel', self._on_command)
        self._hear(Odometry, 'ground_truth', self._on_truth)
        self._hear(Odometry, 'predicted_odom',
                   lambda message: self._look('predicted_odom', message))
        self._hear(DiagnosticArray, '/diagnostics', self._on_diagnostics)
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
        if name == 'replanner':
            more.setdefault('mode', self.setting.mode)
        if name != 'sim':
            more['use_sim_time'] = self.setting.sim_time
        self.nodes.start(name, *renamed, full_disk=self.setting.full_disk and name != 'sim',
                         **{**parameters, **more})

    def wait(self, seconds: float) -> None:
        """Let the robot drive for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn()

    def wait_for(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Let the robot drive until something is true; return whether it is in time."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            self.turn()
        return True

    def drives(self) -> bool:
        """Return whether the robot does what the source asks, corrected by a prediction."""
        record = self.record
        ways = ('corrected', 'following') if self.setting.clock else ('corrected', 'limited')
        return record.says('replanner: replanning', *ways) and bool(record.commands) and \
            abs(record.commands[-1][1] - BEFORE[0]) < 0.35 * BEFORE[0]

    def now_ns(self) -> int:
        """Return the time that stamps are of [ns]."""
        return self._simulated_ns if self._fast else \
            time.time_ns() - self._base_ns + self.clock_ns

    def follow(self, message: Path) -> None:
        """Send a plan."""
        self._plan.publish(message)

    def follow_on(self) -> None:
        """Send a plan that leads straight on where the replanner has none."""
        if self.setting.mode == 'follow_path' and self.record.says(
                'replanner: replanning', 'idle', 'at the goal', 'stopped: no progress'):
            self.follow(self.straight_on(5.0))
            self.wait(0.5)

    def straight_on(self, length: float) -> Path:
        """Return a plan that leads straight on from where the robot is."""
        x, y, yaw = self.record.odometry
        plan = Path()
        plan.header.frame_id = 'odom'
        for along in range(round(length / 0.05) + 1):
            pose = PoseStamped()
            set_pose(pose.pose, x + 0.05 * along * math.cos(yaw),
                     y + 0.05 * along * math.sin(yaw), yaw)
            plan.poses.append(pose)
        return plan

    def _hear(self, kind: type, topic: str, callback: Callable[[Any], None]) -> None:
        self.node.create_subscription(kind, topic, callback, _QOS)

    def turn(self) -> None:
        """Handle what has come and send what is due."""
        now = time.monotonic()
        self._session.wait(min(0.01, self._next_at - now))
        now = time.monotonic()
        self.record.awake.append(now)
        if self.clock_runs:
            self.say_time(self.now_ns())
        if now >= self._next_at:
            period = 1.0 / (RATE * self.setting.factor)
            self._next_at = max(self._next_at + period, now - period)
            self.ask()

    def say_time(self, time_ns: int) -> None:
        """Publish a time [ns] on /clock, where there is one."""
        if self._clock is not None:
            self._clock.publish(Clock(clock=time_message(time_ns)))

    def ask(self) -> None:
        """Send the source's command, where it has one."""
        if self.command is None or self.setting.mode != 'compensate':
            return
        message = TwistStamped()
        message.header.stamp = time_message(self.now_ns())
        message.twist.linear.x, message.twist.angular.z = self.command
        for sent in self.wires.changes.get('cmd_vel_in', _same)(message):
            self._source.publish(sent)
        if all(map(math.isfinite, self.command)):
            self.record.asked.append((time.monotonic(), *self.command))

    def _pass(self, topic: str, message: Any) -> None:
        if topic.startswith('predicted'):
            self._look(topic, message)
            self.record.predictions += topic == 'predicted_path'
        else:
            stamp = message.header.stamp
            self._simulated_ns = 1_000_000_000 * stamp.sec + stamp.nanosec
            stamp_ns = self._simulated_ns - self._base_ns
            message.header.stamp = time_message(
                stamp_ns + self.clock_ns + self.wires.shift_ns[topic])
        if topic == 'odom':
            message.pose.pose.position.x += self.moved
            self.record.take_odometry(message)
        for sent in self.wires.changes.get(topic, _same)(message):
            self._out[topic].publish(sent)
            if topic == 'odom':
                self.record.odometry_at.append(time.monotonic())

    def _look(self, topic: str, message: Any) -> None:
        where = first_not_finite(message)
        if where:
            self.record.not_finite.append((time.monotonic(), f'{topic}: {where}'))

    def _on_command(self, message: TwistStamped) -> None:
        self._look('cmd_vel', message)
        twist = message.twist
        self.record.commands.append((time.monotonic(), twist.linear.x, twist.angular.z))

    def _on_truth(self, message: Odometry) -> None:
        position = message.pose.pose.position
        self.record.truth.append((time.monotonic(), position.x, position.y))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.record.take_diagnostics(time.monotonic(), message)


def _same(message: Any) -> list[Any]:
    return [message]
