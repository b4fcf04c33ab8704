"""
Every prediction of every predictor is scored when its time comes, and the best one drives.

The robot's own odometry is the judge: no split of the training data stands for every robot. What
is scored are the poses at a few checkpoints, and whether the error lay in its 90 % region.
"""

from dataclasses import dataclass
import math
from typing import NamedTuple

from lstm_predictor.core.conformal import AdaptiveScales, reach
from lstm_predictor.core.handover import Handover
from lstm_predictor.core.pending import Outcome, Pending

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CHECKPOINTS = (0.1, 0.2, 0.5, 1.0, 2.0)  # ahead [s]
_FARTHEST = 1e4  # no robot gets there within a horizon [m], [rad]
# Errors that make no difference grow so fast with the time ahead: position, heading.
_FLOOR = (0.002, 0.01)  # [m/s], [rad/s]
_LONGEST = 1.0  # what one prediction may stand for in the memory [s]


@dataclass(frozen=True)
class SupervisorConfig:
    """How much the errors seen so far decide."""

    memory: float = 5.0  # time after which an error counts for 37 % [s]
    margin: float = 0.05  # by which another predictor must be better to take over [-]
    dwell: float = 1.0  # least time from one handover to the next [s]
    least_scores: int = 40  # at a checkpoint before it decides anything
    scale_rate: float = 0.05  # how far one error moves the log of its region's size [-]
    min_scale: float = 0.3  # of the model's error region [-]
    max_scale: float = 10.0  # [-]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        for name in ('memory', 'scale_rate'):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(
                    f'{name} must be positive and finite, is {getattr(self, name)}')
        for name in ('margin', 'dwell', 'least_scores'):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f'{name} must be finite and not negative, is {getattr(self, name)}')
        if not 0.0 < self.min_scale <= 1.0:
            raise ValueError(f'min_scale must lie between 0 and 1, is {self.min_scale}')
        if not 1.0 <= self.max_scale < math.inf:
            raise ValueError(f'max_scale must be finite and at least 1, is {self.max_scale}')


class Verdict(NamedTuple):
    """What is to be published."""

    name: str  # of the predictor
    poses: Array  # body frame of the anchor, (H, 3)
    factors: Array  # of their error, scaled to the errors seen, (H, 3, 3)
    reason: str  # why it is not the first one; empty where it is


class Errors(NamedTuple):
    """The running errors of one predictor at each checkpoint, not a number before a score."""

    position: Array  # RMS [m], (K,)
    heading: Array  # RMS [rad], (K,)
    coverage: Array  # share of the errors inside the 90 % region as it was widened, (K,)


