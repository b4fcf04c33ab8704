"""The replanner's mode that plans with the model; the only one that needs torch."""

from pathlib import Path as FilePath
import time
from typing import Any

from lstm_predictor.core import artifact, samples
from lstm_predictor.core.contract import Contract
from lstm_predictor.core.limiter import Limits
from lstm_predictor.core.mppi import Mppi, MppiConfig, MppiLaw, rollout_of
from lstm_predictor.core.observer import Observer
from lstm_predictor.core.pursuit import Law
from lstm_predictor.core.replanner import Output, Target
from lstm_predictor.nodes import health, parameters
from lstm_predictor.nodes.commands import BEST_EFFORT
from lstm_predictor.nodes.modes import FollowPath
from lstm_predictor.paths import default_model

from nav_msgs.msg import Odometry

import numpy as np

from sensor_msgs.msg import Imu

import torch

_LONGEST = 0.5  # that a plan of commands goes on without a new one [s]
_PLANS = 10.0  # new ones, where control_frequency is no less [Hz]


class PlanWithModel(FollowPath):
    """Follows a plan by commands that the model has tried out."""

    def __init__(self, node: Any, inputs: dict[str, health.Input]) -> None:
        """Load the model and hear the IMU as well."""
        torch.set_num_threads(1)
        name, sha256, allow_writable = (node.get_parameter(parameter).value for parameter in (
            'model_path', 'model_sha256', 'allow_writable_model'))
        model = artifact.load(FilePath(name or default_model()), sha256, allow_writable)
        self._planned = parameters.read(node, MppiConfig)
        _check(self._planned, model.contract)
        inputs['imu'] = health.Input('imu', (Imu,), stopped=health.WARN)
        super().__init__(node, inputs)
        limits = self.config
        self._observer = Observer(
            model, model.contract.window_config(limits.max_velocity[0], limits.max_velocity[2]),
            use_imu=True, max_step_back=1.0)
        node.hear(Imu, 'imu', self._on_imu, BEST_EFFORT)

    def law(self) -> Law:
        """Return the planner."""
        rate = float(self.node.get_parameter('control_frequency').value)
        mppi = Mppi(self._planned, *_bounds(self.config))
        self._law = MppiLaw(
            mppi, every=max(1, round(rate / _PLANS)), steps=1.0 / (rate * self._planned.model_dt))
        return self._law

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
        self._law.reset()
        self._took = 0.0  # what the last plan took [s]
        self._given_at = 0.0  # when the last command was given [s] steady

    def output(self, steady: float) -> Output:
        """Return the first of the planned commands."""
        step = self._planned.model_dt
        # A command is for when it is sent, which is after all the work.
        late = self._observer.since_look(self.timing.heard_ns())
        self._law.rollout = rollout_of(self._observer, step, late + self._took)
        self._law.steps = min(max(0.0, steady - self._given_at), _LONGEST) / step
        plans = self._law.plans()
        output = super().output(steady)
        self._given_at = time.monotonic()
        if plans:
            self._took = self._given_at - steady
        # What the robot is told now, by the clock of its odometry.
        stamp_ns = self.timing.heard_ns()
        if self._observer.ahead(stamp_ns) <= self._observer.max_step_back:  # it has not stopped
            self._observer.add(samples.Command(stamp_ns, output.speed, output.yaw_rate))
        return output

    def read_odometry(self, message: Odometry) -> samples.Odometry:
        """Return where the robot is; raise BadMessage for a velocity that no robot has."""
        odometry = super().read_odometry(message)
        self._observer.check(odometry)
        return odometry

    def take_odometry(self, odometry: samples.Odometry) -> None:
        """Take where the robot is, and plan from there: the model knows what is on its way."""
        if self._observer.restarts(odometry):
            self._observer.reset()
        self._observer.add(odometry)
        anchor_ns = self._observer.due()
        if anchor_ns is not None:
            self._observer.look(anchor_ns)
        super().take_odometry(odometry)
        # The rollouts begin where the robot is, not where it will be.
        super().take_pose(Target(odometry.stamp_ns, np.array(odometry[1:4])))

    def take_pose(self, target: Target) -> None:
        """Leave the prediction alone."""

    def drop_pose(self) -> None:
        """Leave the prediction alone."""

    def _on_imu(self, message: Imu) -> None:
        self.node.read('imu', self._take_imu, message)

    def _take_imu(self, message: Imu) -> bool:
        return self._observer.add(
            self.timing.on_odometry_clock('imu', samples.read_imu(message)))


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
