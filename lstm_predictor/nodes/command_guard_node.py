"""The command guard: a process of its own between the replanner and the robot."""

from dataclasses import dataclass
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus

from geometry_msgs.msg import TwistStamped

from lstm_predictor.common import readings
from lstm_predictor.common.checks import require_positive
from lstm_predictor.control.watchdog import Watchdog, WatchdogConfig
from lstm_predictor.nodes import diagnostics, parameters
from lstm_predictor.nodes.executor import run
from lstm_predictor.nodes.monitored_node import MonitoredNode
from lstm_predictor.nodes.velocity_commands import (
    check_distinct_topics, CommandPublisher, COMMANDS, CommandSubscription, NEWEST)


@dataclass(frozen=True)
class GuardNodeConfig:
    """What the node needs to know beside the guard itself."""

    autostart: bool = True  # configure and activate on start-up
    control_frequency: float = 20.0  # lowest rate of commands and of the watchdog [Hz]
    diagnostics_period: float = 1.0  # between two messages on /diagnostics [s]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        require_positive(self, 'control_frequency', 'diagnostics_period')


TYPES = (GuardNodeConfig, WatchdogConfig)
LIVE = parameters.names(WatchdogConfig)  # parameters that can be changed while driving


class CommandGuard(MonitoredNode):
    """
    Stops the robot when the process that commands it dies.

    It publishes zero from the start on, since the last command of the robot is not known. Hence
    it must be the only node that commands the robot.
    """

    work = 'guarding'

    def __init__(self, **options: Any) -> None:
        """Declare the parameters; ValueError names one that is wrong."""
        super().__init__('command_guard', **options)
        parameters.declare(self, *TYPES)
        parameters.watch(self, TYPES, LIVE,
                         lambda configs: self._guard.retune(configs[WatchdogConfig]))

    def configure(self) -> None:
        """Read the parameters and open the topics."""
        check_distinct_topics(self)
        config = parameters.read(self, GuardNodeConfig)
        self._period = 1.0 / config.control_frequency  # [s]
        self._guard = Watchdog(parameters.read(self, WatchdogConfig))
        self._input = self.add_input('cmd_vel_in', COMMANDS)
        self._command = CommandPublisher(self, 'cmd_vel')
        self.add_cleanup(self._command.destroy)
        self.add_cleanup(CommandSubscription(
            self, 'cmd_vel_in', self.while_active(self._on_command), before=TwistStamped,
            qos=NEWEST).destroy)
        self.add_timer(self._period, self._send_if_due)
        self.report_every(config.diagnostics_period)

    def start(self) -> None:
        """Start with a robot that shall stand."""
        super().start()
        self._guard.reset()
        self._sent_at = 0.0  # [s] steady
        self._sent = (0.0, 0.0)  # [m/s], [rad/s]
        self.get_logger().info(f'active, the robot stands until a command comes on '
                               f'{self.resolve_topic_name("cmd_vel_in")}')

    def stop(self) -> None:
        """Stop the robot: no other node does."""
        self._command.stop()

    def _on_command(self, message: Any) -> None:
        with self._input.parsing():
            command = readings.read_command(message, 0)
            stands = command.speed == 0.0 and command.yaw_rate == 0.0
            self._input.stopped = diagnostics.WARN if stands else diagnostics.ERROR
            self._guard.take(command, time.monotonic())
            self._send()

    def _send_if_due(self) -> None:
        if self.active and time.monotonic() - self._sent_at > 0.5 * self._period:
            self._send()

    def _send(self) -> None:
        self._sent_at = time.monotonic()
        self._sent = self._guard.output(self._sent_at)
        self._command.publish(*self._sent)

    def work_status(self) -> list[DiagnosticStatus]:
        """Return the entries of the output and of the guarding."""
        status, (speed, yaw_rate) = self._guard.status, self._sent
        return [
            diagnostics.output_status('cmd_vel', self._command.problem),
            diagnostics.status(diagnostics.LEVELS[status.severity], self.work, status.text, {
                diagnostics.STATUS: status.name, 'speed [m/s]': f'{speed:.3f}',
                'yaw rate [rad/s]': f'{yaw_rate:.3f}'})]


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(CommandGuard, args)
