"""
Kinematic baselines: constant velocity, constant turn rate, delayed replay of commands.

Each has `predict(window (B, W, F), commands (B, H, 3)) -> poses (B, H, 3)` as the model file has;
`commands` is [speed [m/s], yaw rate [rad/s], 1 known or 0 unknown] per future step, poses are in
the body frame of the newest row. For an unknown command the last known one is held.
"""

from dataclasses import dataclass
from typing import Protocol

from lstm_predictor.common import se2
from lstm_predictor.model.window import FEATURE

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

TWIST = [FEATURE['speed'], FEATURE['yaw_rate']]
POSE_TWIST = [FEATURE['pose_speed'], FEATURE['pose_yaw_rate']]
COMMAND = [FEATURE['command_speed'], FEATURE['command_yaw_rate']]
COMMAND_VALID = FEATURE['command_valid']


class BaselinePredictor(Protocol):
    """Interface of every baseline."""

    def predict(self, window: Array, commands: Array) -> Array:
        """Return the poses at every future step: (B, H, 3)."""


def constant(twist: Array, horizon: int, step: float) -> Array:
    """Return the poses of robots that keep a twist (B, 2): (B, H, 3)."""
    motion = np.zeros((len(twist), 1, 3))
    motion[:, 0, [0, 2]] = twist
    return se2.exp(motion * (np.arange(1, horizon + 1)[:, None] * step))


def constant_velocity(window: Array, horizon: int, step: float) -> Array:
    """Return the poses of a robot that keeps its newest measured twist: (B, H, 3)."""
    return constant(np.asarray(window[:, -1, TWIST], dtype=float), horizon, step)


def faded(rows: Array, memory: ArrayLike) -> Array:
    """Return the mean of rows (B, W, 2), older ones by exp(-age / memory [rows]) less: (B, 2)."""
    age = np.arange(rows.shape[1])[::-1, None]
    weight = np.exp(-age / np.asarray(memory, dtype=float))
    return np.asarray(np.sum(rows * weight, axis=1) / np.sum(weight, axis=0))


def commanded(window: Array, commands: Array) -> Array:
    """
    Return the command in force from each row on, and from each future step: (B, W - 1 + H, 2).

    The first future step begins at the newest row. For unknown commands the last is held.
    """
    known = commands[..., 2] > 0.5
    steps = np.arange(1, commands.shape[1] + 1)
    newest = np.maximum.accumulate(known * steps, axis=1)  # 0: the one in force now
    plan = np.concatenate([window[:, -1:, COMMAND], commands[..., :2]], axis=1)
    ahead = np.take_along_axis(plan, newest[..., None], axis=1)
    return np.concatenate([window[:, :-1, COMMAND], ahead], axis=1)


@dataclass(frozen=True)
class ConstantVelocity:
    """Constant velocity: keeps the newest measured twist."""

    step: float = 0.05  # [s]

    def predict(self, window: Array, commands: Array) -> Array:
        """Return the poses at every future step: (B, H, 3)."""
        return constant_velocity(window, commands.shape[1], self.step)


@dataclass(frozen=True)
class ConstantTurn:
    """Constant turn rate and velocity: keeps the mean twist of the last rows."""

    step: float = 0.05  # [s]
    memory: tuple[float, float] = (2.0, 2.0)  # for speed and for yaw rate [rows]
    from_pose: float = 0.0  # share of the twist that is taken from the poses [-]

    def predict(self, window: Array, commands: Array) -> Array:
        """Return the poses at every future step: (B, H, 3)."""
        return constant(self.twist(window), commands.shape[1], self.step)

    def twist(self, window: Array) -> Array:
        """Return the filtered [speed [m/s], yaw rate [rad/s]] of the newest row: (B, 2)."""
        rows = window[:, -40:]
        measured = (1.0 - self.from_pose) * rows[..., TWIST] \
            + self.from_pose * rows[..., POSE_TWIST]
        return faded(measured, self.memory)


@dataclass(frozen=True)
class CommandReplay:
    """
    Replays the commands through an input delay and a first-order lag.

    What Nav2's MPPI and model predictive followers do with constants measured by hand.
    """

    step: float = 0.05  # [s]
    delay: ArrayLike = 0.2  # [s], one or one per window (B,)
    lag: ArrayLike = 0.15  # [s], likewise
    gain: tuple[float, float] = (1.0, 1.0)  # of speed and yaw rate over the command [-]
    now: ConstantTurn = ConstantTurn()  # the twist at the start

    def predict(self, window: Array, commands: Array) -> Array:
        """Return the poses at every future step: (B, H, 3)."""
        count, horizon = commands.shape[:2]
        asked = np.asarray(self.gain) * commanded(window, commands)
        delay = np.broadcast_to(np.asarray(self.delay, dtype=float) / self.step, (count,))
        stay = np.exp(-self.step / np.maximum(
            np.broadcast_to(np.asarray(self.lag, dtype=float), (count,)), 1e-3))[:, None]
        twist = self.now.twist(window)
        heard = window[:, -1, COMMAND_VALID, None] > 0.5
        twists = np.empty((count, horizon, 2))
        each = np.arange(count)
        for ahead in range(horizon):
            # The command of row i holds from that row on, so it moves the robot to row i + 1.
            at = np.clip(window.shape[1] - 1.0 + ahead - delay, 0.0, asked.shape[1] - 1.0)
            before = at.astype(int)
            share = (at - before)[:, None]
            after = np.minimum(before + 1, asked.shape[1] - 1)
            goal = (1.0 - share) * asked[each, before] + share * asked[each, after]
            before_step = twist
            twist = np.where(heard, goal + (twist - goal) * stay, twist)
            twists[:, ahead] = 0.5 * (before_step + twist)
        return se2.integrate(twists, self.step)
