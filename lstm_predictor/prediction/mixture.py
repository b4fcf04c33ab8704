"""
Online mixture of predictors, weighted by their recent errors against the odometry.

Every prediction is scored once the odometry reaches its time, at a few checkpoints ahead: its
error, and whether that lay in its 90 % confidence region. The published path is the weighted mean
of all predictors, with a weight for each checkpoint, position and heading apart; a clearly better
predictor has nearly all of it. A mean errs less than a switch, which comes late and is arbitrary
where two are alike.
"""

from dataclasses import dataclass
import math
from typing import NamedTuple

from lstm_predictor.common import se2
from lstm_predictor.common.checks import require_positive, require_range
from lstm_predictor.common.uncertainty import normalized_distance
from lstm_predictor.prediction.conformal import AdaptiveScales
from lstm_predictor.prediction.online_scoring import PendingPredictions, ScoredPredictions

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CHECKPOINTS = (0.1, 0.2, 0.5, 1.0, 2.0)  # ahead [s]
_MAX_DISTANCE = 1e4  # no robot gets there within a horizon [m], [rad]
# Negligible errors grow with the time ahead at this rate: position, heading.
_FLOOR = (0.002, 0.01)  # [m/s], [rad/s]
_MAX_ELAPSED = 1.0  # time that one prediction may stand for in the running errors [s]


@dataclass(frozen=True)
class MixtureConfig:
    """How the weights follow the errors, and how the covariance is scaled."""

    score_time_constant: float = 20.0  # after which an error counts for 37 % [s]
    weight_exponent: float = 8.0  # power of the RMS error by which a weight falls [-]
    prior_score_count: float = 10.0  # scores that the prior weights count for [-]
    fallback_error_penalty: float = 1.5  # of their RMS errors in the prior weights [-]
    covariance_scale_rate: float = 0.05  # step of the log of a region's size per error [-]
    min_covariance_scale: float = 0.3  # of the standard deviations, at least [-]
    max_covariance_scale: float = 10.0  # likewise, at most [-]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        require_positive(self, *vars(self))
        require_range(self, 0.0, 1.0, 'min_covariance_scale')
        require_range(self, 1.0, math.inf, 'max_covariance_scale')


class MixtureOutput(NamedTuple):
    """The mixed prediction."""

    name: str  # of the predictor with the largest weight
    poses: Array  # body frame of the reference pose, (H, 3)
    factors: Array  # Cholesky factors of the covariance, scaled online, (H, 3, 3)
    reason: str  # why it is not the first one; empty where it is


class Errors(NamedTuple):
    """The running errors of one predictor at each checkpoint; NaN before the first score."""

    position: Array  # RMS [m], (K,)
    heading: Array  # RMS [rad], (K,)
    coverage: Array  # fraction of the errors inside the scaled 90 % region, (K,)


