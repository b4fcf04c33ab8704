"""The command guard: a process of its own between the replanner and the robot."""

from dataclasses import dataclass
import math
import time
from typing import Any

from geometry_msgs.msg import TwistStamped

from lstm_predictor.core import samples
from lstm_predictor.core.guard import Guard, GuardConfig, SILENT
from lstm_predictor.nodes import health, parameters
from lstm_predictor.nodes.commands import (
    CommandPublisher, COMMANDS, CommandSubscription, refuse_a_loop)
from lstm_predictor.nodes.lifecycle import run
from lstm_predictor.nodes.managed import ManagedNode


@dataclass(frozen=True)
class GuardNodeConfig:
    """What the node needs to know beside the guard itself."""

    autostart: bool = True  # configure and activate without being asked
    control_frequency: float = 20.0  # least rate of commands and of the watchdog [Hz]
    diagnostics_period: float = 1.0  # [s]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        for name in ('control_frequency', 'diagnostics_period'):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(f'{name} must be positive and finite, is {getattr(self, name)}')


TYPES = (GuardNodeConfig, GuardConfig)
LIVE = parameters.names(GuardConfig)  # parameters that can be changed while driving


class CommandGuard(ManagedNode):
    """
    Stops the robot when whoever commands it dies hard.

    It says zero from the start on, since nobody knows what the robot was told last. Hence it must
    be the only one that commands the robot.
    """

    def __init__(self, **options: Any) -> None:
        """Declare the parameters; ValueError names one that is wrong."""
        super().__init__('command_guard', **options)
        parameters.declare(self, *TYPES)
        parameters.watch(self, TYPES, LIVE,
                         lambda configs: self._guard.retune(configs[GuardConfig]))

    def configure(self) -> None:
        """Read the parameters and open the topics."""
        refuse_a_loop(self)
        config = parameters.read(self, GuardNodeConfig)
        self._period = 1.0 / config.control_frequency  # [s]
        self._guard = Guard(parameters.read(self, GuardConfig))
        self._input = health.Input('cmd_vel_in', COMMANDS)
        self._command = CommandPublisher(self, 'cmd_vel')
        self.keep(self._command.destroy)
        self.keep(CommandSubscription(
            self, 'cmd_vel_in', self._on_command, before=TwistStamped).destroy)
        self._diagnostics = health.Diagnostics(self)
        self.every(self._period, self._send_if_due)
        self.every(config.diagnostics_period, self._report)
        self.every(health.LOOK_PERIOD, lambda: self._input.look(self))

    def start(self) -> None:
        """Start with a robot that shall stand."""
        self._guard.reset()
        self._input.forget()
        self._diagnostics.forget()
        self._sent_at = 0.0  # [s] steady
        self._told = (0.0, 0.0)  # [m/s], [rad/s]
        self.get_logger().info(f'active, the robot stands until something comes on '
                               f'{self.resolve_topic_name("cmd_vel_in")}')

    def stop(self) -> None:
        """Stop the robot; nobody else will."""
        self._command.stop()

    def _on_command(self, message: Any) -> None:
        if not self.active:
            return
        command = self._input.read(samples.read_command, message, 0)
        if command is None:
            return
        stands = command.speed == 0.0 and command.yaw_rate == 0.0
        self._input.stopped = health.WARN if stands else health.ERROR
        self._guard.take(command, time.monotonic())
        self._send()

    def _send_if_due(self) -> None:
        if self.active and time.monotonic() - self._sent_at > 0.5 * self._period:
            self._send()

    def _send(self) -> None:
        self._sent_at = time.monotonic()
        self._told = self._guard.output(self._sent_at)
        self._command.publish(*self._told)

    def _report(self) -> None:
        if not self.active:
            guarding = health.status(health.OK, 'guarding', 'not active', {})
            self._diagnostics.publish([self._input.unread(), guarding], 'not active')
            return
        reason = self._guard.reason
        guarding = health.status(
            health.WARN if reason == SILENT else health.OK, 'guarding', reason, {
                'speed [m/s]': f'{self._told[0]:.3f}', 'yaw rate [rad/s]': f'{self._told[1]:.3f}'})
        self._diagnostics.publish([
            self._input.status(time.monotonic()),
            health.output_status('cmd_vel', self._command.problem), guarding], reason)


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(CommandGuard, args)
