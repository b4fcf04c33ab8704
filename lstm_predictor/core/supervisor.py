"""
Every prediction of every predictor is scored when its time comes, and the better ones decide.

What is published is a mean of all, near and far poses, positions and headings each weighed by the
errors seen there lately: who is clearly better has it nearly alone. A mean errs less than a
choice, which comes late and is wrong where two are alike.

The robot's own odometry is the judge: no split of the training data stands for every robot. What
is scored are the poses at a few checkpoints, and whether the error lay in its 90 % region.
"""

from dataclasses import dataclass
import math
from typing import NamedTuple

from lstm_predictor.core import se2
from lstm_predictor.core.conformal import AdaptiveScales, reach
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

    memory: float = 20.0  # time after which an error counts for 37 % [s]
    sharpness: float = 8.0  # power of the RMS error by which a share falls [-]
    trial: float = 10.0  # scores that the first judgement counts for [-]
    handicap: float = 1.5  # of the others' RMS errors in the first judgement [-]
    scale_rate: float = 0.05  # how far one error moves the log of its region's size [-]
    min_scale: float = 0.3  # of the model's error region [-]
    max_scale: float = 10.0  # [-]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        for name in ('memory', 'sharpness', 'trial', 'handicap', 'scale_rate'):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(
                    f'{name} must be positive and finite, is {getattr(self, name)}')
        if not 0.0 < self.min_scale <= 1.0:
            raise ValueError(f'min_scale must lie between 0 and 1, is {self.min_scale}')
        if not 1.0 <= self.max_scale < math.inf:
            raise ValueError(f'max_scale must be finite and at least 1, is {self.max_scale}')


class Verdict(NamedTuple):
    """What is to be published."""

    name: str  # of the predictor that has the largest share
    poses: Array  # body frame of the anchor, (H, 3)
    factors: Array  # of their error, scaled to the errors seen, (H, 3, 3)
    reason: str  # why it is not the first one; empty where it is


class Errors(NamedTuple):
    """The running errors of one predictor at each checkpoint, not a number before a score."""

    position: Array  # RMS [m], (K,)
    heading: Array  # RMS [rad], (K,)
    coverage: Array  # share of the errors inside the 90 % region as it was widened, (K,)


class Supervisor:
    """Scores candidates against the odometry and weighs them into what is published."""

    def __init__(self, names: tuple[str, ...], horizon: int, step_ns: int,
                 config: SupervisorConfig) -> None:
        """Trust the first name until another is better; paths have `horizon` steps."""
        self.names = names
        self.config = config
        step = 1e-9 * step_ns
        steps = sorted({min(max(round(at / step), 1), horizon) for at in CHECKPOINTS})
        self._steps = np.array(steps, dtype=np.int64)
        self.checkpoints = self._steps * step  # [s], (K,)
        self._ahead = np.arange(1, horizon + 1) * step  # [s], (H,)
        self._floor = np.multiply.outer(_FLOOR, self.checkpoints)[:, None] ** 2  # (2, 1, K)
        shape = len(names) + 1, len(steps)  # the last one is what is published
        self._scales = AdaptiveScales(
            shape, config.scale_rate, (config.min_scale, config.max_scale))
        self._pending = Pending(shape[0], self._steps * step_ns, 2 * horizon)
        # Faded sums over the scores: how many, position^2, heading^2, how many inside.
        self._sums = np.zeros((4, *shape))
        self._first = np.full((len(names), 1), config.handicap ** 2)
        self._first[0] = 1.0
        self.reset()

    def reset(self) -> None:
        """Forget every error and start anew with the first name."""
        self._scales.reset()
        self._pending.reset()
        self._sums[:] = 0.0
        self.shares = np.eye(len(self.names))[0]  # of each name in what is published, (C,)
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
        within what it was trained for; it has no share outside.
        """
        paths = np.array([candidates[name] for name in self.names])  # (C, H, 3)
        may = (np.abs(paths) < _FARTHEST).all(axis=(1, 2))
        finite = bool(may[0])
        paths[~may] = math.nan
        if np.isfinite(factors).all():
            self._factors = factors
        if self._factors is None or not may.any():
            return Verdict(self.names[0], paths[0], factors, '')
        may[0] &= inside or not may[1:].any()
        squares = self._squares()
        shares = squares ** (-0.5 * self.config.sharpness) * may[:, None]
        shares /= shares.sum(axis=1, keepdims=True)  # (2, C, K)
        self.shares = shares.mean(axis=(0, 2))
        published = self._weighed(paths, shares, may)
        at, scales = self._steps - 1, self._scales.values
        points = np.concatenate([paths[:, at], published[None, at]])
        self._pending.add(anchor_ns, anchor, points, self._factors[at], scales)
        widened = np.interp(self._ahead, self.checkpoints, scales[-1])
        chosen = int(np.argmax(self.shares))
        return Verdict(
            self.names[chosen], published, self._factors * widened[:, None, None],
            self._reason(chosen, finite, inside))

    def _weighed(self, paths: Array, shares: Array, may: NDArray[np.bool_]) -> Array:
        """Return the mean (H, 3) of those paths (C, H, 3) that may, by their shares (2, C, K)."""
        result = np.zeros_like(paths[0])
        reference = paths[int(np.argmax(may)), :, 2]
        for c in np.flatnonzero(may):
            position, heading = (
                np.interp(self._ahead, self.checkpoints, share[c]) for share in shares)
            result[:, :2] += position[:, None] * paths[c, :, :2]
            result[:, 2] += heading * se2.wrap(paths[c, :, 2] - reference)
        result[:, 2] += reference
        return np.asarray(result)

    def errors(self, name: str) -> Errors:
        """Return the running errors of a predictor, or of what is 'published'."""
        index = -1 if name == 'published' else self.names.index(name)
        weight, position, heading, inside = self._sums[:, index]
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
        self._scales.learn(at, 1.0 - new[3], good)

    def _squares(self) -> Array:
        """Return the mean square error of each, as far as it can be told: (2, C, K)."""
        count, sums = self._sums[0, :-1], self._sums[1:3, :-1]
        # Of the first judgement all are as good as their mean, but for the handicap.
        typical = sums.sum(axis=1, keepdims=True) / np.maximum(count.sum(axis=0), 1.0) \
            + self._floor
        trial = self.config.trial
        return np.asarray((sums + trial * typical * self._first) / (count + trial) + self._floor)

    def _reason(self, chosen: int, finite: bool, inside: bool) -> str:
        first = self.names[0]
        if chosen == 0:
            return ''
        if not finite:
            return f'{first} gave a value that is not finite'
        if not inside:
            return f'{first} is outside of what it was trained for'
        with np.errstate(invalid='ignore'):
            squares = self._sums[1:3] / self._sums[0] + self._floor  # (2, C + 1, K)
        ratios = np.log(squares[:, 0] / squares[:, chosen])
        if np.isnan(ratios).all():
            return f'{first} has not been judged yet'
        worse = math.exp(0.5 * float(np.nanmean(ratios)))
        if worse < 1.0:  # at few horizons, which weigh more
            return f'{self.names[chosen]} is better than {first} at some horizons'
        return f'{first} is {worse:.2f} times worse over the last {self.config.memory:g} s'
