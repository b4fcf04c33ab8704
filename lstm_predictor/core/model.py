"""
The recurrent model: it corrects a physical prior and says how sure it is.

The prior is a robot that keeps the mean twist of its last rows. An encoder LSTM reads the window,
a decoder LSTM reads the future commands with their flag (1 given, 0 open) and says by how much the
twist of every future step differs from the prior. Poses follow by integration on SE(2).

Every window is divided by its own largest speeds, so that one set of weights serves a robot of
0.2 m/s and one of 5 m/s. All of it, scaling included, is inside the archive.
"""

from lstm_predictor.core.window import FEATURE, FEATURES

import torch
from torch import nn, Tensor

_LINEAR = [FEATURE[name] for name in (
    'speed', 'pose_speed', 'pose_side_speed', 'imu_acceleration', 'command_speed')]
_ANGULAR = [FEATURE[name] for name in (
    'yaw_rate', 'pose_yaw_rate', 'imu_yaw_rate', 'command_yaw_rate')]
_SPEEDS = [FEATURE[name] for name in ('speed', 'pose_speed', 'command_speed')]
_YAW_RATES = [FEATURE[name] for name in ('yaw_rate', 'pose_yaw_rate', 'command_yaw_rate')]
_CHOLESKY = 6  # numbers in a lower triangle of 3 x 3


class MotionLstm(nn.Module):
    """Window (B, W, F), commands (B, H, 3) to poses (B, H, 3), error factors (B, H, 3, 3)."""

    def __init__(self, hidden: int = 64, horizon: int = 40, step: float = 0.05,
                 prior_rows: int = 3, slowest: tuple[float, float] = (0.05, 0.2)) -> None:
        """
        Build an untrained model, which predicts exactly its prior.

        `horizon` is in steps of `step` [s]; windows are not magnified beyond the speeds
        `slowest` ([m/s], [rad/s]), below which there is only noise.
        """
        super().__init__()
        self.hidden = hidden
        self.horizon = horizon
        self.step = step
        self.prior_rows = prior_rows
        self.encoder = nn.LSTM(len(FEATURES), hidden, batch_first=True)
        self.decoder = nn.LSTM(3, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 2 + _CHOLESKY)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.register_buffer('slowest', torch.tensor(slowest))
        self.register_buffer('linear', torch.tensor(_LINEAR))
        self.register_buffer('angular', torch.tensor(_ANGULAR))
        self.register_buffer('speeds', torch.tensor(_SPEEDS))
        self.register_buffer('yaw_rates', torch.tensor(_YAW_RATES))
        # The factor by which the error factors are widened at each step, set by calibration.
        self.register_buffer('calibration', torch.ones(horizon))
        self.register_buffer('elapsed', torch.arange(1, horizon + 1) * step)  # (H,) [s]

    def forward(self, window: Tensor, commands: Tensor) -> tuple[Tensor, Tensor]:
        """
        Return poses in the body frame of the newest row, and factors L of their error.

        `commands` is [speed [m/s], yaw rate [rad/s], 1 given or 0 open] per step. The covariance
        of the error in [x [m], y [m], yaw [rad]], axes of that same frame, is L L^T.
        """
        scale = self.scale(window, commands)  # (B, 2)
        given = commands[:, :, 2:3]
        _, state = self.encoder(self._scaled(window, scale))
        plan = commands[:, :, :2] * given / scale.unsqueeze(1)
        decoded, _ = self.decoder(torch.cat([plan, given], dim=2), state)  # (B, H, hidden)
        out = self.head(decoded)  # (B, H, 8)
        twists = self.prior(window).unsqueeze(1) + out[:, :, :2] * scale.unsqueeze(1)
        return self.integrate(twists), self._factor(out[:, :, 2:], scale)

    def prior(self, window: Tensor) -> Tensor:
        """Return the mean [speed, yaw rate] of the newest rows: (B, 2)."""
        return window[:, -self.prior_rows:, :2].mean(dim=1)

    def scale(self, window: Tensor, commands: Tensor) -> Tensor:
        """Return the largest [speed [m/s], yaw rate [rad/s]] that a window speaks of: (B, 2)."""
        speed = window[:, :, self.speeds].abs().amax(dim=(1, 2))
        yaw_rate = window[:, :, self.yaw_rates].abs().amax(dim=(1, 2))
        seen = torch.stack([speed, yaw_rate], dim=1)
        planned = (commands[:, :, :2] * commands[:, :, 2:3]).abs().amax(dim=1)
        return torch.maximum(torch.maximum(seen, planned), self.slowest)

    def _scaled(self, window: Tensor, scale: Tensor) -> Tensor:
        unit = torch.ones_like(window)
        unit[:, :, self.linear] = scale[:, 0].reshape(-1, 1, 1)
        unit[:, :, self.angular] = scale[:, 1].reshape(-1, 1, 1)
        return window / unit

    def integrate(self, twists: Tensor) -> Tensor:
        """Return the poses after steps of constant twist (B, H, 2): (B, H, 3)."""
        turn = twists[:, :, 1] * self.step
        yaw = turn.cumsum(dim=1)
        middle = yaw - 0.5 * turn
        # The chord of an arc: its length times sin(turn / 2) / (turn / 2), at the middle heading.
        chord = twists[:, :, 0] * self.step * torch.special.sinc(0.5 / torch.pi * turn)
        x = (chord * middle.cos()).cumsum(dim=1)
        y = (chord * middle.sin()).cumsum(dim=1)
        return torch.stack([x, y, yaw], dim=2)

    def _factor(self, raw: Tensor, scale: Tensor) -> Tensor:
        """Return lower triangular factors with positive diagonal (B, H, 3, 3)."""
        grown = (0.2 * self.elapsed * self.calibration).unsqueeze(1)  # (H, 1)
        size = torch.stack([scale[:, 0], scale[:, 0], scale[:, 1]], dim=1).unsqueeze(1) * grown
        diagonal = torch.exp(raw[:, :, :3].clamp(-6.0, 3.0)) * size  # (B, H, 3)
        zero = torch.zeros_like(diagonal[:, :, 0])
        below = raw[:, :, 3:].clamp(-10.0, 10.0)
        rows = [
            torch.stack([diagonal[:, :, 0], zero, zero], dim=2),
            torch.stack([below[:, :, 0] * diagonal[:, :, 1], diagonal[:, :, 1], zero], dim=2),
            torch.stack([below[:, :, 1] * diagonal[:, :, 2], below[:, :, 2] * diagonal[:, :, 2],
                         diagonal[:, :, 2]], dim=2),
        ]
        return torch.stack(rows, dim=2)
