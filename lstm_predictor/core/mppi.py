"""
Plans velocity commands by trying many: model predictive path integral control.

After Williams et al., "Information theoretic MPC for model-based reinforcement learning" (ICRA
2017): sequences of commands are drawn around the last plan, rolled out in one batch, and their
mean, weighed by what they cost, is the new plan. What rolls them out is an argument: the learned
model, or a kinematic one. Parameter names are those of nav2_mppi_controller.
"""

from collections.abc import Callable

from lstm_predictor.core import se2
from lstm_predictor.core.artifact import Artifact, open_commands
from lstm_predictor.core.classical import integrate
from lstm_predictor.core.mppi_config import MppiConfig
from lstm_predictor.core.observer import Observer
from lstm_predictor.core.plan import Plan

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Commands (N, H, 2) to poses in the body frame of now (N, H, 3), and the standard deviation of
# the position at each step [m] (N, H), or zero where the model knows none.
Rollout = Callable[[Array], tuple[Array, Array]]


_FAR = 0.05  # [m], the unit of position in the costs
_TURNED = 0.3  # [rad], that of heading
_MOST_LATE = 10  # steps of the model that a plan may take


class Mppi:
    """Keeps the plan of commands from one cycle to the next."""

    def __init__(self, config: MppiConfig, most: tuple[float, float],
                 least: tuple[float, float]) -> None:
        """Take bounds of [speed [m/s], yaw rate [rad/s]]."""
        self.config = config
        self.limit(most, least)
        self._std = np.array([config.vx_std, config.wz_std])
        c = config
        at = np.linspace(0.0, c.knots - 1.0, c.time_steps)
        self._mixed = np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(c.knots)))  # (H, K)
        self.reset()

    def limit(self, most: tuple[float, float], least: tuple[float, float]) -> None:
        """Take other bounds of [speed [m/s], yaw rate [rad/s]]."""
        self._most, self._least = np.array(most), np.array(least)

    def reset(self) -> None:
        """Forget the plan of commands; the same draws follow again."""
        self._random = np.random.default_rng(self.config.seed)
        self.planned = np.zeros((self.config.time_steps, 2))  # [m/s], [rad/s] (H, 2)

    def advance(self, steps: float) -> None:
        """Let that many steps of the planned commands pass; the last one is held."""
        ahead = np.arange(self.config.time_steps) + steps
        self.planned = np.stack([
            np.interp(ahead, np.arange(self.config.time_steps), column)
            for column in self.planned.T], axis=1)

    def plan(self, targets: Array, last: Array, rollout: Rollout) -> Array:
        """
        Return the commands to give at each step (H, 2).

        `targets` are the places due at each step, [x, y, yaw] in the body frame of now (H, 3);
        `last` is the command in force (2,).
        """
        c = self.config
        drawn = self._random.standard_normal((c.batch_size, c.knots, 2))
        drawn[0] = 0.0  # the plan as it was
        noise = np.einsum('hk,nkc->nhc', self._mixed, drawn) * self._std
        commands = np.clip(self.planned + noise, self._least, self._most)
        poses, spread = rollout(commands)
        cost = self._cost(poses, spread, commands, targets, last)
        cost = np.where(np.isfinite(cost), cost, np.inf)
        if not np.isfinite(cost).any():
            self.reset()
            return self.planned
        least = cost.min()
        scale = max(float(np.median(cost[np.isfinite(cost)]) - least), 1e-6)
        weight = np.exp(-(cost - least) / (c.temperature * scale))
        self.planned = np.einsum('n,nhc->hc', weight / weight.sum(), commands)
        return self.planned

    def _cost(self, poses: Array, spread: Array, commands: Array, targets: Array, last: Array
              ) -> Array:
        """Return what each sequence costs (N,)."""
        c = self.config
        away = np.sum((poses[..., :2] - targets[:, :2]) ** 2, axis=-1) / _FAR ** 2
        turned = (se2.wrap(poses[..., 2] - targets[:, 2]) / _TURNED) ** 2
        before = np.concatenate(
            [np.broadcast_to(last, (len(commands), 1, 2)), commands[:, :-1]], axis=1)
        jumps = np.sum(((commands - before) / self._std) ** 2, axis=-1)
        return np.asarray(np.mean(
            c.path_weight * away + c.heading_weight * turned + c.smooth_weight * jumps
            + c.uncertainty_weight * (spread / _FAR) ** 2, axis=-1))


