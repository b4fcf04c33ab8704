"""What a batch could also have been: mirrored, cut short, without IMU or commands."""

from dataclasses import dataclass

from lstm_predictor.core.window import FEATURES

import torch
from torch import Generator, Tensor

# What changes sign when left and right are exchanged: in a row, a command, a pose.
_MIRROR_ROW = torch.tensor([
    -1.0 if 'yaw' in name or 'side' in name else 1.0 for name, _ in FEATURES])
_MIRROR_COMMAND = torch.tensor([1.0, -1.0, 1.0])
_MIRROR_POSE = torch.tensor([1.0, -1.0, -1.0])
_IMU = [i for i, (name, _) in enumerate(FEATURES) if name.startswith('imu')]
_COMMAND = [i for i, (name, _) in enumerate(FEATURES) if name.startswith('command')]


@dataclass(frozen=True)
class AugmentConfig:
    """How often something is taken from an example, as shares of the examples."""

    open_share: float = 0.5  # no future command is given
    no_imu_share: float = 0.4  # as if there were no IMU
    no_command_share: float = 0.05  # as if no command had been heard
    short_share: float = 0.3  # as if odometry had begun within the window
    no_memory_share: float = 0.3  # as if nothing had been driven before the window

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        for name, value in vars(self).items():
            if not 0.0 <= value <= 1.0:
                raise ValueError(f'{name} must be a share from 0 to 1, is {value}')


def augmented(window: Tensor, commands: Tensor, future: Tensor, memory: Tensor,
              config: AugmentConfig, shortest: int, random: Generator | None = None
              ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return a batch, half of it mirrored, some of it as if less were known."""
    n, horizon = commands.shape[:2]
    rows = window.shape[1]
    mirror = (torch.rand(n, generator=random) < 0.5)[:, None, None]
    window = torch.where(mirror, window * _MIRROR_ROW, window)
    commands = torch.where(mirror, commands * _MIRROR_COMMAND, commands)
    future = torch.where(mirror, future * _MIRROR_POSE, future)
    begin = torch.randint(0, rows - shortest + 1, (n,), generator=random)
    begin = begin * (torch.rand(n, generator=random) < config.short_share)
    window = window * (torch.arange(rows) >= begin[:, None])[:, :, None]
    for share, columns in ((config.no_imu_share, _IMU), (config.no_command_share, _COMMAND)):
        without = torch.rand(n, generator=random) < share
        window[without.nonzero(), :, torch.tensor(columns)] = 0.0
    # Open, given to the end, or given up to some step: a planner asks with all or a part.
    kind = torch.rand(n, generator=random)
    until = torch.where(kind < (1.0 + config.open_share) / 2.0, torch.full((n,), horizon),
                        torch.randint(1, horizon, (n,), generator=random))
    until = torch.where(kind < config.open_share, torch.zeros_like(until), until)
    given = (torch.arange(horizon) < until[:, None])[:, :, None]
    # The memory is the same for left and right. Who has driven for less than a window has none.
    forgets = (torch.rand(n, generator=random) < config.no_memory_share) | (begin > 0)
    memory = memory * ~forgets[:, None, None, None]
    return window, commands * given, future, memory
