"""Random drivers: commands to a simulated robot as a function of time."""

import math
from typing import Protocol

from lstm_predictor.common import se2
from lstm_predictor.common.readings import Odometry
from lstm_predictor.simulation.closed_paths import random_loop
from lstm_predictor.simulation.pure_pursuit import PurePursuit

import numpy as np


class Driver(Protocol):
    """A source of speeds [m/s] and yaw rates [rad/s]; called at rising times [s]."""

    def command(self, time: float, odometry: Odometry | None) -> tuple[float, float]:
        """Return the command now; `odometry` is the newest that the driver has."""


class Steps:
    """Holds random commands, stops among them, each for a random time."""

    def __init__(self, rng: np.random.Generator, speed: float, yaw_rate: float) -> None:
        """Command at most these speeds [m/s], [rad/s]."""
        self._rng = rng
        self._max = (speed, yaw_rate)
        self._shortest = rng.uniform(0.2, 1.0)  # [s]
        self._mean = float(np.exp(rng.uniform(*np.log((0.3, 5.0)))))  # [s] on top of it
        self._until = 0.0
        self._now = (0.0, 0.0)

    def command(self, time: float, odometry: Odometry | None) -> tuple[float, float]:
        """Return the command held now."""
        if time >= self._until:
            self._until = time + self._shortest + self._rng.exponential(self._mean)
            self._now = _random_command(self._rng, *self._max)
        return self._now


class StopAndGo:
    """Goes along one arc and stops, again and again."""

    def __init__(self, rng: np.random.Generator, speed: float, yaw_rate: float) -> None:
        """Command at most these speeds [m/s], [rad/s]."""
        self._rng = rng
        self._max = (speed, yaw_rate)
        self._pause = rng.uniform(0.3, 3.0)  # [s]
        self._until = 0.0
        self._now = (0.0, 0.0)

    def command(self, time: float, odometry: Odometry | None) -> tuple[float, float]:
        """Return the arc or nothing."""
        if time >= self._until:
            self._until = time + self._pause * self._rng.uniform(0.5, 2.0)
            stands = self._now == (0.0, 0.0)
            self._now = _random_command(self._rng, *self._max) if stands else (0.0, 0.0)
        return self._now


class Ramps:
    """Moves steadily towards random commands, as a thumb on a joystick or a smoother does."""

    def __init__(self, rng: np.random.Generator, speed: float, yaw_rate: float) -> None:
        """Command at most these speeds [m/s], [rad/s]."""
        self._steps = Steps(rng, speed, yaw_rate)
        seconds = rng.uniform(0.1, 1.5)  # from zero to the most
        self._rates = (speed / seconds, yaw_rate / seconds)
        self._now = (0.0, 0.0)
        self._time = 0.0

    def command(self, time: float, odometry: Odometry | None) -> tuple[float, float]:
        """Return the command on its way to the next one."""
        target = self._steps.command(time, odometry)
        elapsed, self._time = time - self._time, time
        v, w = (now + float(np.clip(goal - now, -rate * elapsed, rate * elapsed))
                for now, goal, rate in zip(self._now, target, self._rates))
        self._now = (v, w)
        return self._now


class Smooth:
    """Drives about without a corner: two Ornstein-Uhlenbeck processes."""

    def __init__(self, rng: np.random.Generator, speed: float, yaw_rate: float) -> None:
        """Command at most these speeds [m/s], [rad/s]."""
        self._rng = rng
        self._max = np.array([speed, yaw_rate])
        self._memory = rng.uniform(0.5, 3.0)  # [s]
        self._state = np.array([rng.uniform(0.0, 1.0), 0.0])
        self._mean = np.array([rng.uniform(0.2, 0.8), 0.0])
        self._time = 0.0

    def command(self, time: float, odometry: Odometry | None) -> tuple[float, float]:
        """Return the command as it has drifted."""
        elapsed, self._time = time - self._time, time
        stay = math.exp(-elapsed / self._memory)
        noise = 0.5 * math.sqrt(1.0 - stay * stay) * self._rng.standard_normal(2)
        self._state = self._mean + stay * (self._state - self._mean) + noise
        v, w = np.clip(self._state, -1.0, 1.0) * self._max
        return float(v), float(w)


class Waypoints:
    """Drives to random points by the odometry, turning on the spot where necessary."""

    def __init__(self, rng: np.random.Generator, speed: float, yaw_rate: float) -> None:
        """Command at most these speeds [m/s], [rad/s]."""
        self._rng = rng
        self._speed, self._yaw_rate = speed * rng.uniform(0.4, 1.0), yaw_rate
        self._gain = rng.uniform(0.8, 3.0)  # [1/s]
        self._spread = rng.uniform(2.0, 8.0) * speed  # [m]
        self._goal = np.zeros(2)
        self._give_up = 0.0  # [s]

    def command(self, time: float, odometry: Odometry | None) -> tuple[float, float]:
        """Return the command towards the goal."""
        if odometry is None:
            return 0.0, 0.0
        ahead = self._goal - [odometry.x, odometry.y]
        distance = float(np.hypot(*ahead))
        if distance < 0.3 * self._spread or time > self._give_up:
            self._goal = np.array([odometry.x, odometry.y]) + \
                self._rng.uniform(-1.0, 1.0, 2) * self._spread
            self._give_up = time + self._rng.uniform(4.0, 15.0)
        bearing = float(se2.wrap(math.atan2(ahead[1], ahead[0]) - odometry.yaw))
        yaw_rate = float(np.clip(self._gain * bearing, -self._yaw_rate, self._yaw_rate))
        return self._speed * max(0.0, math.cos(bearing)) ** 2, yaw_rate


class Follower:
    """Follows a closed path by pure pursuit, now and then with too short a lookahead."""

    def __init__(self, rng: np.random.Generator, speed: float, yaw_rate: float) -> None:
        """Command at most these speeds [m/s], [rad/s]."""
        self._max = yaw_rate
        self._pursuit = PurePursuit(
            random_loop(rng, speed * rng.uniform(15.0, 60.0)), speed * rng.uniform(0.4, 1.0),
            rng.uniform(0.5, 2.0))

    def command(self, time: float, odometry: Odometry | None) -> tuple[float, float]:
        """Return the command towards the path."""
        pose = np.zeros(3) if odometry is None else np.array(odometry[1:4])
        speed, yaw_rate = self._pursuit.command(pose)
        return speed, float(np.clip(yaw_rate, -self._max, self._max))


DRIVERS = (Steps, StopAndGo, Ramps, Smooth, Waypoints, Follower)


def _random_command(rng: np.random.Generator, speed: float, yaw_rate: float
                    ) -> tuple[float, float]:
    """Return a stop, a straight line, a turn on the spot or any arc."""
    kind = rng.choice(4, p=[0.15, 0.25, 0.15, 0.45])
    v = rng.uniform(-0.4, 1.0) * speed if kind in (1, 3) else 0.0
    w = rng.uniform(-1.0, 1.0) * yaw_rate if kind in (2, 3) else 0.0
    return v, w
