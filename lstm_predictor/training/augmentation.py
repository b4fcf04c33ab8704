"""Augmentation of a batch: mirrored, cut short, without IMU, commands or memory."""

from dataclasses import dataclass

from lstm_predictor.common.checks import require_range
from lstm_predictor.model.window import FEATURES

import torch
from torch import Generator, Tensor

# What changes sign when left and right are exchanged: in a row, a command, a pose.
MIRROR_ROW = torch.tensor([
    -1.0 if 'yaw' in name or 'side' in name else 1.0 for name, _ in FEATURES])
_MIRROR_COMMAND = torch.tensor([1.0, -1.0, 1.0])
_MIRROR_POSE = torch.tensor([1.0, -1.0, -1.0])
_IMU = [i for i, (name, _) in enumerate(FEATURES) if name.startswith('imu')]
_COMMAND = [i for i, (name, _) in enumerate(FEATURES) if name.startswith('command')]


@dataclass(frozen=True)
class AugmentConfig:
    """The fraction of the examples from which each input is removed."""

    open_share: float = 0.5  # future commands are unknown
    no_imu_share: float = 0.4  # as if there were no IMU
    no_command_share: float = 0.05  # as if no command had been received
    short_share: float = 0.3  # odometry begins within the window
    no_memory_share: float = 0.3  # no memory of the drive before the window

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        require_range(self, 0.0, 1.0, *vars(self))


def augment(window: Tensor, commands: Tensor, future: Tensor, memory: Tensor,
            config: AugmentConfig, shortest: int, random: Generator | None = None
            ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return a batch, half of it mirrored, some of it with inputs removed."""
    n, horizon = commands.shape[:2]
    rows = window.shape[1]
    mirror = (torch.rand(n, generator=random) < 0.5)[:, None, None]
    window = torch.where(mirror, window * MIRROR_ROW, window)
    commands = torch.where(mirror, commands * _MIRROR_COMMAND, commands)
    future = torch.where(mirror, future * _MIRROR_POSE, future)
    begin = torch.randint(0, rows - shortest + 1, (n,), generator=random)
    begin = begin * (torch.rand(n, generator=random) < config.short_share)
    window = window * (torch.arange(rows) >= begin[:, None])[:, :, None]
    for share, columns in ((config.no_imu_share, _IMU), (config.no_command_share, _COMMAND)):
        without = torch.rand(n, generator=random) < share
        window[without.nonzero(), :, torch.tensor(columns)] = 0.0
    # Future commands unknown, known to the end, or known up to some step: planners need all.
    kind = torch.rand(n, generator=random)
    until = torch.where(kind < (1.0 + config.open_share) / 2.0, torch.full((n,), horizon),
                        torch.randint(1, horizon, (n,), generator=random))
    until = torch.where(kind < config.open_share, torch.zeros_like(until), until)
    given = (torch.arange(horizon) < until[:, None])[:, :, None]
    # The memory is symmetric. A robot that has driven for less than a window has none.
    without_memory = (torch.rand(n, generator=random) < config.no_memory_share) | (begin > 0)
    memory = memory * ~without_memory[:, None, None, None]
    return window, commands * given, future, memory
