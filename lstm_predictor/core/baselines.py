"""The classical predictors with the constants that a model file brings along for them."""

from dataclasses import replace
from typing import Any

from lstm_predictor.core.arx import Arx
from lstm_predictor.core.arx_online import ArxOnline
from lstm_predictor.core.classical import (
    Array, Classical, CommandReplay, ConstantTurn, ConstantVelocity, integrate)
from lstm_predictor.core.ekf import Ekf

import numpy as np

import torch

Constants = dict[str, Any]  # of each predictor, by name


class Linear:
    """The linear predictor in the model file, as it was fitted."""

    def __init__(self, arx: Arx, step: float) -> None:
        """Take the fitted weights; `step` in [s]."""
        self._arx = arx
        self._step = step

    def predict(self, window: Array, commands: Array) -> Array:
        """Return the poses at every future step: (B, H, 3)."""
        with torch.inference_mode():
            twists = self._arx(torch.from_numpy(np.asarray(window, dtype=np.float32)),
                               torch.from_numpy(np.asarray(commands, dtype=np.float32)))
        return integrate(twists.double().numpy(), self._step)


def constant_turn(constants: Constants, step: float) -> ConstantTurn:
    """Return constant turn rate and velocity, tuned."""
    return ConstantTurn(step=step, **_tuples(constants.get('constant_turn', {})))


def command_replay(constants: Constants, step: float) -> CommandReplay:
    """Return command replay with the mean delay and lag."""
    return CommandReplay(step=step, now=constant_turn(constants, step),
                         **_tuples(constants.get('command_replay_mean', {})))


def arx_online(constants: Constants, arx: Arx, step: float, known: bool = False) -> ArxOnline:
    """Return the linear predictor that adapts, tuned."""
    return ArxOnline(arx, step=step, known=known, **constants.get('arx_online', {}))


def baselines(constants: Constants, arx: Arx, step: float, known: bool, delay: float,
              lag: float) -> dict[str, Classical]:
    """
    Return every classical predictor, for one robot, by its name in the tables.

    `delay` and `lag` [s] are those of this robot where somebody measured them, else NaN.
    """
    replay = command_replay(constants, step)
    made: dict[str, Classical] = {
        'constant_velocity': ConstantVelocity(step),
        'constant_turn': constant_turn(constants, step),
        'command_replay_mean': replay,
        'arx': Linear(arx, step),
        'arx_online': arx_online(constants, arx, step, known),
        'ekf': Ekf(step=step, **_tuples(constants.get('ekf', {})))}
    if np.isfinite(delay):
        made['command_replay_told'] = replace(replay, delay=delay, lag=lag, gain=(1.0, 1.0))
    return made


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """Return constants as the dataclasses have them: JSON knows lists alone."""
    return {name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()}
