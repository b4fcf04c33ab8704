"""Tuning of the constants of the classical predictors on the training data."""

from collections.abc import Callable
from typing import Any

from lstm_predictor.baselines.adaptive_arx import AdaptiveArx
from lstm_predictor.baselines.ekf import Ekf
from lstm_predictor.baselines.kinematic import (
    Array, BaselinePredictor, CommandReplay, ConstantTurn)
from lstm_predictor.baselines.registry import Constants
from lstm_predictor.common import metrics
from lstm_predictor.model.linear_prior import Arx
from lstm_predictor.training.dataset import Examples

import numpy as np

from scipy.optimize import minimize

_MAX_EVALUATIONS = 300  # evaluations per predictor


def tune(examples: Examples, error_scales: Array, sequences: list[Examples], arx: Arx,
         rate: float) -> Constants:
    """
    Return the constants of all predictors.

    `examples` are a few thousand windows drawn from the training data and `error_scales` the RMS
    error of constant velocity in the track of each (n, H, 2); `sequences` are whole tracks,
    for the predictor that adapts.
    """
    step = 1.0 / rate
    objective = _Objective(examples, error_scales, rate)
    turn = objective.minimised(
        lambda p: ConstantTurn(step, (_up(p[0]), _up(p[1])), _share(p[2])), [0.7, 0.7, 0.0])
    replay = objective.minimised(
        lambda p: CommandReplay(step, _up(p[0]), _up(p[1]), (_up(p[2]), _up(p[3])), turn),
        [-1.6, -1.6, 0.0, 0.0])
    ekf = objective.minimised(lambda p: Ekf(
        step, _up(p[0]), (_up(p[1]), _up(p[2])), (_up(p[3]), _up(p[4])), _up(p[5]), _up(p[6]),
        (_up(p[7]), _up(p[8])), (_up(p[9]), _up(p[10])), _up(p[11])),
        [-1.6, -1.6, -1.6, -1.2, -1.2, -2.3, -1.2, -3.0, -3.0, -3.0, -3.0, -3.0])
    return {'constant_turn': _constants(turn, 'memory', 'from_pose'),
            'command_replay_mean': _constants(replay, 'delay', 'lag', 'gain'),
            'ekf': _constants(ekf, *(name for name in vars(ekf) if name != 'step')),
            'arx_online': _best_adaptation(sequences, arx, rate)}


class _Objective:
    """The error of a predictor on some examples, as a function of its constants."""

    def __init__(self, examples: Examples, error_scales: Array, rate: float) -> None:
        self._steps = metrics.steps_of(metrics.HORIZONS, rate)
        self._window = examples.windows.astype(float)
        self._commands = np.zeros(examples.commands.shape)
        self._true = examples.futures[:, self._steps].astype(float)
        self._size = error_scales[:, self._steps]

    def minimised(self, make: Callable[[Any], Any], start: list[float]) -> Any:
        """Return the predictor with the constants that Nelder-Mead finds."""
        found = minimize(lambda p: self._cost(make(p)), start, method='Nelder-Mead', options={
            'maxfev': _MAX_EVALUATIONS, 'initial_simplex': _simplex(start)})
        return make(found.x)

    def _cost(self, predictor: BaselinePredictor) -> float:
        """Return the mean of the logarithms of all errors, each relative to its error scale."""
        poses = predictor.predict(self._window, self._commands)[:, self._steps]
        errors = np.stack([metrics.position_error(poses, self._true),
                           metrics.heading_error(poses, self._true)], axis=-1) / self._size
        return float(np.log(metrics.rms(errors) + 1e-9).mean())


def _best_adaptation(sequences: list[Examples], arx: Arx, rate: float) -> dict[str, float]:
    """Return the best trust and forgetting factor on these tracks, of a few each."""
    steps = metrics.steps_of(metrics.HORIZONS, rate)
    costs = {}
    for trust in (100.0, 300.0, 1000.0, 3000.0, 10000.0):
        for forget in (0.998, 0.9995, 1.0):
            logs = []
            for part in sequences:
                predictor = AdaptiveArx(arx, 1.0 / rate, trust, forget)
                poses = predictor.predict(
                    part.windows.astype(float), np.zeros(part.commands.shape))[:, steps]
                true = part.futures[:, steps].astype(float)
                errors = np.stack([metrics.position_error(poses, true),
                                   metrics.heading_error(poses, true)], axis=-1)
                logs.append(np.log(metrics.rms(errors) + 1e-6).mean())
            costs[trust, forget] = float(np.mean(logs))
    trust, forget = min(costs, key=lambda pair: costs[pair])
    return {'trust': trust, 'forget': forget}


def _simplex(start: list[float]) -> Array:
    """Return a first simplex as wide as the parameters, most of them logarithms, differ."""
    corner = np.array(start)
    return np.concatenate([corner[None], corner + 0.5 * np.eye(len(start))])


def _up(logarithm: float) -> float:
    return float(np.exp(np.clip(logarithm, -7.0, 5.0)))


def _share(value: float) -> float:
    return float(np.clip(value, 0.0, 1.0))


def _constants(predictor: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(predictor, name) for name in names}
