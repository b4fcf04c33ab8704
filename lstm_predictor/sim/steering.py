"""
What a source of commands is told to be the robot's pose, by each method of the bench.

Each hears what the robot says and what it is asked, and answers where the robot is, or will be
when a command given now takes effect. Told methods know the true dead time and lag.
"""

from dataclasses import replace

from lstm_predictor.core import baselines, se2
from lstm_predictor.core.artifact import Artifact, open_commands
from lstm_predictor.core.classical import CommandReplay
from lstm_predictor.core.mppi import Rollout, rollout_of
from lstm_predictor.core.prediction import Prediction
from lstm_predictor.core.predictor import Predictor, PredictorConfig
from lstm_predictor.core.samples import Command, Imu, Odometry
from lstm_predictor.core.window import Window
from lstm_predictor.sim.readings import sample
from lstm_predictor.sim.robot import Robot
from lstm_predictor.sim.robot_config import RobotConfig

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
START_NS = 1_000_000_000  # stamp at which a run starts: zero would mean that nobody set it


class Raw:
    """The newest odometry; the other methods are kinds of it."""

    def __init__(self) -> None:
        """Start at the origin."""
        self.odometry = Odometry(START_NS, 0.0, 0.0, 0.0, 0.0, 0.0)

    def hear(self, reading: Odometry | Imu | Command) -> None:
        """Take what the robot says or is asked, in order of time."""
        if isinstance(reading, Odometry):
            self.odometry = reading

    def pose(self) -> Array:
        """Return the pose to steer by, in the odometry's frame: where it was seen last (3,)."""
        return np.array(self.odometry[1:4])


class ConstantVelocity(Raw):
    """The newest odometry, carried on for a time that was told."""

    def __init__(self, horizon: float) -> None:
        """Look `horizon` [s] ahead."""
        super().__init__()
        self._horizon = horizon

    def pose(self) -> Array:
        """Return where a robot that keeps its twist will be (3,)."""
        twist = np.array([self.odometry.speed, 0.0, self.odometry.yaw_rate])
        return se2.compose(super().pose(), se2.exp(self._horizon * twist))


class Replay(Raw):
    """The commands on their way, replayed with the dead time and the lag that were told."""

    def __init__(self, artifact: Artifact, delay: float, lag: float, horizon: float) -> None:
        """Look `horizon` [s] ahead; `artifact` says how odometry is to be filtered."""
        super().__init__()
        contract = artifact.contract
        self._step = 1.0 / contract.rate
        self._window = Window(contract.window_config(1.0, 3.0))
        self._replay = CommandReplay(
            step=self._step, delay=delay, lag=lag,
            now=baselines.constant_turn(contract.classical, self._step))
        self._horizon = horizon
        self._open = open_commands(1, contract.horizon)

    def hear(self, reading: Odometry | Imu | Command) -> None:
        """Take everything."""
        super().hear(reading)
        if isinstance(reading, Odometry) or len(self._window.odometry):
            self._window.add(reading)

    def pose(self) -> Array:
        """Return where the commands on their way lead (3,)."""
        anchors = self._window.odometry.times[-1:]
        if not len(anchors) or not self._window.covered(anchors)[0]:
            return super().pose()
        path = self._replay.predict(self._window.rows(anchors), self._open)[0]
        whole = np.concatenate([np.zeros((1, 3)), path])
        at = self._horizon / self._step
        before = min(int(at), len(path) - 1)
        part = se2.log(se2.between(whole[before], whole[before + 1])) * (at - before)
        return se2.compose(super().pose(), se2.compose(whole[before], se2.exp(part)))


class Learned(Raw):
    """The predictor as it runs in the node; nobody tells it anything."""

    def __init__(self, artifact: Artifact, config: PredictorConfig) -> None:
        """Start with an empty window."""
        super().__init__()
        self.predictor = Predictor(artifact, config)
        self.prediction: Prediction | None = None

    def hear(self, reading: Odometry | Imu | Command) -> None:
        """Take everything, and predict at each odometry."""
        super().hear(reading)
        self.predictor.add(reading)
        if isinstance(reading, Odometry):
            self.prediction = self.predictor.predict_if_due() or self.prediction

    def pose(self) -> Array:
        """Return where the robot will be when a command given now takes effect (3,)."""
        if self.prediction is None:
            return super().pose()
        return self.prediction.at(self.prediction.takes_effect).pose

    def rollout(self, step: float) -> Rollout:
        """Return the model as a planner asks it, or what holds without one."""
        return rollout_of(self.predictor.observer, step)


class Oracle(Raw):
    """
    The robot itself, a dead time ahead.

    A twin without dead time, which gets every command when it is given, is now where the robot
    will be when it obeys: the true state, that no predictor knows better.
    """

    def __init__(self, config: RobotConfig, seed: int) -> None:
        """Take the robot's configuration and its seed."""
        super().__init__()
        self._twin = Robot(replace(config, command_delay=0.0), seed)

    def hear(self, reading: Odometry | Imu | Command) -> None:
        """Let the twin obey a command, and pass the time until the next odometry."""
        if isinstance(reading, Command):
            self._twin.command(reading.speed, reading.yaw_rate)
        elif isinstance(reading, Odometry):
            for its in self._twin.advance(reading.stamp_ns - START_NS):
                heard = sample(its)
                if isinstance(heard, Odometry):
                    super().hear(heard)
