"""
What all modes of the replanner do: they subscribe to odometry and to the prediction.

A mode is given its node to subscribe with, and returns a command whenever it is asked for one. It
knows nothing of how commands are published.
"""

import time
from typing import Any

from geometry_msgs.msg import PoseWithCovarianceStamped

from lstm_predictor.common import readings
from lstm_predictor.control.command_delivery import DeliveryWatch
from lstm_predictor.control.compensator import ReplannerConfig, Target
from lstm_predictor.control.override_detection import GuardedGains
from lstm_predictor.control.speed_scaling import SpeedScaling, SpeedScalingConfig
from lstm_predictor.control.status import Output
from lstm_predictor.nodes import diagnostics, parameters
from lstm_predictor.nodes.clock_diagnostics import ClockMonitor
from lstm_predictor.nodes.monitored_node import MonitoredNode
from lstm_predictor.nodes.queued_messages import waiting
from lstm_predictor.nodes.velocity_commands import BEST_EFFORT, NEWEST

from nav_msgs.msg import Odometry

import numpy as np


class Mode:
    """What all modes receive: odometry, and the pose at which a command given now has effect."""

    gains: GuardedGains | None = None  # of the robot, where the mode watches how it moves

    def __init__(self, node: MonitoredNode) -> None:
        """Open the topics."""
        self.node = node
        self.config: ReplannerConfig = parameters.read(node, ReplannerConfig)
        self.caution = SpeedScaling(parameters.read(node, SpeedScalingConfig))
        self._odom_input = node.add_input('odom', (Odometry,), stopped=diagnostics.WARN)
        self._pose_input = node.add_input(
            'predicted_pose', (PoseWithCovarianceStamped,), stopped=diagnostics.WARN)
        self.clocks = ClockMonitor(node)
        self.delivery = DeliveryWatch()  # of the commands to the robot
        self.requested: readings.Command | None = None  # upstream, in the mode that has one
        self.frame = self.body_frame = ''  # of the odometry and of the robot, by the odometry
        self._odometry = node.subscribe(Odometry, 'odom', self._on_odometry, BEST_EFFORT)
        node.subscribe(PoseWithCovarianceStamped, 'predicted_pose', self._on_pose, NEWEST)

    def start(self) -> None:
        """Start with nothing received."""
        self.clocks.forget()
        self.delivery.reset()
        self.requested = None
        self.caution.reset()

    def retune(self, configs: dict[type, Any]) -> None:
        """Take other limits, gains and ages while driving."""
        self.config = configs[ReplannerConfig]
        self.caution.config = configs[SpeedScalingConfig]

    def output(self, steady: float) -> Output:
        """Return the command for now, at a monotonic time [s]."""
        raise NotImplementedError

    def read_odometry(self, message: Odometry) -> readings.Odometry:
        """Return the reading; raise InvalidMessage where it must not be used."""
        return readings.read_odometry(message)

    def take_odometry(self, odometry: readings.Odometry, newer_waits: bool) -> None:
        """Take where the robot is; `newer_waits` where that is known to be out of date."""

    def take_pose(self, target: Target) -> None:
        """Take where the robot will be when a command given now takes effect."""

    def drop_pose(self) -> None:
        """Take back a predicted pose, as a newer one is rejected."""

    def catch_up(self) -> None:
        """Take what is queued on other topics: this node had too little time."""

    def handle_time_jump(self) -> None:
        """Forget what is of a later time: the odometry's clock went back."""

    def _on_odometry(self, message: Odometry) -> None:
        *older, newest = messages = [message, *waiting(self.node, self._odometry)]
        behind = self.clocks.add_queued(messages)
        for item in older:
            self._add_odometry(item, behind)
        if behind:
            self.catch_up()
        self._add_odometry(newest, False)

    def _add_odometry(self, message: Odometry, newer_waits: bool) -> None:
        with self._odom_input.parsing():
            odometry = self.read_odometry(message)
            if self.clocks.add_odometry(odometry.stamp_ns, newer_waits) < 0.0:
                self.handle_time_jump()
            self.frame, self.body_frame = message.header.frame_id, message.child_frame_id
            self.take_odometry(odometry, newer_waits)

    def _on_pose(self, message: PoseWithCovarianceStamped) -> None:
        with self._pose_input.parsing():
            target = Target(readings.stamp_ns(message.header),
                            np.array(readings.read_pose(message.pose.pose)))
            covariance = np.array(readings.read_planar_covariance(message.pose.covariance))
            self.caution.update(float(target.pose[2]), covariance, time.monotonic())
            self.take_pose(target)
            return
        self.drop_pose()  # it was rejected
