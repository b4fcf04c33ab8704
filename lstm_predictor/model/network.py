"""
Recurrent network that corrects two priors and predicts the covariance of its error.

The priors are a linear predictor fitted before the network (`linear_prior.py`), the same for
every robot, and the multiple-model estimate from this window (`response_bank.py`). An encoder
reads the window, some rows at a time; a decoder reads the future commands with their flag
(1 known, 0 unknown) and gives a blend of the priors and a correction of the twist at every future
step. Poses follow by integration on SE(2).

Every window is divided by its own largest speeds, so that one set of weights serves a robot of
0.2 m/s and one of 5 m/s. All of it, scaling included, is inside the archive.
"""

from lstm_predictor.model.linear_prior import Arx, hold_last_known
from lstm_predictor.model.response_bank import ResponseBank, ResponseEstimate
from lstm_predictor.model.window import FEATURE, SLOWEST, VELOCITIES, WINDOW_FEATURES

import torch
from torch import nn, Tensor

CELLS = {'lstm': nn.LSTM, 'gru': nn.GRU, 'rnn': nn.RNN}

_LINEAR = [FEATURE[name] for name in (
    'speed', 'pose_speed', 'pose_side_speed', 'imu_acceleration', 'command_speed')]
_ANGULAR = [FEATURE[name] for name in (
    'yaw_rate', 'pose_yaw_rate', 'imu_yaw_rate', 'command_yaw_rate')]
_SPEEDS, _YAW_RATES = ([pair[axis] for pair in VELOCITIES] for axis in range(2))
_COMMANDS = [FEATURE[name] for name in ('command_speed', 'command_yaw_rate')]
_CHOLESKY = 6  # numbers in a lower triangle of 3 x 3
_PLAN = 17  # numbers that the decoder reads per step
_BACK = (1, 10, 20)  # steps ahead for which the prior is tried out inside the window


