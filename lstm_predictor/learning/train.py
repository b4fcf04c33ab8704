"""Training: windows of simulated robots in, weights of the model out."""

from dataclasses import dataclass
import math

from lstm_predictor.core.model import MotionLstm
from lstm_predictor.core.window import FEATURES
from lstm_predictor.learning.dataset import Examples
from lstm_predictor.learning.metrics import CHI2_3_90

import numpy as np

import torch
from torch import Tensor

from tqdm import tqdm

# What changes sign when left and right are exchanged: in a row, a command, a pose.
_MIRROR_ROW = torch.tensor([
    -1.0 if 'yaw' in name or 'side' in name else 1.0 for name, _ in FEATURES])
_MIRROR_COMMAND = torch.tensor([1.0, -1.0, 1.0])
_MIRROR_POSE = torch.tensor([1.0, -1.0, -1.0])
_IMU = [i for i, (name, _) in enumerate(FEATURES) if name.startswith('imu')]
_COMMAND = [i for i, (name, _) in enumerate(FEATURES) if name.startswith('command')]


@dataclass(frozen=True)
class OptimiserConfig:
    """How the weights are found."""

    hidden: int = 64  # cells of the encoder and of the decoder
    epochs: int = 6
    batch: int = 512  # windows
    learning_rate: float = 2e-3  # at its highest
    weight_decay: float = 1e-4
    open_share: float = 0.6  # of the windows, with no future command given
    no_imu_share: float = 0.25  # of the windows, as if there were no IMU
    no_command_share: float = 0.05  # of the windows, as if no command had been heard
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        for name in ('hidden', 'epochs', 'batch', 'learning_rate'):
            if not getattr(self, name) > 0:
                raise ValueError(f'{name} must be positive, is {getattr(self, name)}')
        for name in ('open_share', 'no_imu_share', 'no_command_share'):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f'{name} must be a share from 0 to 1, is {getattr(self, name)}')


