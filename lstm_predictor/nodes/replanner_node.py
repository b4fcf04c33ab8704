"""The replanner node: the upstream command in, what the robot shall do out."""

from dataclasses import dataclass
import math
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from lstm_predictor.core import samples
from lstm_predictor.core.clock import ClockOffset
from lstm_predictor.core.replanner import (
    IDLE, Output, Replanner, ReplannerConfig, STOPPED, Target, UNCORRECTED)
from lstm_predictor.nodes import health, parameters
from lstm_predictor.nodes.commands import BEST_EFFORT, CommandPublisher, CommandSubscription
from lstm_predictor.nodes.lifecycle import run
from lstm_predictor.nodes.managed import ManagedNode

from nav_msgs.msg import Odometry, Path

import numpy as np


@dataclass(frozen=True)
class ReplannerNodeConfig:
    """What the node needs to know beside the replanner itself."""

    autostart: bool = True  # configure and activate without being asked
    control_frequency: float = 20.0  # least rate of commands and of the watchdog [Hz]
    correction_horizon: float = 0.5  # which step of the predicted path is corrected [s]
    diagnostics_period: float = 1.0  # [s]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        for name in ('control_frequency', 'correction_horizon', 'diagnostics_period'):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(f'{name} must be positive and finite, is {getattr(self, name)}')


class ReplannerNode(ManagedNode):
    """Converts messages, calls the replanner and publishes."""

    def __init__(self, **options: Any) -> None:
        """Declare the parameters; ValueError names one that is wrong."""
        super().__init__('replanner', **options)
        parameters.declare(self, ReplannerNodeConfig, ReplannerConfig)

    def configure(self) -> None:
        """Read the parameters and open the topics."""
        names = [self.resolve_topic_name(name) for name in ('cmd_vel_in', 'cmd_vel')]
        if names[0] == names[1]:
            raise ValueError(f'cmd_vel_in and cmd_vel are both {names[0]}: the replanner would '
                             f'hear itself')
        self._config = parameters.read(self, ReplannerNodeConfig)
        self._replanner = Replanner(parameters.read(self, ReplannerConfig))
        self._inputs = {
            'cmd_vel_in': health.Input('cmd_vel_in', needed=False),
            'predicted_path': health.Input('predicted_path', needed=False),
            'odom': health.Input('odom', needed=False)}
        self._command = CommandPublisher(self, 'cmd_vel')
        self.keep(self._command.destroy)
        self._diagnostics = self.offer(DiagnosticArray, '/diagnostics')
        self.keep(CommandSubscription(self, 'cmd_vel_in', self._on_upstream).destroy)
        self.hear(Odometry, 'odom', self._on_odometry, BEST_EFFORT)
        self.hear(Path, 'predicted_path', self._on_path, BEST_EFFORT)
        self.every(1.0 / self._config.control_frequency, self._send_if_due)
        self.every(self._config.diagnostics_period, self._report)

    def start(self) -> None:
        """Start idle."""
        self._replanner.reset()
        self._offset = ClockOffset()
        self._last = Output(0.0, 0.0, IDLE)
        self._sent_at = 0.0  # [s] steady

    def stop(self) -> None:
        """Stop the robot where this node drove it; nobody else will."""
        if self._last.reason != IDLE:
            self._command.publish(0.0, 0.0)
            self._command.flush()

    def _on_upstream(self, message: Any) -> None:
        command = self._read('cmd_vel_in', samples.read_command, message, 0)
        if command is not None:
            # Its stamp may be of another machine; what counts is when it was heard, by the
            # clock of the odometry that it is compared with.
            heard_ns = self._now_ns() - self._offset.offset_ns
            self._replanner.set_upstream(command._replace(stamp_ns=heard_ns), time.monotonic())
            if command.speed == 0.0 and command.yaw_rate == 0.0:
                self._send()
            else:
                self._send_if_due()

    def _on_odometry(self, message: Odometry) -> None:
        odometry = self._read('odom', samples.read_odometry, message)
        if odometry is not None:
            self._offset.add(self._now_ns(), odometry.stamp_ns)
            self._replanner.set_odometry(odometry)

    def _on_path(self, message: Path) -> None:
        target = self._read('predicted_path', self._target, message)
        if target is not None:
            self._replanner.set_target(target, time.monotonic())
        elif self.active:
            self._replanner.drop_target()

    def _target(self, path: Path) -> Target:
        """Return the step of the path that lies at the correction's horizon, or its last one."""
        if not path.poses:
            raise samples.BadMessage('predicted_path has no poses')
        begin_ns = samples.stamp_ns(path.header)
        wanted_ns = begin_ns + round(1e9 * self._config.correction_horizon)
        stamps = [samples.stamp_ns(pose.header) for pose in path.poses]
        index = min(int(np.searchsorted(stamps, wanted_ns)), len(stamps) - 1)
        return Target(stamps[index], np.array(samples.read_pose(path.poses[index].pose)))

    def _read(self, topic: str, read: Any, *message: Any) -> Any:
        """Return the reading of a message, or None where it is bad or the node not active."""
        if not self.active:
            return None
        heard = self._inputs[topic]
        try:
            reading = read(*message)
        except samples.BadMessage as error:
            heard.refuse(str(error), time.monotonic())
            return None
        heard.heard(time.monotonic())
        return reading

    def _send_if_due(self) -> None:
        # Half a period: an upstream of the same rate is answered at once, not by the timer.
        due = time.monotonic() - self._sent_at > 0.5 / self._config.control_frequency
        if self.active and due:
            self._send()

    def _send(self) -> None:
        self._sent_at = time.monotonic()
        self._last = self._replanner.output(self._sent_at)
        if self._last.reason != IDLE:
            self._command.publish(self._last.speed, self._last.yaw_rate)

    def _report(self) -> None:
        if self.active:
            entries = [topic.status(time.monotonic()) for topic in self._inputs.values()]
            entries.append(self._replanning_status())
        else:
            entries = [topic.unread() for topic in self._inputs.values()]
            entries.append(health.status(health.OK, 'replanning', 'not active', {}))
        self._diagnostics.publish(health.report(self, entries))

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _replanning_status(self) -> DiagnosticStatus:
        level = health.WARN if self._last.reason in (STOPPED, UNCORRECTED) else health.OK
        return health.status(level, 'replanning', self._last.reason, {
            'speed [m/s]': f'{self._last.speed:.3f}',
            'yaw rate [rad/s]': f'{self._last.yaw_rate:.3f}'})


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(ReplannerNode, args)