class PredictorMixture:
    """Scores predictors against the odometry and returns their weighted mean."""

    def __init__(self, names: tuple[str, ...], horizon: int, step_ns: int,
                 config: MixtureConfig) -> None:
        """Start with the first name alone; paths have `horizon` steps."""
        self.names = names
        self.config = config
        step = 1e-9 * step_ns
        steps = sorted({min(max(round(at / step), 1), horizon) for at in CHECKPOINTS})
        self._steps = np.array(steps, dtype=np.int64)
        self.checkpoints = self._steps * step  # [s], (K,)
        self._ahead = np.arange(1, horizon + 1) * step  # [s], (H,)
        self._floor = np.multiply.outer(_FLOOR, self.checkpoints)[:, None] ** 2  # (2, 1, K)
        shape = len(names) + 1, len(steps)  # the last one is the mixture
        self._scales = AdaptiveScales(
            shape, config.covariance_scale_rate,
            (config.min_covariance_scale, config.max_covariance_scale))
        self._pending = PendingPredictions(shape[0], self._steps * step_ns, 2 * horizon)
        # Exponentially faded sums: count, position^2, heading^2, count inside the region.
        self._sums = np.zeros((4, *shape))
        self._penalties = np.full((len(names), 1), config.fallback_error_penalty ** 2)
        self._penalties[0] = 1.0
        self.reset()

    def reset(self) -> None:
        """Forget every error and start with the first name."""
        self._scales.reset()
        self._pending.reset()
        self._sums[:] = 0.0
        self.weights = np.eye(len(self.names))[0]  # mean weight of each name, (C,)
        self._factors: Array | None = None  # the newest that were finite

    def state(self) -> tuple[Array, Array]:
        """Return a copy of the running errors and of the covariance scales."""
        return self._sums.copy(), self._scales.values.copy()

    def restore(self, state: tuple[Array, Array]) -> None:
        """Go on from a state; pending predictions are dropped."""
        self._sums[:] = state[0]
        self._scales.restore(state[1])
        self._pending.reset()

    def observe(self, stamp_ns: int, pose: Array) -> None:
        """Score the pending predictions up to the time of a newer odometry pose (3,)."""
        with np.errstate(all='ignore'):  # values that are not finite are left out below
            for outcome in self._pending.outcomes(stamp_ns, pose):
                self._score(outcome)

    def combine(self, anchor_ns: int, anchor: Array, candidates: dict[str, Array], factors: Array,
                in_distribution: bool) -> MixtureOutput:
        """
        Return the mixture, and keep all candidates until they can be scored.

        `candidates` are paths (H, 3) by name, in the body frame of the pose `anchor` (3,);
        `factors` (H, 3, 3) are the Cholesky factors of the first one's error covariance. Its
        weight is zero where its input is not `in_distribution`, that of its training.
        """
        paths = np.array([candidates[name] for name in self.names])  # (C, H, 3)
        may = (np.abs(paths) < _MAX_DISTANCE).all(axis=(1, 2))
        finite = bool(may[0])
        paths[~may] = math.nan
        if np.isfinite(factors).all():
            self._factors = factors
        if self._factors is None or not may.any():
            return MixtureOutput(self.names[0], paths[0], factors, '')
        may[0] &= in_distribution or not may[1:].any()
        squares = self._squares()
        weights = squares ** (-0.5 * self.config.weight_exponent) * may[:, None]
        weights /= weights.sum(axis=1, keepdims=True)  # (2, C, K)
        self.weights = weights.mean(axis=(0, 2))
        published = self._weighted_mean(paths, weights, may)
        at, scales = self._steps - 1, self._scales.values
        points = np.concatenate([paths[:, at], published[None, at]])
        self._pending.add(anchor_ns, anchor, points, self._factors[at], scales)
        widened = np.interp(self._ahead, self.checkpoints, scales[-1])
        chosen = int(np.argmax(self.weights))
        return MixtureOutput(
            self.names[chosen], published, self._factors * widened[:, None, None],
            self._reason(chosen, finite, in_distribution))

    def _weighted_mean(self, paths: Array, weights: Array, may: NDArray[np.bool_]) -> Array:
        """Return the mean (H, 3) of those paths (C, H, 3) that may, by weights (2, C, K)."""
        result = np.zeros_like(paths[0])
        reference = paths[int(np.argmax(may)), :, 2]
        for c in np.flatnonzero(may):
            position, heading = (
                np.interp(self._ahead, self.checkpoints, weight[c]) for weight in weights)
            result[:, :2] += position[:, None] * paths[c, :, :2]
            result[:, 2] += heading * se2.wrap(paths[c, :, 2] - reference)
        result[:, 2] += reference
        return np.asarray(result)

    def errors(self, name: str) -> Errors:
        """Return the running errors of a predictor, or of the mixture, 'published'."""
        index = -1 if name == 'published' else self.names.index(name)
        weight, position, heading, inside = self._sums[:, index]
        with np.errstate(invalid='ignore'):
            return Errors(np.sqrt(position / weight), np.sqrt(heading / weight), inside / weight)

    def _score(self, outcome: ScoredPredictions) -> None:
        at, errors = outcome.at, outcome.errors
        squares = errors * errors
        new = np.empty((4, *squares.shape[:2]))
        new[0] = 1.0
        new[1] = squares[..., 0] + squares[..., 1]
        new[2] = squares[..., 2]
        new[3] = normalized_distance(errors, outcome.factors) <= outcome.scales
        good = new[1] + new[2] < _MAX_DISTANCE ** 2  # else it would stay in the sums
        fade = np.exp(np.minimum(outcome.elapsed, _MAX_ELAPSED) / -self.config.score_time_constant)
        self._sums[:, :, at] = self._sums[:, :, at] * fade + np.where(good, new, 0.0)
        self._scales.update(at, 1.0 - new[3], good)

    def _squares(self) -> Array:
        """Return the mean square error of each predictor, prior included: (2, C, K)."""
        count, sums = self._sums[0, :-1], self._sums[1:3, :-1]
        # A priori all are as good as their mean, but for the penalty of the fallbacks.
        typical = sums.sum(axis=1, keepdims=True) / np.maximum(count.sum(axis=0), 1.0) \
            + self._floor
        prior = self.config.prior_score_count
        assumed = prior * typical * self._penalties
        return np.asarray((sums + assumed) / (count + prior) + self._floor)

    def _reason(self, chosen: int, finite: bool, in_distribution: bool) -> str:
        first = self.names[0]
        if chosen == 0:
            return ''
        if not finite:
            return f'{first} gave a value that is not finite'
        if not in_distribution:
            return f'{first} is outside of what it was trained for'
        with np.errstate(invalid='ignore'):
            squares = self._sums[1:3] / self._sums[0] + self._floor  # (2, C + 1, K)
        ratios = np.log(squares[:, 0] / squares[:, chosen])
        if np.isnan(ratios).all():
            return f'{first} has not been judged yet'
        worse = math.exp(0.5 * float(np.nanmean(ratios)))
        if worse < 1.0:  # at few horizons, which weigh more
            return f'{self.names[chosen]} is better than {first} at some horizons'
        return f'{first} is {worse:.2f} times worse over the last ' \
               f'{self.config.score_time_constant:g} s'