def fit(examples: Examples, horizon: int, step: float, config: OptimiserConfig) -> MotionLstm:
    """Return a model of `horizon` steps of `step` [s], trained on the examples."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    model = MotionLstm(hidden=config.hidden, horizon=horizon, step=step)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    batches = max(1, len(examples) // config.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=config.epochs * batches, pct_start=0.1)
    progress = tqdm(total=config.epochs * batches, desc='training', unit='batch')
    smoothed = math.nan
    for _ in range(config.epochs):
        order = rng.permutation(len(examples))
        for i in range(batches):
            chosen = np.sort(order[i * config.batch:(i + 1) * config.batch])
            window, commands, future = augmented(*(
                torch.from_numpy(array[chosen])
                for array in (examples.windows, examples.commands, examples.futures)), config)
            loss = loss_of(model, window, commands, future)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            value = float(loss.detach())
            smoothed = value if math.isnan(smoothed) else 0.98 * smoothed + 0.02 * value
            progress.set_postfix(loss=f'{smoothed:.4f}', refresh=False)
            progress.update()
    progress.close()
    return model.eval()


def loss_of(model: MotionLstm, window: Tensor, commands: Tensor, future: Tensor) -> Tensor:
    """
    Return the mean loss of a batch.

    The error of the poses counts relative to the error that the prior makes in that window, so
    that steady driving counts as much as a turn; the error factors are fitted by likelihood,
    which does not reach the poses.
    """
    poses, factors = model(window, commands)
    with torch.no_grad():
        size = _yardstick(model, window, commands, future)  # (B, H, 3)
    error = wrapped(poses - future)
    accuracy = torch.nn.functional.smooth_l1_loss(
        error / size, torch.zeros_like(error), beta=0.5)
    return accuracy + 0.05 * _nll(error.detach(), factors)


def augmented(window: Tensor, commands: Tensor, future: Tensor, config: OptimiserConfig
              ) -> tuple[Tensor, Tensor, Tensor]:
    """Return a batch, half of it mirrored, some without IMU or commands, the future masked."""
    n, horizon = commands.shape[:2]
    mirror = (torch.rand(n) < 0.5)[:, None, None]
    window = torch.where(mirror, window * _MIRROR_ROW, window)
    commands = torch.where(mirror, commands * _MIRROR_COMMAND, commands)
    future = torch.where(mirror, future * _MIRROR_POSE, future)
    for share, columns in ((config.no_imu_share, _IMU), (config.no_command_share, _COMMAND)):
        without = torch.rand(n) < share
        window[without.nonzero(), :, torch.tensor(columns)] = 0.0
    # Open, given to the end, or given up to some step: a planner asks with all or a part.
    kind = torch.rand(n)
    until = torch.where(kind < (1.0 + config.open_share) / 2.0, torch.full((n,), horizon),
                        torch.randint(1, horizon, (n,)))
    until = torch.where(kind < config.open_share, torch.zeros_like(until), until)
    given = (torch.arange(horizon) < until[:, None])[:, :, None]
    return window, commands * given, future


def calibrate(model: MotionLstm, examples: Examples) -> None:
    """
    Set the model's calibration so that its 90 % regions hold that share of these examples.

    One factor per step: the distance that holds the share, over what it should be.
    """
    error, factors = _open_errors(model, examples)
    white = torch.linalg.solve_triangular(factors, error.unsqueeze(-1), upper=False)
    distance = white.square().sum(dim=(-2, -1)).sqrt()  # (n, H)
    model.calibration.mul_(torch.quantile(distance, 0.9, dim=0) / math.sqrt(CHI2_3_90))


@torch.no_grad()
def _open_errors(model: MotionLstm, examples: Examples) -> tuple[Tensor, Tensor]:
    """Return errors (n, H, 3) and their factors (n, H, 3, 3) with open future commands."""
    errors, factors = [], []
    for i in range(0, len(examples), 4096):
        window = torch.from_numpy(examples.windows[i:i + 4096])
        future = torch.from_numpy(examples.futures[i:i + 4096])
        poses, factor = model(window, torch.zeros(len(window), model.horizon, 3))
        errors.append(wrapped(poses - future))
        factors.append(factor)
    return torch.cat(errors), torch.cat(factors)


def wrapped(error: Tensor) -> Tensor:
    """Return pose differences (..., 3) with the yaw in [-pi, pi)."""
    yaw = torch.remainder(error[..., 2:] + torch.pi, 2.0 * torch.pi) - torch.pi
    return torch.cat([error[..., :2], yaw], dim=-1)


def _yardstick(model: MotionLstm, window: Tensor, commands: Tensor, future: Tensor) -> Tensor:
    """Return by how much an error counts as 1, per window and step: (B, H, 3)."""
    prior = model.integrate(model.prior(window).unsqueeze(1).expand(-1, model.horizon, -1))
    error = wrapped(prior - future)
    position = error[:, :, :2].square().sum(dim=2).mean(dim=1).sqrt()  # (B,)
    heading = error[:, :, 2].square().mean(dim=1).sqrt()
    scale = model.scale(window, commands)
    grown = model.elapsed / model.elapsed.mean()
    position = (0.5 * position + 0.02 * scale[:, 0])[:, None] * (0.1 + 0.9 * grown)
    heading = (0.5 * heading + 0.02 * scale[:, 1])[:, None] * (0.1 + 0.9 * grown)
    return torch.stack([position, position, heading], dim=2)


def _nll(error: Tensor, factors: Tensor) -> Tensor:
    """Return the mean negative log likelihood of errors (..., 3) given their factors."""
    white = torch.linalg.solve_triangular(factors, wrapped(error).unsqueeze(-1), upper=False)
    logs = factors.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)
    # Student-like: one slip must not decide the size of the region for every window.
    distance = white.square().sum(dim=(-2, -1))
    return (logs + 3.5 * torch.log1p(distance / 4.0)).mean()