class MotionModel(nn.Module):
    """Window (B, W, F), commands (B, H, 3) to poses (B, H, 3), Cholesky factors (B, H, 3, 3)."""

    def __init__(self, hidden: int = 64, horizon: int = 40, step: float = 0.05,
                 cell: str = 'lstm', fold: int = 4, truncate: int = 0,
                 prior: Arx | None = None, slowest: tuple[float, float] = SLOWEST) -> None:
        """
        Build an untrained model, which predicts exactly the mean of its priors.

        `horizon` is in steps of `step` [s]; the encoder reads `fold` rows at a time; in training
        gradients flow back through the newest `truncate` rows alone (0: through all); windows
        are not magnified beyond the speeds `slowest` ([m/s], [rad/s]), below which there is only
        noise. Raise ValueError for a cell that does not exist.
        """
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f'cell must be one of {", ".join(CELLS)}, is {cell!r}')
        self.hidden = hidden
        self.horizon = horizon
        self.step = step
        self.fold = fold
        self.recent = truncate // fold  # steps of the encoder
        self.back = list(_BACK)
        self.prior = Arx(horizon=horizon) if prior is None else prior
        self.response = ResponseBank(step)
        self.encoder = CELLS[cell](
            fold * (WINDOW_FEATURES + 2 * len(_BACK) + 2), hidden, batch_first=True)
        self.decoder = CELLS[cell](_PLAN, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 4 + _CHOLESKY)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.read = WINDOW_FEATURES
        self.valid = FEATURE['odometry_valid']
        self.register_buffer('slowest', torch.tensor(slowest))
        self.register_buffer('linear', torch.tensor(_LINEAR))
        self.register_buffer('angular', torch.tensor(_ANGULAR))
        self.register_buffer('speeds', torch.tensor(_SPEEDS))
        self.register_buffer('yaw_rates', torch.tensor(_YAW_RATES))
        self.register_buffer('commanded', torch.tensor(_COMMANDS))
        # The factor by which the error factors are widened at each step, set by calibration.
        self.register_buffer('calibration', torch.ones(horizon))
        self.register_buffer('elapsed', torch.arange(1, horizon + 1) * step)  # (H,) [s]

    def forward(self, window: Tensor, commands: Tensor) -> tuple[Tensor, Tensor]:
        """
        Return poses in the body frame of the newest row, and factors L of their error.

        `commands` is [speed [m/s], yaw rate [rad/s], 1 given or 0 open] per step. The covariance
        of the error in [x [m], y [m], yaw [rad]], axes of that same frame, is L L^T.
        """
        poses, factors = self.informed(
            window, commands, self.response.blank(window.shape[0]))
        return poses, factors

    @torch.jit.export
    def learn(self, window: Tensor, rows: Tensor, memory: Tensor) -> Tensor:
        """Return the memory of each robot with the newest `rows` (B,) of its window added."""
        nothing = torch.zeros(window.shape[0], 1, 3)
        return self.response.learn(window, self.scale(window, nothing), rows, memory)

    @torch.jit.export
    def blank(self, count: int) -> Tensor:
        """Return the memories of robots of which nothing is known."""
        return self.response.blank(count)

    @torch.jit.export
    def timing(self, window: Tensor, memory: Tensor) -> Tensor:
        """Return dead time, lag of the speed and of the yaw rate [s] (B, 3)."""
        nothing = torch.zeros(window.shape[0], 1, 3)
        found = self.response(window, nothing, self.scale(window, nothing), memory)
        return torch.cat([found.delay.unsqueeze(1), found.lag], dim=1)

    @torch.jit.export
    def informed(self, window: Tensor, commands: Tensor, memory: Tensor
                 ) -> tuple[Tensor, Tensor]:
        """Return the same as `forward`, knowing also what was learned before the window."""
        scale = self.scale(window, commands)  # (B, 2)
        found = self.response(window, commands, scale, memory)
        return self.corrected(window, commands, scale, found, memory)

    @torch.jit.export
    def advance(self, window: Tensor, rows: Tensor, memory: Tensor
                ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """
        Return poses, factors, timing and memory after one more step of each robot.

        The same as `learn`, then `informed` with open commands and `timing`, but the bank is
        computed once. A memory that would not be finite is left as it was.
        """
        commands = torch.zeros(window.shape[0], self.horizon, 3)
        scale = self.scale(window, commands)  # (B, 2)
        past, ahead = self.response.replayed(window, commands, scale)
        measured = self.response.moved(window, scale)
        learned = self.response.remember(
            memory, self.response.sums(window, past, measured, rows))
        finite = learned.isfinite().flatten(1).all(dim=1).reshape(-1, 1, 1, 1)
        memory = torch.where(finite, learned, memory)
        found = self.response.estimate(window, past, ahead, measured, memory)
        poses, factors = self.corrected(window, commands, scale, found, memory)
        return poses, factors, torch.cat([found.delay.unsqueeze(1), found.lag], dim=1), memory

    def corrected(self, window: Tensor, commands: Tensor, scale: Tensor, found: ResponseEstimate,
                  memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return poses and factors: the priors as the network mixes and corrects them."""
        prior = self.prior(window, commands)  # (B, H, 2)
        rows = self.folded(window, scale, found)
        if self.recent > 0:
            with torch.no_grad():
                _, past = self.encoder(rows[:, :-self.recent])
            _, state = self.encoder(rows[:, -self.recent:], past)
        else:
            _, state = self.encoder(rows)
        decoded, _ = self.decoder(self.plan(window, commands, prior, scale, found, memory), state)
        out = self.head(decoded)  # (B, H, 10)
        per_step = scale.unsqueeze(1)
        replayed = found.twists * per_step
        twists = replayed + torch.sigmoid(out[:, :, 2:4]) * (prior - replayed) \
            + out[:, :, :2] * per_step
        return self.integrate(twists), self._factor(out[:, :, 4:], scale)

    def scale(self, window: Tensor, commands: Tensor) -> Tensor:
        """Return the largest [speed [m/s], yaw rate [rad/s]] that a window speaks of: (B, 2)."""
        speed = window[:, :, self.speeds].abs().amax(dim=(1, 2))
        yaw_rate = window[:, :, self.yaw_rates].abs().amax(dim=(1, 2))
        seen = torch.stack([speed, yaw_rate], dim=1)
        planned = (commands[:, :, :2] * commands[:, :, 2:3]).abs().amax(dim=1)
        return torch.maximum(torch.maximum(seen, planned), self.slowest)

    def folded(self, window: Tensor, scale: Tensor, found: ResponseEstimate) -> Tensor:
        """Return the scaled window with `fold` rows in one: (B, W / fold, fold F)."""
        read = window[:, :, :self.read]
        unit = torch.ones_like(read)
        unit[:, :, self.linear] = scale[:, 0].reshape(-1, 1, 1)
        unit[:, :, self.angular] = scale[:, 1].reshape(-1, 1, 1)
        missed = self.missed(window) / scale.repeat_interleave(len(self.back), 1).unsqueeze(1)
        rows = torch.cat([read / unit, missed, found.missed], dim=2)
        return rows.reshape(rows.shape[0], -1, self.fold * rows.shape[2])

    def missed(self, window: Tensor) -> Tensor:
        """
        Return by how much the prior missed the twist of each row, some steps ahead of it.

        (B, W, 6): forward for each of the steps, then turn; 0 where the prior had too few rows.
        """
        start = self.prior.rows - 1
        valid = window[:, :, self.valid]
        result = []
        for axis in range(2):
            predicted = self.prior.along(window, axis, self.back)  # (B, A, W - rows + 1)
            measured = window[:, :, self.prior.columns[axis][1]]
            for i, ahead in enumerate(self.back):
                now = measured[:, start + ahead:]
                count = now.shape[1]
                # The rows that the prior read then must all have been there.
                seen = valid[:, :count]
                error = (now - predicted[:, i, :count]) * seen
                result.append(nn.functional.pad(error, (start + ahead, 0)))
        return torch.stack(result, dim=2)

    def plan(self, window: Tensor, commands: Tensor, prior: Tensor, scale: Tensor,
             found: ResponseEstimate, memory: Tensor) -> Tensor:
        """Return what is known of each future step, scaled: (B, H, 17)."""
        given = commands[:, :, 2:3]
        per_step = scale.unsqueeze(1)
        last = window[:, -1, self.commanded]
        changed = (hold_last_known(commands, last) - last.unsqueeze(1)) / per_step
        asked = commands[:, :, :2] * given / per_step
        known = torch.log1p(memory[:, :, 0, 3]).mean(dim=1, keepdim=True)
        robot = torch.cat([found.delay.unsqueeze(1), found.lag, found.gain, 0.2 * found.left,
                           0.2 * known], dim=1)  # (B, 8)
        return torch.cat([
            asked, changed, given, prior / per_step, found.twists,
            robot.unsqueeze(1).expand(-1, commands.shape[1], -1)], dim=2)

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
