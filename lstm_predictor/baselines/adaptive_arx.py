"""The linear predictor (ARX) of one robot, adapted online, as a baseline."""

from lstm_predictor.common import se2
from lstm_predictor.model.adaptive_prior import AdaptedWeights, AdaptivePrior, predicted, updated
from lstm_predictor.model.linear_prior import Arx

import numpy as np
from numpy.typing import NDArray

import torch

Array = NDArray[np.float64]


class AdaptiveArx:
    """Linear predictor of one robot; `predict` takes its windows in the order of time."""

    def __init__(self, arx: Arx, step: float = 0.05, trust: float = 1e-3,
                 forget: float = 0.999, known: bool = False) -> None:
        """
        Start from fitted weights; `step` in [s].

        `trust`, `forget` and `known` are those of `AdaptivePrior`; the names are those of a model
        file's constants.
        """
        self._prior = AdaptivePrior(arx, trust, forget, known)
        self._step = step
        self.reset()

    def reset(self) -> None:
        """Start again from the weights of the fit."""
        self._learned: AdaptedWeights = self._prior.blank(1)

    def state(self) -> AdaptedWeights:
        """Return what was learned, a value that does not change."""
        return self._learned

    def restore(self, state: AdaptedWeights) -> None:
        """Go on from a state."""
        self._learned = state

    def predict(self, window: Array, commands: Array, learns: bool = True) -> Array:
        """
        Return the poses at every future step (B, H, 3).

        Every window updates the weights, if `learns`.
        """
        rows, given = _tensor(window), _tensor(commands)
        with torch.inference_mode():
            pair, now = self._prior.pair(rows), self._prior.regressors(rows, given)
            twists = torch.empty((len(rows), given.shape[1], 2), dtype=torch.double)
            for i, usable in enumerate(pair.usable.tolist()):
                if learns and usable:
                    self._learned = updated(
                        self._learned, pair.regressors[i:i + 1], pair.target[i:i + 1],
                        self._prior.forget, self._prior.most)
                twists[i] = predicted(self._learned, now[i:i + 1])[0]
            return se2.integrate(self._prior.heard(twists, rows, given).numpy(), self._step)


def _tensor(array: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
