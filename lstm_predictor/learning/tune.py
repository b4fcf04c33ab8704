"""The constants of the classical predictors, chosen as carefully as the weights of the network."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lstm_predictor.core.arx import Arx
from lstm_predictor.core.arx_online import ArxOnline
from lstm_predictor.core.baselines import Constants
from lstm_predictor.core.classical import Array, Classical, CommandReplay, ConstantTurn
from lstm_predictor.core.ekf import Ekf
from lstm_predictor.learning import metrics
from lstm_predictor.learning.dataset import Examples

import numpy as np

from scipy.optimize import minimize

_TRIES = 300  # evaluations per predictor


def tuned(examples: Examples, yardsticks: Array, sequences: list[Examples], arx: Arx,
          rate: float) -> Constants:
    """
    Return the constants of all predictors.

    `examples` are a few thousand windows drawn from the training data and `yardsticks` the RMS
    error of constant velocity in the track of each (n, H, 2); `sequences` are whole tracks,
    for the predictor that adapts.
    """
    step = 1.0 / rate
    judge = _Judge(examples, yardsticks, rate)
    turn = judge.best(
        lambda p: ConstantTurn(step, (_up(p[0]), _up(p[1])), _share(p[2])), [0.7, 0.7, 0.0])
    replay = judge.best(
        lambda p: CommandReplay(step, _up(p[0]), _up(p[1]), (_up(p[2]), _up(p[3])), turn),
        [-1.6, -1.6, 0.0, 0.0])
    ekf = judge.best(lambda p: Ekf(
        step, _up(p[0]), (_up(p[1]), _up(p[2])), (_up(p[3]), _up(p[4])), _up(p[5]), _up(p[6]),
        (_up(p[7]), _up(p[8])), (_up(p[9]), _up(p[10])), _up(p[11])),
        [-1.6, -1.6, -1.6, -1.2, -1.2, -2.3, -1.2, -3.0, -3.0, -3.0, -3.0, -3.0])
    return {'constant_turn': _plain(turn, 'memory', 'from_pose'),
            'command_replay_mean': _plain(replay, 'delay', 'lag', 'gain'),
            'ekf': _plain(ekf, *(name for name in vars(ekf) if name != 'step')),
            'arx_online': _best_adaptation(sequences, arx, rate)}


class _Judge:
    """How well a predictor does on some examples, and how to make it do better."""

    def __init__(self, examples: Examples, yardsticks: Array, rate: float) -> None:
        self._steps = metrics.steps_of(metrics.HORIZONS, rate)
        self._window = examples.windows.astype(float)
        self._commands = np.zeros(examples.commands.shape)
        self._later = examples.futures[:, self._steps].astype(float)
        self._size = yardsticks[:, self._steps]

    def best(self, make: Callable[[Any], Any], start: list[float]) -> Any:
        """Return the predictor of the parameters that Nelder and Mead's search ends with."""
        found = minimize(lambda p: self._cost(make(p)), start, method='Nelder-Mead', options={
            'maxfev': _TRIES, 'initial_simplex': _simplex(start)})
        return make(found.x)

    def _cost(self, predictor: Classical) -> float:
        """Return the mean of the logarithms of all errors, each relative to its yardstick."""
        poses = predictor.predict(self._window, self._commands)[:, self._steps]
        errors = np.stack([metrics.position_error(poses, self._later),
                           metrics.heading_error(poses, self._later)], axis=-1) / self._size
        return float(np.log(metrics.rms(errors) + 1e-9).mean())


def _best_adaptation(sequences: list[Examples], arx: Arx, rate: float) -> dict[str, float]:
    """Return the trust and forgetting that serve these tracks best, of a few each."""
    steps = metrics.steps_of(metrics.HORIZONS, rate)
    costs = {}
    for trust in (100.0, 300.0, 1000.0, 3000.0, 10000.0):
        for forget in (0.998, 0.9995, 1.0):
            logs = []
            for part in sequences:
                predictor = ArxOnline(arx, 1.0 / rate, trust, forget)
                poses = predictor.predict(
                    part.windows.astype(float), np.zeros(part.commands.shape))[:, steps]
                later = part.futures[:, steps].astype(float)
                errors = np.stack([metrics.position_error(poses, later),
                                   metrics.heading_error(poses, later)], axis=-1)
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


def _plain(predictor: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(replace(predictor), name) for name in names}
