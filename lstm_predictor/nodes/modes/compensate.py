"""The mode behind any source of velocity: it corrects what the robot makes of its commands."""

from collections.abc import Callable
from dataclasses import replace
import time
from typing import Any

from geometry_msgs.msg import TwistStamped

from lstm_predictor.common import readings
from lstm_predictor.control.compensator import Compensator, MIN_HORIZON_NS, Target
from lstm_predictor.control.prediction_pairing import (
    PairedPrediction, PredictedPath, PredictionPairing)
from lstm_predictor.control.status import Output, ReplannerStatus, Slowdown
from lstm_predictor.nodes import diagnostics
from lstm_predictor.nodes.modes.base import Mode
from lstm_predictor.nodes.monitored_node import MonitoredNode
from lstm_predictor.nodes.velocity_commands import COMMANDS, CommandSubscription, NEWEST

from nav_msgs.msg import Path

import numpy as np


class CompensateMode(Mode):
    """Between any source of velocity and the robot: compensates what the robot does wrong."""

    def __init__(self, node: MonitoredNode, on_command: Callable[[readings.Command], None]
                 ) -> None:
        """Subscribe to upstream and predicted path; `on_command` is called for each command."""
        self._command_input = node.add_input('cmd_vel_in', COMMANDS)
        self._path_input = node.add_input('predicted_path', (Path,), stopped=diagnostics.WARN)
        super().__init__(node)
        self._on_command = on_command
        # 0: where a command given now takes effect [s].
        self._horizon = float(node.get_parameter('correction_horizon').value)
        self._pairing = PredictionPairing()
        self._replanner = Compensator(self.config)
        self.gains = self._replanner.gains
        node.add_cleanup(CommandSubscription(
            node, 'cmd_vel_in', node.while_active(self._on_upstream), before=TwistStamped,
            qos=NEWEST).destroy)
        node.subscribe(Path, 'predicted_path', self._on_path, NEWEST)

    def start(self) -> None:
        """Start idle."""
        super().start()
        self._replanner.reset()
        self._pairing.reset()

    def retune(self, configs: dict[type, Any]) -> None:
        """Take other limits, gains and ages while driving."""
        super().retune(configs)
        self._replanner.retune(self.config)

    def output(self, steady: float) -> Output:
        """Return the upstream command as it is passed on."""
        self._replanner.set_delivery(self.delivery.state(steady))
        output = self._replanner.output(steady)
        if self.caution.reason and output.status not in (
                ReplannerStatus.IDLE, ReplannerStatus.STOPPED):
            return replace(output, slowdown=Slowdown.UNCERTAIN_PREDICTION,
                           slowdown_detail=self.caution.reason)
        return output

    def take_odometry(self, odometry: readings.Odometry, newer_waits: bool) -> None:
        """Take where the robot is."""
        self._replanner.set_odometry(odometry)

    def take_pose(self, target: Target) -> None:
        """Take when a command given now has effect, with the path of the same prediction."""
        self._use(self._pairing.add_pose(target))

    def handle_time_jump(self) -> None:
        """Forget the predictions of another time."""
        self._pairing.reset()

    def _on_upstream(self, message: Any) -> None:
        with self._command_input.parsing():
            command = self.requested = readings.read_command(message, 0)
            aside = readings.sideways(message)
            if aside:
                self._command_input.note(
                    f'linear.y of {aside:.2f} m/s is ignored: this node drives robots that cannot '
                    f'move sideways', time.monotonic())
            # Its stamp may be of another machine; what counts is when it was received, by the
            # clock of the odometry that it is compared with.
            self._replanner.set_upstream(
                command._replace(stamp_ns=self.clocks.receipt_ns()), time.monotonic(),
                self.caution.share)
            stands = command.speed == 0.0 and command.yaw_rate == 0.0
            # A source that requests no motion may well fall silent.
            self._command_input.stopped = diagnostics.OK if stands else diagnostics.ERROR
            self._on_command(command)

    def _on_path(self, message: Path) -> None:
        with self._path_input.parsing():
            path = read_path(message)
            begin = self._replanner.pose_at(path.begin_ns)
            self._use(self._pairing.add_path(path._replace(begin=begin)))
            return
        self._pairing.drop_path()  # it was rejected
        self._replanner.drop_target()

    def _use(self, prediction: PairedPrediction | None) -> None:
        """Correct the step of the path at which a command given now has effect, or the last."""
        if prediction is None:  # the other part is missing
            return
        path, latency, has_pose = prediction
        if has_pose and latency is not None:
            self._replanner.set_actuation_latency(latency)
        ahead_ns = round(1e9 * self._horizon) or \
            max(round(1e9 * (latency or 0.0)), MIN_HORIZON_NS)
        self._replanner.set_target(path.step_at(path.begin_ns + ahead_ns), time.monotonic())


def read_path(message: Path) -> PredictedPath:
    """Return a predicted path; raise InvalidMessage where a stamp or a pose cannot be used."""
    if not message.poses:
        raise readings.InvalidMessage('predicted_path has no poses')
    return PredictedPath(
        readings.stamp_ns(message.header),
        np.array([readings.stamp_ns(step.header) for step in message.poses], dtype=np.int64),
        np.array([readings.read_pose(step.pose) for step in message.poses]))
