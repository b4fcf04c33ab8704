"""The replanner node: a source's command or a plan in, the command for the robot out."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus

from lstm_predictor.common.checks import require_not_negative, require_positive
from lstm_predictor.common.metrics import shown
from lstm_predictor.common.readings import Command, InvalidMessage, read_command
from lstm_predictor.control.command_delivery import Delivery
from lstm_predictor.control.compensator import ReplannerConfig
from lstm_predictor.control.mppi import MppiConfig
from lstm_predictor.control.override_detection import GuardedGains, Override
from lstm_predictor.control.regulated_pure_pursuit import PursuitConfig
from lstm_predictor.control.speed_scaling import SpeedScalingConfig
from lstm_predictor.control.status import Output, ReplannerStatus
from lstm_predictor.nodes import diagnostics, parameters
from lstm_predictor.nodes.executor import run
from lstm_predictor.nodes.markers import command_markers, Markers
from lstm_predictor.nodes.modes.base import Mode
from lstm_predictor.nodes.modes.compensate import CompensateMode
from lstm_predictor.nodes.modes.follow_path import FollowPathMode
from lstm_predictor.nodes.monitored_node import MonitoredNode
from lstm_predictor.nodes.robot_command import RobotCommand
from lstm_predictor.nodes.velocity_commands import check_distinct_topics, CommandPublisher
from lstm_predictor.optional_dependencies import missing


@dataclass(frozen=True)
class ReplannerNodeConfig:
    """What the node needs to know beside the replanner itself."""

    autostart: bool = True  # configure and activate on start-up
    mode: str = 'compensate'  # compensate, follow_path or mppi
    model_path: str = ''  # for mppi: TorchScript archive; empty: the package's default model
    model_sha256: str = ''  # for mppi: the only accepted hash; empty: any
    # For mppi: accept a file without a hash that any user can change.
    allow_writable_model: bool = False
    control_frequency: float = 20.0  # lowest rate of commands and of the watchdog [Hz]
    # Step of the predicted path that is corrected; 0: the one at which a command given now takes
    # effect, 0.5 s at least [s].
    correction_horizon: float = 0.0
    # Topic of the final command to the robot, behind all nodes in between; empty: found from the
    # nodes that pass commands on.
    robot_command_topic: str = ''
    diagnostics_period: float = 1.0  # between two messages on /diagnostics [s]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        require_not_negative(self, 'correction_horizon')
        require_positive(self, 'control_frequency', 'diagnostics_period')


TYPES = (ReplannerNodeConfig, ReplannerConfig, SpeedScalingConfig, PursuitConfig, MppiConfig)
# Parameters that can be changed while driving.
LIVE = parameters.names(ReplannerConfig, SpeedScalingConfig, PursuitConfig) - {'max_input_delay'}


class ReplannerNode(MonitoredNode):
    """Publishes the commands of its mode."""

    work = 'replanning'

    def __init__(self, **options: Any) -> None:
        """Declare the parameters; ValueError names one that is wrong."""
        super().__init__('replanner', **options)
        parameters.declare(self, *TYPES)
        parameters.watch(self, TYPES, LIVE, lambda configs: self._mode.retune(configs))

    def configure(self) -> None:
        """Read the parameters and open the topics."""
        check_distinct_topics(self)
        self._config = parameters.read(self, ReplannerNodeConfig)
        self._period = 1.0 / self._config.control_frequency  # [s]
        for config in (PursuitConfig, MppiConfig):  # wrong is wrong in every mode
            parameters.read(self, config)
        self._mode = make_mode(self._config.mode, self, self._on_upstream)
        self._command = CommandPublisher(self, 'cmd_vel')
        self.add_cleanup(self._command.destroy)
        self._robot = RobotCommand(
            self, self.resolve_topic_name('cmd_vel'), self._config.robot_command_topic,
            {self.resolve_topic_name('cmd_vel_in')}, self.while_active(self._on_robot_command))
        self.add_cleanup(self._robot.destroy)
        self._mode.delivery.trusted = bool(self._config.robot_command_topic)
        self._markers = Markers(self, 'command_markers')
        self.add_timer(self._period, self._send_if_due)
        self.report_every(self._config.diagnostics_period)

    def start(self) -> None:
        """Start idle."""
        super().start()
        self._mode.start()
        self._last = Output(0.0, 0.0, ReplannerStatus.IDLE)
        self._sent_at = 0.0  # [s] steady
        self._seconds = 0.0  # what the last command took
        source = 'cmd_vel_in' if self._config.mode == 'compensate' else 'plan'
        self.get_logger().info(f'active in mode {self._config.mode}, waiting for '
                               f'{self.resolve_topic_name(source)}')

    def stop(self) -> None:
        """Stop the robot where this node drove it: no other node does."""
        if self._last.status.is_requested:
            self._command.stop()

    def _on_upstream(self, command: Command) -> None:
        """Answer a command that was received: a stop at once."""
        if command.speed == 0.0 and command.yaw_rate == 0.0:
            self._send()
        else:
            self._send_if_due()

    def _send_if_due(self) -> None:
        # Half a period: an upstream of the same rate is answered at once, not by the timer.
        if self.active and time.monotonic() - self._sent_at > 0.5 * self._period:
            self._send()

    def _send(self) -> None:
        """Publish the command for now; nothing before the first request."""
        self._sent_at = time.monotonic()
        self._mode.caution.expire(self._sent_at, self._mode.config.prediction_timeout)
        self._last = self._mode.output(self._sent_at)
        self._seconds = time.monotonic() - self._sent_at
        if self._last.status.is_requested:
            self._command.publish(self._last.speed, self._last.yaw_rate)
            self._mode.delivery.send(self._last.speed, self._last.yaw_rate, self._sent_at)
            self._markers.show(self._arrows)

    def _arrows(self) -> list[Any]:
        """Return the requested and the sent command, as arrows from the robot."""
        if not self._mode.body_frame:  # no odometry has named it yet
            return []
        sent = {'sent': (self._last.speed, self._last.yaw_rate)}
        requested = self._mode.requested
        return command_markers(
            {'asked': (requested.speed, requested.yaw_rate), **sent} if requested else sent,
            self._mode.body_frame)

    def _on_robot_command(self, message: Any) -> None:
        with suppress(InvalidMessage):  # not of our commands, and not ours to report
            command = read_command(message, 0)
            self._mode.delivery.arrive(command.speed, command.yaw_rate, time.monotonic())

    def look_at_graph(self) -> None:
        """Find out what is wrong with the publishers, and which topic is the robot's."""
        super().look_at_graph()
        if self._robot.look():
            self._mode.delivery.reset()

    def work_status(self) -> list[DiagnosticStatus]:
        """Return the entries of the output, the robot, the clocks and the replanning."""
        return [diagnostics.output_status('cmd_vel', self._command.problem), self._robot_status(),
                self._mode.clocks.status(self._seconds, self._period), self._replanning_status()]

    def _robot_status(self) -> DiagnosticStatus:
        """Return whether the robot receives the commands, and else which node overrides them."""
        delivery, topic = self._mode.delivery, self._robot.topic
        state = delivery.state(time.monotonic())
        others = self._robot.publishers()
        level, text = diagnostics.WARN, override_text(self._mode.gains)
        if state is Delivery.REPLACED and delivery.arrived is not None:
            text = f'{others or "another node"} commands the robot: ' \
                   f'{_velocity(delivery.arrived)} in place of ' \
                   f'{_velocity((self._last.speed, self._last.yaw_rate))}'
        elif state is Delivery.SILENT:
            text = f'no command arrives on {topic}, which {others or "no node"} publishes'
        elif text and others and not topic:
            text += f'; {others} publishes on {self.resolve_topic_name("cmd_vel")} as well'
        elif not text:
            level = diagnostics.OK
            text = f'commands arrive on {topic}' if state is Delivery.ARRIVES else \
                'no topic shows whether commands arrive at the robot'
        override = self._mode.gains.override if self._mode.gains else Override.NONE
        return diagnostics.status(level, 'robot_command', text, {
            diagnostics.STATUS: state.name, 'override': override.name,
            'topic': topic or self.resolve_topic_name('cmd_vel'),
            'also commanded by': others or 'no other node'})

    def _replanning_status(self) -> DiagnosticStatus:
        caution, last = self._mode.caution, self._last
        return diagnostics.status(diagnostics.LEVELS[last.severity], self.work, last.text, {
            diagnostics.STATUS: last.status.name,
            'slowdown': last.slowdown.name if last.slowdown else 'NONE',
            'mode': self._config.mode,
            'speed [m/s]': f'{last.speed:.3f}',
            'yaw rate [rad/s]': f'{last.yaw_rate:.3f}',
            'speed scale [%]': f'{100.0 * caution.share:.0f}',
            'predicted error across the path [m]': shown(caution.across, '.4f'),
            'computation [ms]': f'{1e3 * self._seconds:.2f}'})


