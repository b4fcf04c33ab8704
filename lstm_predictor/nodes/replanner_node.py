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
from lstm_predictor.nodes.lifecycle import configures, run

from nav_msgs.msg import Odometry, Path

import numpy as np

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn


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


class ReplannerNode(LifecycleNode):
    """Converts messages, calls the replanner and publishes."""

    def __init__(self, **options: Any) -> None:
        """Declare the parameters; ValueError names one that is wrong."""
        super().__init__('replanner', **options)
        parameters.declare(self, ReplannerNodeConfig, ReplannerConfig)
        self._active = False

    @configures
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters; one line says what is wrong with them."""
        self._config = parameters.read(self, ReplannerNodeConfig)
        self._replanner = Replanner(parameters.read(self, ReplannerConfig))
        self._open_topics()
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start idle."""
        self._replanner.reset()
        self._active = True
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop the robot where this node drove it, then say nothing more."""
        if self._active and self._last.reason != IDLE:
            self._command.publish(0.0, 0.0)
        self._active = False
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back that `on_configure` made."""
        self._active = False
        self._command.destroy()
        self._upstream.destroy()
        for timer in self._timers_made:
            self.destroy_timer(timer)
        for subscription in self._subscriptions_made:
            self.destroy_subscription(subscription)
        self.destroy_publisher(self._diagnostics)
        return TransitionCallbackReturn.SUCCESS

    def _open_topics(self) -> None:
        self._last = Output(0.0, 0.0, IDLE)
        self._offset = ClockOffset()
        self._sent_at = 0.0  # [s] steady
        self._inputs = {
            'cmd_vel_in': health.Input('cmd_vel_in', needed=False),
            'predicted_path': health.Input('predicted_path', needed=False),
            'odom': health.Input('odom', needed=False)}
        self._command = CommandPublisher(self, 'cmd_vel')
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._upstream = CommandSubscription(self, 'cmd_vel_in', self._on_upstream)
        self._subscriptions_made = [
            self.create_subscription(Odometry, 'odom', self._on_odometry, BEST_EFFORT),
            self.create_subscription(Path, 'predicted_path', self._on_path, BEST_EFFORT)]
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timers_made = [
            self.create_timer(1.0 / self._config.control_frequency, self._on_timer, clock=steady),
            self.create_timer(self._config.diagnostics_period, self._report, clock=steady)]

    def _on_upstream(self, message: Any) -> None:
        command = self._read('cmd_vel_in', samples.read_command, message, 0)
        if command is not None:
            # Its stamp may be of another machine; what counts is when it was heard, by the
            # clock of the odometry that it is compared with.
            heard_ns = self._now_ns() - self._offset.offset_ns
            self._replanner.set_upstream(command._replace(stamp_ns=heard_ns), time.monotonic())
            self._send()

    def _on_odometry(self, message: Odometry) -> None:
        odometry = self._read('odom', samples.read_odometry, message)
        if odometry is not None:
            self._offset.add(self._now_ns(), odometry.stamp_ns)
            self._replanner.set_odometry(odometry)

    def _on_path(self, message: Path) -> None:
        target = self._read('predicted_path', self._target, message)
        if target is not None:
            self._replanner.set_target(target, time.monotonic())
        elif self._active:
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
        if not self._active:
            return None
        heard = self._inputs[topic]
        try:
            reading = read(*message)
        except samples.BadMessage as error:
            heard.refuse(str(error))
            return None
        heard.heard(time.monotonic())
        return reading

    def _on_timer(self) -> None:
        due = time.monotonic() - self._sent_at > 0.5 / self._config.control_frequency
        if self._active and due:
            self._send()

    def _send(self) -> None:
        self._sent_at = time.monotonic()
        self._last = self._replanner.output(self._sent_at)
        if self._last.reason != IDLE:
            self._command.publish(self._last.speed, self._last.yaw_rate)

    def _report(self) -> None:
        entries = [topic.status(time.monotonic()) for topic in self._inputs.values()]
        entries.append(self._replanning_status())
        self._diagnostics.publish(health.report(self, entries))

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _replanning_status(self) -> DiagnosticStatus:
        level = health.WARN if self._last.reason in (STOPPED, UNCORRECTED) else health.OK
        text = self._last.reason if self._active else 'not active'
        return health.status(level, 'replanning', text, {
            'speed [m/s]': f'{self._last.speed:.3f}',
            'yaw rate [rad/s]': f'{self._last.yaw_rate:.3f}'})


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(ReplannerNode, args)