class MppiLaw:
    """Steers by the first command of a plan that is made anew every few periods."""

    def __init__(self, mppi: Mppi, every: int = 2, steps: float = 1.0) -> None:
        """Plan once in `every` calls, which are so many steps of the plan apart."""
        self.mppi = mppi
        self.every = every
        self.steps = steps
        self.rollout: Rollout = kinematic(mppi.config.model_dt)
        self.reset()

    def reset(self) -> None:
        """Forget the plan of commands."""
        self.mppi.reset()
        self._calls = 0
        self._plan: Plan | None = None
        self._last = np.zeros(2)

    def plans(self) -> bool:
        """Return whether the next call makes a new plan."""
        return self._calls % self.every == 0

    def __call__(self, plan: Plan, along: float, pose: Array, speed: float
                 ) -> tuple[float, float]:
        """Return speed [m/s] and yaw rate [rad/s]; a law of `Pursuit`."""
        if self._calls:
            self.mppi.advance(self.steps)
        if plan is not self._plan:
            self._plan, self._calls = plan, 0
        if self.plans():
            c = self.mppi.config
            due = targets(plan, along, pose, speed, c.time_steps, c.model_dt)
            self.mppi.plan(due, self._last, self.rollout)
        self._calls += 1
        self._last = self.mppi.planned[0].copy()
        return float(self._last[0]), float(self._last[1])


def kinematic(step: float) -> Rollout:
    """Return the rollout of a robot that does at once what it is told; `step` in [s]."""
    def rollout(commands: Array) -> tuple[Array, Array]:
        return integrate(commands, step), np.zeros(commands.shape[:2])
    return rollout


def learned(artifact: Artifact, window: Array, memory: Array, sent: Array = np.zeros((0, 2))
            ) -> Rollout:
    """
    Return the rollout by the model, from a robot's window (1, W, F) and memory.

    `sent` (K, 2) was commanded for the first steps; what is tried out comes after it.
    """
    def rollout(commands: Array) -> tuple[Array, Array]:
        count, steps = commands.shape[:2]
        begun = np.broadcast_to(sent, (count, *sent.shape))
        given = open_commands(count, artifact.contract.horizon)
        given[:, :steps, :2] = np.concatenate([begun, commands], axis=1)[:, :steps]
        given[:, :steps, 2] = 1.0
        poses, factors = artifact.predict(
            np.repeat(window, count, axis=0), given, np.repeat(memory, count, axis=0))
        spread = np.sqrt(np.sum(factors[:, :steps, :2] ** 2, axis=(-1, -2)))
        return poses[:, :steps], spread
    return rollout


def rollout_of(observer: Observer, step: float, late: float = 0.0) -> Rollout:
    """
    Return the rollout of an observed robot; without a window yet it is kinematic.

    The first command can be given so late [s] after the window's end.
    """
    if observer.rows is None or not observer.ready():
        return kinematic(step)
    passed = min(max(0, round(late / step)), _MOST_LATE)
    return learned(observer.artifact, observer.rows, observer.memory, observer.sent(passed))


def targets(plan: Plan, along: float, pose: Array, speed: float, steps: int, step: float
            ) -> Array:
    """Return where on the plan a robot that goes on from `along` [m] should be, as seen now."""
    due = np.minimum(along + speed * step * np.arange(1, steps + 1), plan.length)
    return se2.between(pose, plan.at(due))