def override_text(gains: GuardedGains | None) -> str:
    """Return how a robot moves that does not receive its commands, or nothing."""
    if gains is None or gains.override in (Override.NONE, Override.BLOCKED) \
            or gains.moved == gains.expected:
        return ''
    return f'the robot moves at {_velocity(gains.moved)} where {_velocity(gains.expected)} ' \
           f'is expected: is it stopped, blocked, or commanded by another node? Nothing is ' \
           f'learned from it'


def _velocity(velocity: tuple[float, ...]) -> str:
    return f'{velocity[0]:.2f} m/s, {velocity[1]:.2f} rad/s'


def make_mode(name: str, node: MonitoredNode, on_command: Callable[[Command], None]) -> Mode:
    """
    Return a mode by its name; torch is imported for the one that plans with the model.

    `on_command` is called with each upstream command, where the mode has one.
    """
    if name == 'compensate':
        return CompensateMode(node, on_command)
    if name == 'follow_path':
        return FollowPathMode(node)
    if name == 'mppi':
        try:
            from lstm_predictor.nodes.modes.mppi import MppiMode
        except ModuleNotFoundError as error:
            raise ValueError(missing(error, 'mode mppi')) from None
        return MppiMode(node)
    raise ValueError(f'mode must be compensate, follow_path or mppi, is {name!r}')


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(ReplannerNode, args)
