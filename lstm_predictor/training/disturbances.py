"""Disturbances of simulated robots: actuation noise, stalled wheels, rotation by hand."""

from dataclasses import dataclass, field

from lstm_predictor.common import se2
from lstm_predictor.common.readings import Odometry
from lstm_predictor.simulation.robot_config import RobotConfig

import numpy as np


@dataclass
class ActuationNoise:
    """Ornstein-Uhlenbeck noise of gain and offset between a command and the motors."""

    rng: np.random.Generator
    size: float  # 0: none
    state: np.ndarray = field(default_factory=lambda: np.zeros(4))
    time: float = 0.0

    def __post_init__(self) -> None:
        """Draw its size and its time constant."""
        self.memory = self.rng.uniform(0.1, 1.5)  # [s]
        self.spread = self.size * self.rng.uniform(0.0, [0.12, 0.12, 0.03, 0.04])

    def on(self, command: tuple[float, float], time: float, robot: RobotConfig
           ) -> tuple[float, float]:
        """Return the disturbed command [m/s], [rad/s]."""
        stay = np.exp(-(time - self.time) / self.memory)
        self.time = time
        noise = self.rng.standard_normal(4) * self.spread
        self.state = stay * self.state + np.sqrt(1.0 - stay * stay) * noise
        if command == (0.0, 0.0):
            return command
        factor, offset = 1.0 + self.state[:2], self.state[2:]
        return (float(factor[0] * command[0] + offset[0] * robot.max_speed),
                float(factor[1] * command[1] + offset[1] * robot.max_yaw_rate))


class Stalls:
    """Times at which the wheels of the robot are held."""

    def __init__(self, rng: np.random.Generator, period: float) -> None:
        """Hold it once in a `period` [s] on average; 0: never."""
        self._rng = rng
        self._period = period
        self._begin = self._end = rng.exponential(period) if period else np.inf

    def at(self, time: float) -> bool:
        """Return whether the robot is held; `time` [s] must rise."""
        if time > self._end:
            self._begin = time + self._rng.exponential(self._period)
            self._end = self._begin + self._rng.uniform(0.5, 4.0)
        return bool(self._begin <= time <= self._end)


class ManualRotation:
    """Rotation of the robot by hand now and then, without any motion of the wheels."""

    def __init__(self, rng: np.random.Generator, period: float) -> None:
        """Do so once in a `period` [s] on average; 0: never."""
        self._rng = rng
        self._times = Stalls(rng, period)
        self._memory = rng.uniform(0.15, 0.8)  # [s]
        self._max = rng.uniform(0.3, 1.2)  # [rad/s]
        self._time = 0.0
        self._goal = 0.0  # [rad/s]
        self.yaw_rate = 0.0  # with which the robot is turned now [rad/s]
        self.turned = 0.0  # so far [rad]

    def at(self, time: float) -> None:
        """Let time pass; `time` [s] must rise."""
        elapsed, self._time = time - self._time, time
        held = self._times.at(time)
        if not held:
            self._goal = 0.0
        elif self._goal == 0.0 or self._rng.random() < elapsed / self._memory:
            self._goal = self._max * self._rng.standard_normal()
        stay = np.exp(-elapsed / (0.3 * self._memory))
        before = self.yaw_rate
        self.yaw_rate = float(self._goal + stay * (self.yaw_rate - self._goal))
        if not held and abs(self.yaw_rate) < 0.01:
            self.yaw_rate = 0.0
        self.turned += 0.5 * (before + self.yaw_rate) * elapsed


class RotatedOdometry:
    """Odometry with the heading of a gyro, of a robot that is also rotated by hand."""

    def __init__(self) -> None:
        """Start at the origin."""
        self._before = np.zeros(3)
        self._pose = np.zeros(3)
        self._turned = 0.0

    def pose(self, pose: np.ndarray, turned: float) -> np.ndarray:
        """Return the pose in place of this one (3,) after a rotation by `turned` [rad] in all."""
        moved = se2.between(self._before, pose)
        moved[2] += turned - self._turned
        self._before, self._turned = pose, turned
        self._pose = se2.compose(self._pose, moved)
        return self._pose

    def odometry(self, reading: Odometry, rotation: ManualRotation) -> Odometry:
        """Return the reading with the rotation in it."""
        x, y, yaw = self.pose(np.array(reading[1:4]), rotation.turned).tolist()
        return reading._replace(
            x=x, y=y, yaw=yaw, yaw_rate=reading.yaw_rate + rotation.yaw_rate)
