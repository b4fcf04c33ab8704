"""
The pose that a path follower steers by, one class for each method of the bench.

Each takes the robot's readings and commands, and returns where the robot is, or will be when a
command sent now takes effect. Some know the true input delay and lag of the robot.
"""

from dataclasses import replace

from lstm_predictor.baselines import registry
from lstm_predictor.baselines.kinematic import CommandReplay
from lstm_predictor.common import se2
from lstm_predictor.common.readings import Command, Imu, Odometry
from lstm_predictor.control.mppi import Rollout
from lstm_predictor.model.model_file import LoadedModel, open_commands
from lstm_predictor.model.window import Window
from lstm_predictor.prediction.predictor import Predictor, PredictorConfig
from lstm_predictor.prediction.rollout import rollout_of
from lstm_predictor.prediction.trajectory import PredictedTrajectory
from lstm_predictor.simulation.robot import Robot
from lstm_predictor.simulation.robot_config import RobotConfig
from lstm_predictor.simulation.sensor_readings import sample

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
START_NS = 1_000_000_000  # stamp at the start of a run; zero would count as not set


class LatestOdometry:
    """The newest odometry as it is: the method `raw`, and the base of the others."""

    def __init__(self) -> None:
        """Start at the origin."""
        self.odometry = Odometry(START_NS, 0.0, 0.0, 0.0, 0.0, 0.0)

    def add(self, reading: Odometry | Imu | Command) -> None:
        """Take a reading of the robot or a command to it, in order of time."""
        if isinstance(reading, Odometry):
            self.odometry = reading

    def pose(self) -> Array:
        """Return the pose to steer by, in the odometry's frame (3,)."""
        return np.array(self.odometry[1:4])


class ConstantVelocity(LatestOdometry):
    """The newest odometry, extrapolated over a given time."""

    def __init__(self, horizon: float) -> None:
        """Look `horizon` [s] ahead."""
        super().__init__()
        self._horizon = horizon

    def pose(self) -> Array:
        """Return where the robot will be if it keeps its twist (3,)."""
        twist = np.array([self.odometry.speed, 0.0, self.odometry.yaw_rate])
        return se2.compose(super().pose(), se2.exp(self._horizon * twist))


class KnownDelayReplay(LatestOdometry):
    """The commands not yet executed, replayed with the true delay and lag."""

    def __init__(self, model: LoadedModel, delay: float, lag: float, horizon: float) -> None:
        """Look `horizon` [s] ahead; `model` sets the odometry's filter."""
        super().__init__()
        contract = model.contract
        self._step = 1.0 / contract.rate
        self._window = Window(contract.window_config(1.0, 3.0))
        self._replay = CommandReplay(
            step=self._step, delay=delay, lag=lag,
            now=registry.constant_turn(contract.classical, self._step))
        self._horizon = horizon
        self._open = open_commands(1, contract.horizon)

    def add(self, reading: Odometry | Imu | Command) -> None:
        """Take any reading or command."""
        super().add(reading)
        if isinstance(reading, Odometry) or len(self._window.odometry):
            self._window.add(reading)

    def pose(self) -> Array:
        """Return where the commands not yet executed lead (3,)."""
        anchors = self._window.odometry.times[-1:]
        if not len(anchors) or not self._window.has_coverage(anchors)[0]:
            return super().pose()
        path = self._replay.predict(self._window.rows(anchors), self._open)[0]
        whole = np.concatenate([np.zeros((1, 3)), path])
        at = self._horizon / self._step
        before = min(int(at), len(path) - 1)
        part = se2.log(se2.between(whole[before], whole[before + 1])) * (at - before)
        return se2.compose(super().pose(), se2.compose(whole[before], se2.exp(part)))


class OnlinePredictor(LatestOdometry):
    """The predictor as it runs in the node; it knows neither delay nor lag."""

    def __init__(self, model: LoadedModel, config: PredictorConfig) -> None:
        """Start with an empty window."""
        super().__init__()
        self.predictor = Predictor(model, config)
        self.prediction: PredictedTrajectory | None = None

    def add(self, reading: Odometry | Imu | Command) -> None:
        """Take any reading or command, and predict at each odometry."""
        super().add(reading)
        self.predictor.add(reading)
        if isinstance(reading, Odometry):
            self.prediction = self.predictor.predict_if_due() or self.prediction

    def pose(self) -> Array:
        """Return where the robot will be when a command sent now takes effect (3,)."""
        if self.prediction is None:
            return super().pose()
        return self.prediction.at(self.prediction.actuation_latency).pose

    def rollout(self, step: float) -> Rollout:
        """Return the rollout of the model that a planner uses."""
        return rollout_of(self.predictor.observer, step)


class Oracle(LatestOdometry):
    """
    The true pose of the robot, its input delay ahead.

    A copy of the robot without delay gets every command at once, so it is now where the robot
    will be when that command takes effect: a bound that no predictor can beat.
    """

    def __init__(self, config: RobotConfig, seed: int) -> None:
        """Take the robot's configuration and its seed."""
        super().__init__()
        self._copy = Robot(replace(config, command_delay=0.0), seed)

    def add(self, reading: Odometry | Imu | Command) -> None:
        """Give the copy a command, or let it move on to the next odometry."""
        if isinstance(reading, Command):
            self._copy.command(reading.speed, reading.yaw_rate)
        elif isinstance(reading, Odometry):
            for own in self._copy.advance(reading.stamp_ns - START_NS):
                received = sample(own)
                if isinstance(received, Odometry):
                    super().add(received)
