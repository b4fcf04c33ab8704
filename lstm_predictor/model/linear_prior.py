"""
Linear predictor of every future twist from the last twists and commands (ARX, direct form).

For each axis and each future step the twist is a weighted sum of the newest rows of the window and
of what the future commands add; the weights are found by least squares over the training data
(Ljung, "System Identification", 2nd ed., section 4.2; one fit per step instead of iterating a
one-step model, which would iterate its errors too). It is a baseline, and the prior that the
recurrent model corrects.
"""

from lstm_predictor.model.window import FEATURE

import torch
from torch import nn, Tensor

ROWS = 20  # of the window that are read

# Per axis, forward and turn: the columns of a row that are read.
_TWISTS = (FEATURE['speed'], FEATURE['yaw_rate'])
POSES = (FEATURE['pose_speed'], FEATURE['pose_yaw_rate'])
COMMANDS = (FEATURE['command_speed'], FEATURE['command_yaw_rate'])


class Arx(nn.Module):
    """Window (B, W, F), commands (B, H, 3) to twists [m/s], [rad/s] (B, H, 2)."""

    def __init__(self, rows: int = ROWS, horizon: int = 40) -> None:
        """Hold the newest twist until weights are set."""
        super().__init__()
        self.rows = rows
        self.horizon = horizon
        self.columns = [[*columns] for columns in zip(_TWISTS, POSES, COMMANDS)]
        self.commanded = list(COMMANDS)
        self.heard = FEATURE['command_valid']
        newest = torch.zeros(2, 3 * rows + horizon, horizon)
        newest[:, rows - 1] = 1.0
        self.register_buffer('open', newest[:, :3 * rows].clone())  # no command is given
        self.register_buffer('given', newest.clone())
        self.register_buffer('blind', newest[:, :2 * rows].clone())  # none has been heard
        # Mean of x x^T over the training data, x in units of the largest speeds of its window.
        self.register_buffer('information', torch.eye(newest.shape[1]).repeat(2, 1, 1))

    def forward(self, window: Tensor, commands: Tensor) -> Tensor:
        """Return the twist at each future step."""
        seen, added = self.regressors(window, commands)
        heard = window[:, -1, self.heard].unsqueeze(1) > 0.5
        known = (commands[:, :1, 2] > 0.5) & heard
        open_ = torch.einsum('abk,akh->bha', seen, self.open)
        given = torch.einsum('abk,akh->bha', torch.cat([seen, added], dim=2), self.given)
        blind = torch.einsum('abk,akh->bha', seen[:, :, :2 * self.rows], self.blind)
        open_ = torch.where(known.unsqueeze(2), given, open_)
        return torch.where(heard.unsqueeze(2), open_, blind)

    def along(self, window: Tensor, axis: int, ahead: list[int]) -> Tensor:
        """
        Return the twist of one axis some steps after each row from `rows` on.

        (B, A, W - rows + 1), for each of the numbers of steps `ahead` (A,).
        """
        rows = window[:, :, self.columns[axis]].transpose(1, 2)  # (B, 3, W)
        chosen = [step - 1 for step in ahead]
        heard = self.open[axis][:, chosen].t().reshape(len(ahead), 3, self.rows)
        blind = self.blind[axis][:, chosen].t().reshape(len(ahead), 2, self.rows)
        blind = torch.nn.functional.pad(blind, (0, 0, 0, 1))
        both = torch.nn.functional.conv1d(rows, torch.cat([heard, blind]))  # (B, 2 A, ...)
        return torch.where((window[:, -1, self.heard] > 0.5).reshape(-1, 1, 1),
                           both[:, :len(ahead)], both[:, len(ahead):])

    def regressors(self, window: Tensor, commands: Tensor) -> tuple[Tensor, Tensor]:
        """Return the past (2, B, 3 rows) and by how much commands will change (2, B, H)."""
        past = window[:, -self.rows:]
        last = window[:, -1, self.commanded]
        seen = torch.stack([past[:, :, columns].transpose(1, 2).flatten(1)
                            for columns in self.columns])
        added = hold_last_known(commands, last) - last.unsqueeze(1)
        return seen, added.permute(2, 0, 1)


def hold_last_known(commands: Tensor, last: Tensor) -> Tensor:
    """
    Return the commands in force at each future step, the last known one held, (K, H, A).

    `commands` (K, H, A + 1) of A axes end with 1 where they are known; `last` (K or 1, A) is the
    command in force before them.
    """
    known = commands[:, :, -1] > 0.5
    steps = torch.arange(1, commands.shape[1] + 1, device=commands.device)
    newest = torch.cummax(known * steps, dim=1)[0]  # 0: the one in force now
    before = last.unsqueeze(1).expand(commands.shape[0], -1, -1)
    plan = torch.cat([before, commands[:, :, :-1]], dim=1)
    return torch.gather(plan, 1, newest.unsqueeze(2).expand(-1, -1, last.shape[1]))
