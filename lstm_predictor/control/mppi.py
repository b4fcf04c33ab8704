"""
Model predictive path integral control (MPPI) of the velocity command along a path.

After Williams et al., "Information theoretic MPC for model-based reinforcement learning" (ICRA
2017): sequences of commands are drawn around the last plan, rolled out in one batch, and their
mean, weighed by what they cost, is the new plan. What rolls them out is an argument: the learned
model, or a kinematic one. Parameter names are those of nav2_mppi_controller.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lstm_predictor.common import se2
from lstm_predictor.common.checks import require_not_negative, require_positive
from lstm_predictor.control.plan import Plan
from lstm_predictor.control.regulated_pure_pursuit import Law

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Commands (N, H, 2) to poses in the body frame of now (N, H, 3), and the standard deviation of
# the position at each step [m] (N, H), or zero where the model knows none.
Rollout = Callable[[Array], tuple[Array, Array]]

_POSITION_UNIT = 0.05  # [m], the unit of position in the costs
_HEADING_UNIT = 0.3  # [rad], that of heading


@dataclass(frozen=True)
class MppiConfig:
    """Samples, horizon and weights of the costs."""

    batch_size: int = 256  # command sequences per cycle
    time_steps: int = 30  # steps of a sequence
    model_dt: float = 0.05  # length of a step [s]
    knots: int = 6  # independent commands in a sequence; interpolated between them
    vx_std: float = 0.06  # standard deviation of the speed of a knot [m/s]
    wz_std: float = 0.5  # standard deviation of its yaw rate [rad/s]
    temperature: float = 0.08  # of the weights, as a fraction of the spread of the costs [-]
    path_weight: float = 1.0  # cost of 5 cm distance from the reference on the path [-]
    heading_weight: float = 0.1  # cost of 0.3 rad of heading error [-]
    smooth_weight: float = 0.03  # cost of a change of the command by its standard deviation [-]
    uncertainty_weight: float = 0.1  # cost of 5 cm of predicted standard deviation [-]
    seed: int = 0  # of the random sequences

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        require_positive(self, 'batch_size', 'time_steps', 'model_dt', 'knots', 'vx_std',
                         'wz_std', 'temperature')
        if not 2 <= self.knots <= self.time_steps:
            raise ValueError(
                f'knots must be 2 to {self.time_steps} (time_steps), is {self.knots}')
        require_not_negative(self, 'path_weight', 'heading_weight', 'smooth_weight',
                             'uncertainty_weight', 'seed')


class Mppi:
    """Sampling-based optimisation of a command sequence, kept from cycle to cycle."""

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
        away = np.sum((poses[..., :2] - targets[:, :2]) ** 2, axis=-1) / _POSITION_UNIT ** 2
        turned = (se2.wrap(poses[..., 2] - targets[:, 2]) / _HEADING_UNIT) ** 2
        before = np.concatenate(
            [np.broadcast_to(last, (len(commands), 1, 2)), commands[:, :-1]], axis=1)
        jumps = np.sum(((commands - before) / self._std) ** 2, axis=-1)
        return np.asarray(np.mean(
            c.path_weight * away + c.heading_weight * turned + c.smooth_weight * jumps
            + c.uncertainty_weight * (spread / _POSITION_UNIT) ** 2, axis=-1))


class MppiLaw:
    """Control law: the first command of a sequence that is optimised every few periods."""

    def __init__(self, mppi: Mppi, every: int = 2, steps: float = 1.0) -> None:
        """Plan once in `every` calls, which are so many steps of the plan apart."""
        self.mppi = mppi
        self.every = every
        self.steps = steps
        self.rollout: Rollout = kinematic(mppi.config.model_dt)
        self.instead: Law | None = None  # by what it steers while it does not plan
        self.plans_now = True  # false: the robot does not get the commands
        self.reset()

    def reset(self) -> None:
        """Forget the plan of commands."""
        self.mppi.reset()
        self._calls = 0
        self._plan: Plan | None = None
        self._last: Array = np.zeros(2)

    def plans(self) -> bool:
        """Return whether the next call makes a new plan."""
        return self._calls % self.every == 0

    def __call__(self, plan: Plan, along: float, pose: Array, speed: float
                 ) -> tuple[float, float]:
        """Return speed [m/s] and yaw rate [rad/s]; a law of `Pursuit`."""
        if self.instead is not None and not self.plans_now:
            # A plan of commands that are not obeyed grows wilder from one to the next.
            self._last = np.array(self.instead(plan, along, pose, speed), dtype=float)
            self.mppi.planned[:] = self._last
            self._calls = 0
            return float(self._last[0]), float(self._last[1])
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
    """Return the rollout of an ideal robot; `step` in [s]."""
    def rollout(commands: Array) -> tuple[Array, Array]:
        return se2.integrate(commands, step), np.zeros(commands.shape[:2])
    return rollout


def targets(plan: Plan, along: float, pose: Array, speed: float, steps: int, step: float
            ) -> Array:
    """Return where on the plan a robot that goes on from `along` [m] should be, as seen now."""
    due = np.minimum(along + speed * step * np.arange(1, steps + 1), plan.length)
    return se2.between(pose, plan.at(due))
