"""
The linear predictor as it adapts to a robot: recursive least squares with forgetting.

After Ljung, "System Identification", 2nd ed., section 11.2; weights and information matrix start
from the fit over the training data. The rows up to a horizon ago are the regressors, the rows
since then the targets, so that every window is one update, for all future steps at once.

In double precision and for many robots side by side: it runs with one robot, and along the tracks
of a whole fleet.
"""

from typing import NamedTuple

from lstm_predictor.model.linear_prior import Arx, COMMANDS, POSES
from lstm_predictor.model.window import FEATURE, SLOWEST, VELOCITIES

import torch
from torch import nn, Tensor

_MAX_TRACE_GROWTH = 3.0  # of the weights' covariance, at which forgetting stops [-]


class AdaptedWeights(NamedTuple):
    """What was learned of each of B robots, per axis."""

    weights: Tensor  # (B, 2, K, H)
    inverse: Tensor  # of the information matrix (B, 2, K, K)


class TrainingPair(NamedTuple):
    """What a window teaches of its robot, in units of its largest velocities."""

    regressors: Tensor  # of a horizon ago (B, 2, K)
    target: Tensor  # the twists since then (B, 2, H)
    usable: Tensor  # whether odometry and commands were there (B,)


class AdaptivePrior(nn.Module):
    """Windows (B, W, F) of B robots to their linear predictors; the state is a value."""

    def __init__(self, arx: Arx, trust: float = 1e-3, forget: float = 0.999, known: bool = False
                 ) -> None:
        """
        Start from fitted weights.

        `trust`: weight of the fit, in windows; `forget`: forgetting factor per update; `known`:
        whether future commands will be known.
        """
        super().__init__()
        self.arx = arx
        self.forget = forget
        self.size = 3 * arx.rows + (arx.horizon if known else 0)
        self.twists, self.commands = list(POSES), list(COMMANDS)
        self.moved, self.commanded = FEATURE['odometry_valid'], FEATURE['command_valid']
        self.velocities = [pair[axis] for axis in range(2) for pair in VELOCITIES]
        self.register_buffer('slowest', torch.tensor(SLOWEST))
        fitted = arx.given if known else arx.open
        self.register_buffer('fitted', fitted.double().clone())
        information = arx.information[:, :self.size, :self.size].double()
        inverse = torch.linalg.inv(trust * 0.5 * (information + information.transpose(1, 2)))
        self.register_buffer('unlearned', 0.5 * (inverse + inverse.transpose(1, 2)))
        self.register_buffer('most', _MAX_TRACE_GROWTH * _trace(self.unlearned))

    @torch.jit.export
    def blank(self, count: int) -> AdaptedWeights:
        """Return what is known of so many robots before they moved."""
        return AdaptedWeights(self.fitted.repeat(count, 1, 1, 1),
                              self.unlearned.repeat(count, 1, 1, 1))

    @torch.jit.export
    def pair(self, window: Tensor) -> TrainingPair:
        """Return what each window teaches."""
        horizon, rows = self.arx.horizon, self.arx.rows
        if window.shape[1] < horizon + rows:  # too short to hold its own target
            nothing = torch.zeros([len(window), 2, self.size], dtype=torch.double)
            return TrainingPair(
                nothing, torch.zeros([len(window), 2, horizon], dtype=torch.double),
                torch.zeros([len(window)], dtype=torch.bool))
        before, since = window[:, :-horizon], window[:, -horizon:]
        # The command that a step starts with is the one of the row before it.
        given = torch.nn.functional.pad(
            window[:, -horizon - 1:-1][:, :, self.commands], (0, 1), value=1.0)
        usable = (before[:, -rows:, self.moved].amin(dim=1) > 0.5) \
            & (window[:, -horizon - 1:, self.commanded].amin(dim=1) > 0.5)
        largest = window[:, :, self.velocities].abs().amax(dim=1).reshape(-1, 2, 3).amax(dim=2)
        scale = torch.maximum(largest, self.slowest).double().unsqueeze(2)  # (B, 2, 1)
        return TrainingPair(
            self.regressors(before, given) / scale,
            since[:, :, self.twists].double().transpose(1, 2) / scale, usable)

    @torch.jit.export
    def learn(self, known: AdaptedWeights, pair: TrainingPair) -> AdaptedWeights:
        """Return what is known of the robots with one window more."""
        learned = updated(known, pair.regressors, pair.target, self.forget, self.most)
        usable = pair.usable.reshape(-1, 1, 1, 1)
        return AdaptedWeights(torch.where(usable, learned.weights, known.weights),
                              torch.where(usable, learned.inverse, known.inverse))

    def forward(self, known: AdaptedWeights, window: Tensor, commands: Tensor) -> Tensor:
        """Return the twist at each future step [m/s], [rad/s] (B, H, 2)."""
        return self.heard(predicted(known, self.regressors(window, commands)), window, commands)

    def heard(self, twists: Tensor, window: Tensor, commands: Tensor) -> Tensor:
        """Return the twists (B, H, 2), by the fit for no commands where none were received."""
        blind = window[:, -1, self.commanded] < 0.5
        if not bool(blind.any()):
            return twists
        return torch.where(blind.reshape(-1, 1, 1), self.arx(window, commands).double(), twists)

    def regressors(self, window: Tensor, commands: Tensor) -> Tensor:
        """Return the regressors of each window (B, 2, K)."""
        seen, added = self.arx.regressors(window, commands)
        both = torch.cat([seen, added], dim=2)[:, :, :self.size]
        return both.double().transpose(0, 1)


def updated(known: AdaptedWeights, regressors: Tensor, target: Tensor, forget: float,
            most: Tensor) -> AdaptedWeights:
    """
    Return the weights after one update of recursive least squares.

    `regressors` (B, 2, K), `target` (B, 2, H); `most`: trace of the inverse (2,) above which
    nothing is forgotten.
    """
    x = regressors.unsqueeze(3)  # (B, 2, K, 1)
    reached = known.inverse @ x
    # An hour straight on must not make it forget turns.
    factor = torch.where(_trace(known.inverse) > most, torch.ones_like(most),
                         torch.full_like(most, forget)).unsqueeze(2).unsqueeze(3)
    size = factor + x.transpose(2, 3) @ reached
    missed = target.unsqueeze(2) - x.transpose(2, 3) @ known.weights  # (B, 2, 1, H)
    # Symmetric to the last bit: what is not would grow with every division by the factor.
    learned = reached * reached.transpose(2, 3) / size
    return AdaptedWeights(known.weights + reached / size @ missed,
                          (known.inverse - learned) / factor)


def predicted(known: AdaptedWeights, regressors: Tensor) -> Tensor:
    """Return the twists (B, H, 2) that the weights make of regressors (B, 2, K)."""
    return (regressors.unsqueeze(2) @ known.weights).squeeze(2).transpose(1, 2)


def _trace(matrices: Tensor) -> Tensor:
    return matrices.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