class Supervisor:
    """Scores candidates against the odometry and says which of them is published."""

    def __init__(self, names: tuple[str, ...], horizon: int, step_ns: int,
                 config: SupervisorConfig) -> None:
        """Prefer the first name until another is better; paths have `horizon` steps."""
        self.names = names
        self.config = config
        step = 1e-9 * step_ns
        steps = sorted({min(max(round(at / step), 1), horizon) for at in CHECKPOINTS})
        self._steps = np.array(steps, dtype=np.int64)
        self.checkpoints = self._steps * step  # [s], (K,)
        self._ahead = np.arange(1, horizon + 1) * step  # [s], (H,)
        self._floor = np.multiply.outer(_FLOOR, self.checkpoints)[:, None] ** 2  # (2, 1, K)
        self._handover = Handover(math.log1p(config.margin), config.dwell)
        shape = len(names), len(steps)
        self._scales = AdaptiveScales(
            shape, config.scale_rate, (config.min_scale, config.max_scale))
        self._pending = Pending(len(names), self._steps * step_ns, 2 * horizon)
        # Faded sums over the scores: how many, position^2, heading^2, how many inside.
        self._sums = np.zeros((4, *shape))
        self._counts = np.zeros(len(steps), dtype=np.int64)
        self.reset()

    def reset(self) -> None:
        """Forget every error and start anew with the first name."""
        self._handover.reset()
        self._scales.reset()
        self._pending.reset()
        self._sums[:] = 0.0
        self._counts[:] = 0
        self._factors: Array | None = None  # the newest that were finite

    def observe(self, stamp_ns: int, pose: Array) -> None:
        """Score what was predicted for the time up to an odometry pose (3,), newer than before."""
        with np.errstate(all='ignore'):  # what is not finite is left out below
            for outcome in self._pending.outcomes(stamp_ns, pose):
                self._score(outcome)

    def judge(self, anchor_ns: int, anchor: Array, candidates: dict[str, Array], factors: Array,
              inside: bool) -> Verdict:
        """
        Return what is to be published, and remember all candidates until their time comes.

        `candidates` are paths (H, 3) by name, in the body frame of the pose `anchor` (3,);
        `factors` (H, 3, 3) are the error factors of the first. `inside` tells whether it is
        within what it was trained for; it does not drive outside.
        """
        paths = np.array([candidates[name] for name in self.names])  # (C, H, 3)
        may = (np.abs(paths) < _FARTHEST).all(axis=(1, 2))
        finite = bool(may[0])
        paths[~may] = math.nan
        if np.isfinite(factors).all():
            self._factors = factors
        if self._factors is None:
            return Verdict(self.names[0], paths[0], factors, '')
        at = self._steps - 1
        scales = self._scales.values
        self._pending.add(anchor_ns, anchor, paths[:, at], self._factors[at], scales)
        costs = self._costs()
        may[0] &= inside or not may[1:].any()
        chosen = self._handover.choose(anchor_ns, costs, may)
        widened = np.interp(self._ahead, self.checkpoints, scales[chosen])
        return Verdict(self.names[chosen], paths[chosen], self._factors * widened[:, None, None],
                       self._reason(chosen, costs, finite, inside))

    def errors(self, name: str) -> Errors:
        """Return the running errors of a predictor."""
        weight, position, heading, inside = self._sums[:, self.names.index(name)]
        with np.errstate(invalid='ignore'):
            return Errors(np.sqrt(position / weight), np.sqrt(heading / weight), inside / weight)

    def _score(self, outcome: Outcome) -> None:
        at, errors = outcome.at, outcome.errors
        squares = errors * errors
        new = np.empty((4, *squares.shape[:2]))
        new[0] = 1.0
        new[1] = squares[..., 0] + squares[..., 1]
        new[2] = squares[..., 2]
        new[3] = reach(errors, outcome.factors) <= outcome.scales
        good = new[1] + new[2] < _FARTHEST ** 2  # nothing else may spoil the sums for good
        fade = np.exp(np.minimum(outcome.elapsed, _LONGEST) / -self.config.memory)
        self._sums[:, :, at] = self._sums[:, :, at] * fade + np.where(good, new, 0.0)
        self._counts[at] += 1
        self._scales.learn(at, 1.0 - new[3], good)

    def _costs(self) -> Array:
        """Return the log of each one's RMS error, the mean over all that is scored: (C,)."""
        enough = self._counts >= max(self.config.least_scores, 1)
        if not enough.any():
            return np.zeros(len(self.names))
        with np.errstate(invalid='ignore'):
            logs = np.log(self._sums[1:3] / self._sums[0] + self._floor)  # (2, C, K)
        costs = 0.25 * logs.sum(axis=0)[:, enough].mean(axis=1)
        return np.where(np.isnan(costs), math.inf, costs)

    def _reason(self, chosen: int, costs: Array, finite: bool, inside: bool) -> str:
        first = self.names[0]
        if chosen == 0:
            return ''
        if not finite:
            return f'{first} gave a value that is not finite'
        if not inside:
            return f'{first} is outside of what it was trained for'
        worse = math.exp(min(costs[0] - costs[chosen], 99.0))
        if worse < 1.0:
            return f'{first} is not yet better by {100.0 * self.config.margin:g} %'
        return f'{first} is {worse:.2f} times worse over the last {self.config.memory:g} s'
