"""The replanner's mode that plans with the model; the only one that needs torch."""

from pathlib import Path as FilePath
import time
from typing import Any

from lstm_predictor.common import readings
from lstm_predictor.control.command_delivery import Delivery
from lstm_predictor.control.compensator import ReplannerConfig
from lstm_predictor.control.mppi import Mppi, MppiConfig, MppiLaw
from lstm_predictor.control.override_detection import Override
from lstm_predictor.control.status import Output
from lstm_predictor.control.velocity_limiter import Limits
from lstm_predictor.model import model_file
from lstm_predictor.model.contract import Contract
from lstm_predictor.nodes import diagnostics, parameters
from lstm_predictor.nodes.modes.follow_path import FollowPathMode
from lstm_predictor.nodes.monitored_node import MonitoredNode
from lstm_predictor.nodes.queued_messages import waiting
from lstm_predictor.nodes.velocity_commands import OFTEN
from lstm_predictor.paths import default_model
from lstm_predictor.prediction.observer import Observer
from lstm_predictor.prediction.rollout import ProtectedRollout

from nav_msgs.msg import Odometry

from sensor_msgs.msg import Imu

import torch

_LONGEST = 0.5  # that a plan of commands goes on without a new one [s]
_PLANS = 10.0  # new ones, where control_frequency is no less [Hz]
_TOLERANCE = 1.5  # times the usual deviation of a robot; more is an override [-]


class MppiMode(FollowPathMode):
    """
    Follows a plan by commands that the model has tried out.

    The rollouts begin where the robot is, not where it will be: the model knows the commands on
    their way.
    """

    def __init__(self, node: MonitoredNode) -> None:
        """Load the model and subscribe to the IMU as well."""
        torch.set_num_threads(1)
        name, sha256, allow_writable = (node.get_parameter(parameter).value for parameter in (
            'model_path', 'model_sha256', 'allow_writable_model'))
        model = model_file.load(FilePath(name or default_model()), sha256, allow_writable)
        self._planned = parameters.read(node, MppiConfig)
        _check(self._planned, model.contract)
        rate = float(node.get_parameter('control_frequency').value)
        limits = parameters.read(node, ReplannerConfig)
        self._law = MppiLaw(
            Mppi(self._planned, *_bounds(limits)), every=max(1, round(rate / _PLANS)),
            steps=1.0 / (rate * self._planned.model_dt))
        self._imu_input = node.add_input('imu', (Imu,), stopped=diagnostics.WARN)
        super().__init__(node, self._law)
        max_velocity = limits.max_velocity[0], limits.max_velocity[2]
        self._observer = Observer(
            model, model.contract.window_config(*max_velocity), use_imu=True,
            max_backward_time_jump=1.0)
        self._robot = ProtectedRollout(self._observer, *max_velocity, _TOLERANCE)
        self.gains = self._robot.protection.gains
        self._law.instead = self._pursuit.pursue
        self._imu = node.subscribe(Imu, 'imu', self._on_imu, OFTEN)

    def retune(self, configs: dict[type, Any]) -> None:
        """Take other limits, gains and ages while driving."""
        super().retune(configs)
        most, least = _bounds(self.config)
        self._law.mppi.limit(most, least)
        self._observer.limit(*most)

    def start(self) -> None:
        """Start with an empty window."""
        super().start()
        self._observer.reset()
        self._observer.sensors.reset()
        self._robot.reset()
        self._law.reset()
        self._took = 0.0  # what the last plan took [s]
        self._given_at = 0.0  # when the last command was given [s] steady

    def output(self, steady: float) -> Output:
        """Return the first of the planned commands."""
        step = self._planned.model_dt
        # A command is for when it is sent, which is after all the work.
        late = self._observer.age(self.clocks.receipt_ns())
        replaced = self.delivery.state(steady) in (Delivery.REPLACED, Delivery.SILENT)
        overridden = self._robot.protection.gains.override is not Override.NONE
        self._law.plans_now = not replaced and not overridden
        self._law.rollout = self._robot.rollout(step, late + self._took)
        self._law.steps = min(max(0.0, steady - self._given_at), _LONGEST) / step
        plans = self._law.plans()
        output = super().output(steady)
        self._given_at = time.monotonic()
        if plans:
            self._took = self._given_at - steady
        # The command of now, by the clock of the odometry.
        stamp_ns = self.clocks.receipt_ns()
        # Else the clock jumped back, and it has not stopped.
        if self._observer.ahead(stamp_ns) <= self._observer.max_backward_time_jump:
            given = self.delivery.arrived if replaced else None
            command = readings.Command(stamp_ns, *(given or (output.speed, output.yaw_rate)))
            self._observer.add(command)
            self._robot.protection.command(command)
        return output

    def read_odometry(self, message: Odometry) -> readings.Odometry:
        """Return where the robot is; raise InvalidMessage for a velocity that no robot has."""
        odometry = self._observer.sensed(super().read_odometry(message))
        assert isinstance(odometry, readings.Odometry)
        self._observer.check(odometry)
        return odometry

    def take_odometry(self, odometry: readings.Odometry, newer_waits: bool) -> None:
        """Take where the robot is, and plan from there."""
        if self._observer.discontinuity(odometry):
            self._observer.reset()
            self._robot.reset()
        if self._observer.insert(odometry):
            self._robot.protection.odometry(odometry)
        anchor_ns = None if newer_waits else self._observer.due()
        if anchor_ns is not None:
            self._observer.update(anchor_ns)
        super().take_odometry(odometry, newer_waits)

    def catch_up(self) -> None:
        """Take the IMU's readings before the newest odometry."""
        self.clocks.catch_up()
        for message in waiting(self.node, self._imu):
            self._on_imu(message)

    def _on_imu(self, message: Imu) -> None:
        with self._imu_input.parsing():
            imu = self._observer.sensed(
                self.clocks.on_odometry_clock('imu', readings.read_imu(message)))
            if imu is not None:
                self._observer.add(imu)


def _bounds(limits: Limits) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the largest and the least [speed [m/s], yaw rate [rad/s]]."""
    high, low = limits.max_velocity, limits.min_velocity
    return (high[0], high[2]), (low[0], low[2])


def _check(config: MppiConfig, contract: Contract) -> None:
    """Raise ValueError where the model cannot roll out so long a sequence."""
    step = 1.0 / contract.rate
    if abs(config.model_dt - step) > 1e-9:
        raise ValueError(f'model_dt must be that of the model, {step:g} s, is {config.model_dt}')
    if config.time_steps > contract.horizon:
        raise ValueError(f'time_steps must be at most {contract.horizon}, which the model '
                         f'predicts, is {config.time_steps}')
