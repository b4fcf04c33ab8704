"""The training loss, and the calibration of the confidence regions after training."""

import math

from lstm_predictor.common.uncertainty import CHI2_3_90
from lstm_predictor.model.network import MotionModel
from lstm_predictor.training.dataset import Examples

import numpy as np

import torch
from torch import Tensor

_REGION_WEIGHT = 0.05  # of the fit of the error factors beside that of the poses


def loss_of(model: MotionModel, window: Tensor, commands: Tensor, future: Tensor,
            memory: Tensor, error_scale: Tensor) -> Tensor:
    """
    Return the mean loss of a batch.

    An error of the poses counts relative to the RMS error (B, H, 2) that constant velocity makes
    in that track at that step, so that every robot and every horizon counts the same; the error
    factors are fitted by likelihood, which does not reach the poses.
    """
    poses, factors = model.informed(window, commands, memory)
    error = wrapped(poses - future)
    size = error_scale[:, :, [0, 0, 1]]
    accuracy = 2.0 * torch.nn.functional.smooth_l1_loss(
        error / size, torch.zeros_like(error), beta=1.0)
    return accuracy + _REGION_WEIGHT * negative_log_likelihood(error.detach(), factors)


def negative_log_likelihood(error: Tensor, factors: Tensor) -> Tensor:
    """Return the mean negative log likelihood of errors (..., 3) given their factors."""
    logs = factors.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)
    # Student-like: one slip must not decide the size of the region for every window.
    return (logs + 3.5 * torch.log1p(squared_distance(error, factors) / 4.0)).mean()


def squared_distance(error: Tensor, factors: Tensor) -> Tensor:
    """Return the squared distance (...) of errors (..., 3) by lower triangular factors."""
    white = torch.linalg.solve_triangular(factors, error.unsqueeze(-1), upper=False)
    return white.square().sum(dim=(-2, -1))


def wrapped(error: Tensor) -> Tensor:
    """Return pose differences (..., 3) with the yaw in [-pi, pi)."""
    yaw = torch.remainder(error[..., 2:] + torch.pi, 2.0 * torch.pi) - torch.pi
    return torch.cat([error[..., :2], yaw], dim=-1)


@torch.no_grad()
def calibrate(model: MotionModel, groups: list[Examples]) -> None:
    """
    Set the model's calibration so that its 90 % regions contain 90 % of the examples.

    One factor per step: the 0.9 quantile of the normalised distance over its nominal value;
    geometric mean over the groups, whatever their sizes.
    """
    factors = []
    for examples in groups:
        distance = torch.cat([_distances(model, examples[i:i + 4096])
                              for i in range(0, len(examples), 4096)])  # (n, H)
        factors.append(torch.quantile(distance[:100_000], 0.9, dim=0) / math.sqrt(CHI2_3_90))
    model.calibration.mul_(torch.stack(factors).log().mean(dim=0).exp())


def _distances(model: MotionModel, examples: Examples) -> Tensor:
    """Return the errors normalised by the error factors, with unknown future commands (n, H)."""
    window = torch.from_numpy(np.array(examples.windows))
    poses, factors = model.informed(
        window, torch.zeros(len(window), model.horizon, 3),
        torch.from_numpy(np.array(examples.memory)))
    error = wrapped(poses - torch.from_numpy(np.array(examples.futures)))
    return squared_distance(error, factors).sqrt()
