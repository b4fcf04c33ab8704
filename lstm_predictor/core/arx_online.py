"""
The linear predictor, adapted to the robot while it drives.

Recursive least squares with forgetting (Ljung, "System Identification", 2nd ed., section 11.2)
goes on from the weights and the information that the fit over the training data left behind.
What a window says of the rows a whole horizon ago has its outcome in the rows since, so that
every window is one update, for all future steps at once.
"""

from lstm_predictor.core.arx import Arx
from lstm_predictor.core.classical import COMMAND, HEARD, integrate, POSE_TWIST, scales
from lstm_predictor.core.window import FEATURE

import numpy as np
from numpy.typing import NDArray

import torch

Array = NDArray[np.float64]

_VALID = FEATURE['odometry_valid']
_MOST_UNSURE = 3.0  # growth of what is unknown of the weights, at which forgetting stops [-]


class ArxOnline:
    """One robot's linear predictor; `predict` takes its windows in the order of time."""

    def __init__(self, arx: Arx, step: float = 0.05, trust: float = 1e-3,
                 forget: float = 0.999, known: bool = False) -> None:
        """
        Start from fitted weights.

        `trust`: for how many windows the fit counts; `forget`: what the information up to an
        update counts for at the next one; `known`: whether future commands will be given.
        """
        self._arx = arx
        self._step = step
        self._trust = trust
        self._forget = forget
        past = 3 * arx.rows
        self._size = past + arx.horizon if known else past
        self._fitted = (arx.given if known else arx.open).double().numpy()  # (2, K, H)
        self.reset()

    def reset(self) -> None:
        """Start anew with the weights of the fit, as for another robot."""
        self._weights = self._fitted.copy()
        information = self._arx.information[:, :self._size, :self._size].double().numpy()
        self._inverse = np.linalg.inv(self._trust * information)
        self._trace = np.trace(self._inverse, axis1=1, axis2=2)

    def predict(self, window: Array, commands: Array) -> Array:
        """Return the poses at every future step (B, H, 3); every window adapts the weights."""
        seen, added = self._regressors(window, commands)
        now = np.concatenate([seen, added], axis=2)[..., :self._size]  # (2, B, K)
        past, outcome, usable = self._lesson(window)
        twists = np.empty((len(window), self._arx.horizon, 2))
        for i in range(len(window)):
            if usable[i]:
                self._learn(past[:, i], outcome[i])
            for axis in range(2):
                twists[i, :, axis] = now[axis, i] @ self._weights[axis]
        blind = window[:, -1, HEARD] < 0.5
        if blind.any():
            with torch.inference_mode():
                twists[blind] = self._arx(
                    _tensor(window[blind]), _tensor(commands[blind])).numpy()
        return integrate(twists, self._step)

    def _learn(self, past: Array, outcome: Array) -> None:
        """Take regressors (2, K) of a horizon ago and the twists since (H, 2)."""
        for axis in range(2):
            x, inverse = past[axis], self._inverse[axis]
            # What drives straight on for an hour must not forget how it turns.
            unsure = np.trace(inverse) > _MOST_UNSURE * self._trace[axis]
            forget = 1.0 if unsure else self._forget
            gain = inverse @ x
            gain /= forget + x @ gain
            self._weights[axis] += np.outer(gain, outcome[:, axis] - x @ self._weights[axis])
            inverse = (inverse - np.outer(gain, x @ inverse)) / forget
            self._inverse[axis] = 0.5 * (inverse + inverse.T)

    def _regressors(self, window: Array, commands: Array) -> tuple[Array, Array]:
        with torch.inference_mode():
            seen, added = self._arx.regressors(_tensor(window), _tensor(commands))
        return seen.double().numpy(), added.double().numpy()

    def _lesson(self, window: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Return regressors, scaled as in the fit, outcomes, and whether they say anything."""
        horizon = self._arx.horizon
        if window.shape[1] < horizon + self._arx.rows:  # too short to hold its own outcome
            nothing = np.zeros((2, len(window), self._size)), np.zeros((len(window), horizon, 2))
            return *nothing, np.zeros(len(window), dtype=bool)
        before, since = window[:, :-horizon], window[:, -horizon:]
        given = np.ones((len(window), horizon, 3))
        # The command that a step starts with is the one of the row before it.
        given[..., :2] = window[:, -horizon - 1:-1][..., COMMAND]
        seen, added = self._regressors(before, given)
        past = np.concatenate([seen, added], axis=2)[..., :self._size]
        usable = (before[:, -self._arx.rows:, _VALID] > 0.5).all(axis=1) \
            & (before[:, -1, HEARD] > 0.5) & (since[..., HEARD] > 0.5).all(axis=1)
        scale = scales(window)
        return past / scale.T[..., None], since[..., POSE_TWIST] / scale[:, None], usable


def _tensor(array: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
