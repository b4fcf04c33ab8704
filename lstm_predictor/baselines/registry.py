"""Makes the baselines with the tuned constants in a model file, and checks that they run."""

from dataclasses import replace
import math
from typing import Any

from lstm_predictor.baselines.adaptive_arx import AdaptiveArx
from lstm_predictor.baselines.ekf import Ekf
from lstm_predictor.baselines.kinematic import (
    Array, BaselinePredictor, CommandReplay, ConstantTurn, ConstantVelocity)
from lstm_predictor.common import se2
from lstm_predictor.model.linear_prior import Arx
from lstm_predictor.model.model_file import LoadedModel, ModelFileError, open_commands
from lstm_predictor.model.window import FEATURES

import numpy as np

import torch

Constants = dict[str, Any]  # of each baseline, by name


class Linear:
    """The linear predictor (ARX) of the model file, not adapted."""

    def __init__(self, arx: Arx, step: float) -> None:
        """Take the fitted weights; `step` in [s]."""
        self._arx = arx
        self._step = step

    def predict(self, window: Array, commands: Array) -> Array:
        """Return the poses at every future step: (B, H, 3)."""
        with torch.inference_mode():
            twists = self._arx(torch.from_numpy(np.asarray(window, dtype=np.float32)),
                               torch.from_numpy(np.asarray(commands, dtype=np.float32)))
        return se2.integrate(twists.double().numpy(), self._step)


def constant_turn(constants: Constants, step: float) -> ConstantTurn:
    """Return constant turn rate and velocity, tuned."""
    return ConstantTurn(step=step, **_tuples(constants.get('constant_turn', {})))


def command_replay(constants: Constants, step: float) -> CommandReplay:
    """Return command replay with the mean delay and lag."""
    return CommandReplay(step=step, now=constant_turn(constants, step),
                         **_tuples(constants.get('command_replay_mean', {})))


def arx_online(constants: Constants, arx: Arx, step: float, known: bool = False) -> AdaptiveArx:
    """Return the linear predictor that adapts, tuned."""
    return AdaptiveArx(arx, step=step, known=known, **constants.get('arx_online', {}))


def baselines(constants: Constants, arx: Arx, step: float, known: bool, delay: float,
              lag: float) -> dict[str, BaselinePredictor]:
    """
    Return every baseline, for one robot, by its name in the tables.

    `delay` and `lag` [s] are those of this robot where they are known, else NaN.
    """
    replay = command_replay(constants, step)
    made: dict[str, BaselinePredictor] = {
        'constant_velocity': ConstantVelocity(step),
        'constant_turn': constant_turn(constants, step),
        'command_replay_mean': replay,
        'arx': Linear(arx, step),
        'arx_online': arx_online(constants, arx, step, known),
        'ekf': Ekf(step=step, **_tuples(constants.get('ekf', {})))}
    if np.isfinite(delay):
        made['command_replay_told'] = replace(replay, delay=delay, lag=lag, gain=(1.0, 1.0))
    return made


def check(model: LoadedModel) -> None:
    """Raise ModelFileError where the classical predictors do not run with their constants."""
    contract = model.contract
    window = np.zeros((1, contract.window, len(FEATURES)))
    commands = open_commands(1, contract.horizon)
    try:
        for predictor in baselines(contract.classical, model.prior, 1.0 / contract.rate, True,
                                   math.nan, math.nan).values():
            predictor.predict(window, commands)
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError,
            RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1][:120]
        raise ModelFileError(f'{model.name}: the constants of its classical predictors do '
                             f'not work ({reason})') from None


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """Return constants as the dataclasses have them: JSON knows lists alone."""
    return {name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()}
