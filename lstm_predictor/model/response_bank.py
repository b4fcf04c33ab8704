"""
Multiple-model estimator of a robot's input delay, lag and gain.

A bank of hypotheses, each an input delay and a first-order lag, simulates the commands of the
window. The gain of each follows by least squares and its likelihood from the residual; the
prediction is the mean by posterior probability (Magill, "Optimal adaptive estimation of sampled
stochastic processes", IEEE TAC 1965). The delay is common to both axes, lag and gain are each
axis's own. How fast confidence grows with evidence is learned.

A few seconds of steady driving do not determine a delay. So the sufficient statistics of the fit
are also accumulated over the whole drive: the memory, a tensor (B, 2, M, 4) of the sums of
simulated squared, simulated times measured, measured squared, and weights. Rows count by how far
the hypotheses differ in them, and only such rows make older ones fade.
"""

from typing import NamedTuple

from lstm_predictor.model.linear_prior import hold_last_known
from lstm_predictor.model.window import FEATURE

import torch
from torch import nn, Tensor

DELAYS = tuple(0.05 * i for i in range(11))  # [s]
LAGS = (0.03, 0.08, 0.16, 0.3, 0.5)  # [s]

# TorchScript sees no global list: these become buffers.
_TWISTS = [FEATURE['pose_speed'], FEATURE['pose_yaw_rate']]
_COMMANDS = [FEATURE['command_speed'], FEATURE['command_yaw_rate']]
_VALID = FEATURE['odometry_valid']
_HEARD = FEATURE['command_valid']
TAPS = 50  # rows for which a command has an effect
_FINE = 20  # substeps of the integration of the responses
FADES = 3.0  # time after which a row of the window counts for 37 % [s]
KEEPS = 300.0  # informative rows after which evidence has faded
MAX_NEW_ROWS = 20  # rows that can be learned from at once
MIN_WEIGHT = 0.03  # of a row in which all hypotheses are alike


class ResponseEstimate(NamedTuple):
    """Estimate from a window and the memory."""

    twists: Tensor  # predicted, scaled (B, H, 2)
    missed: Tensor  # residual of the window's twists, scaled (B, W, 2)
    delay: Tensor  # input delay [s] (B,)
    lag: Tensor  # [s] (B, 2)
    gain: Tensor  # of the motion over the command [-] (B, 2)
    left: Tensor  # log of the RMS residual, scaled (B, 2)


class ResponseBank(nn.Module):
    """Predicts from commands (B, H, 3), window (B, W, F) and memory, see ResponseEstimate."""

    def __init__(self, step: float = 0.05) -> None:
        """Lay out the bank on a grid of `step` [s]."""
        super().__init__()
        self.step = step
        pairs = [(delay, lag) for delay in DELAYS for lag in LAGS]
        self.shape = len(DELAYS), len(LAGS)
        self.register_buffer('measured', torch.tensor(_TWISTS))
        self.register_buffer('commanded', torch.tensor(_COMMANDS))
        self.valid = _VALID
        self.heard = _HEARD
        self.fades, self.keeps, self.least, self.newest = FADES, KEEPS, MIN_WEIGHT, MAX_NEW_ROWS
        self.register_buffer('delays', torch.tensor(DELAYS))
        self.register_buffer('lags', torch.tensor(LAGS))
        # The mean twist of a step as a sum over the commands before it, newest first.
        self.register_buffer('kernels', torch.stack(
            [kernel(delay, lag, step) for delay, lag in pairs], dim=1))  # (taps, M)
        self.likely = nn.Parameter(torch.zeros(self.shape))  # before any evidence, log
        self.usual = nn.Parameter(torch.tensor([0.8, 0.5]))  # gain before any evidence [-]
        self.firm = nn.Parameter(torch.tensor([-2.0, -2.0]))  # of it, log
        self.noise = nn.Parameter(torch.tensor([-3.4, -3.8]))  # scaled, log
        self.sharp = nn.Parameter(torch.tensor([-1.3, -1.9]))  # of the evidence, log
        self.fading = nn.Parameter(torch.tensor([1.2, 0.0]))  # of the present miss [s], log
        self.trusts = nn.Parameter(torch.tensor(4.0))  # rows that the memory counts for, log

    def forward(self, window: Tensor, commands: Tensor, scale: Tensor, memory: Tensor
                ) -> ResponseEstimate:
        """Return the estimate; for unknown commands the last one is held."""
        past, ahead = self.replayed(window, commands, scale)
        return self.estimate(window, past, ahead, self.moved(window, scale), memory)

    def estimate(self, window: Tensor, past: Tensor, ahead: Tensor, measured: Tensor,
                 memory: Tensor) -> ResponseEstimate:
        """Return what the bank finds from the twists of its hypotheses, past and ahead."""
        share, gain, left = self.judged(window, past, measured, memory)
        weights = (share * gain).unsqueeze(2)  # (B, 2, 1, M)
        fitted = (weights @ past).squeeze(2)
        missed = (measured - fitted) * window[:, 1:, self.valid].unsqueeze(1)
        # The present residual decays over the horizon.
        elapsed = torch.arange(1, ahead.shape[3] + 1, device=window.device) * self.step
        stays = torch.exp(-elapsed / self.fading.exp().unsqueeze(1))  # (2, H)
        twists = (weights @ ahead).squeeze(2) + missed[:, :, -1:] * stays
        by_pair = share.reshape(share.shape[0], 2, self.shape[0], self.shape[1])
        return ResponseEstimate(
            twists.transpose(1, 2), nn.functional.pad(missed, (1, 0)).transpose(1, 2),
            by_pair[:, 0].sum(dim=2) @ self.delays, by_pair.sum(dim=2) @ self.lags,
            (share * gain).sum(dim=2), (0.5 * share * left).sum(dim=2))

    def replayed(self, window: Tensor, commands: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Return the simulated twists at gain 1: (B, 2, M, W - 1) and (B, 2, M, H)."""
        # Before the first valid row its command is taken as held.
        valid = window[:, :-1, self.valid]
        first = valid.argmax(dim=1)
        each = torch.arange(window.shape[0], device=window.device)
        earliest = window[each, first][:, self.commanded]
        seen = torch.where(
            valid.unsqueeze(2) > 0.5, window[:, :-1][:, :, self.commanded], earliest.unsqueeze(1))
        future = hold_last_known(commands, window[:, -1][:, self.commanded])
        asked = torch.cat([seen, future], dim=1)
        asked = (asked / scale.unsqueeze(1)).transpose(1, 2)  # (B, 2, W - 1 + H)
        taps = self.kernels.shape[0]
        before = asked[:, :, :1].expand(-1, -1, taps - 1)
        history = torch.cat([before, asked], dim=2).unfold(2, taps, 1)  # (B, 2, W - 1 + H, taps)
        twists = (history @ self.kernels.flip(0)).transpose(2, 3)
        rows = window.shape[1] - 1
        return twists[..., :rows], twists[..., rows:]

    def judged(self, window: Tensor, past: Tensor, measured: Tensor, memory: Tensor
               ) -> tuple[Tensor, Tensor, Tensor]:
        """Return weight, gain and log mean square residual of each hypothesis (B, 2, M)."""
        rows = measured.shape[2]
        age = torch.arange(rows - 1, -1, -1, device=window.device) * self.step
        weight = self.usable(window) * torch.exp(-age / self.fades)
        weight = weight.unsqueeze(1)  # (B, 1, W - 1)
        count = weight.sum(dim=2, keepdim=True)  # (B, 1, 1)
        weighed = (weight * measured).unsqueeze(3)
        remembered = memory * self._trusted(memory)
        xx = (past.square() @ weight.unsqueeze(3)).squeeze(3) + remembered[..., 0]  # (B, 2, M)
        xy = (past @ weighed).squeeze(3) + remembered[..., 1]
        yy = (measured.unsqueeze(2) @ weighed).squeeze(3) + remembered[..., 2]
        count = count + remembered[..., 3]
        _, share, gain, left = judge(
            xx, xy, yy, count, self.usual, self.firm, self.noise, self.sharp, self.likely)
        return share.flatten(2), gain, left

    def learn(self, window: Tensor, scale: Tensor, rows: Tensor, memory: Tensor) -> Tensor:
        """Return the memory (B, 2, M, 4) with the newest `rows` (B,) of each window added."""
        return self.remember(memory, self.evidence(window, scale, rows))

    def remember(self, memory: Tensor, added: Tensor) -> Tensor:
        """Return the memory with new statistics added, which makes the old fade."""
        return memory * (1.0 - added[..., 3:] / self.keeps).clamp_min(0.0) + added

    def evidence(self, window: Tensor, scale: Tensor, rows: Tensor) -> Tensor:
        """Return the statistics of the newest `rows` (B,) of windows (B, 2, M, 4)."""
        past, _ = self.replayed(window, torch.zeros_like(window[:, :1, :3]), scale)
        return self.sums(window, past, self.moved(window, scale), rows)

    def sums(self, window: Tensor, past: Tensor, measured: Tensor, rows: Tensor) -> Tensor:
        """Return the same as `evidence` from the twists of the hypotheses."""
        past, measured = past[..., -self.newest:], measured[..., -self.newest:]
        age = torch.arange(past.shape[3] - 1, -1, -1, device=window.device)
        newest = (age < rows.unsqueeze(1)) * self.usable(window)[:, -self.newest:]  # (B, n)
        apart = (past.amax(dim=2) - past.amin(dim=2)).clamp(self.least, 1.0)  # (B, 2, n)
        weight = (newest.unsqueeze(1) * apart).unsqueeze(2)  # (B, 2, 1, n)
        y = measured.unsqueeze(2)
        sums = [weight * past.square(), weight * past * y, (weight * y.square()).expand_as(past),
                weight.expand_as(past)]
        return torch.stack([part.sum(dim=3) for part in sums], dim=3)

    def blank(self, count: int) -> Tensor:
        """Return the empty memories of `count` robots."""
        return torch.zeros(count, 2, self.shape[0] * self.shape[1], 4)

    def moved(self, window: Tensor, scale: Tensor) -> Tensor:
        """Return the measured twists of every row but the first, scaled (B, 2, W - 1)."""
        return (window[:, 1:][:, :, self.measured] / scale.unsqueeze(1)).transpose(1, 2)

    def usable(self, window: Tensor) -> Tensor:
        """Return 1 for each row but the first that shows the effect of a command (B, W - 1)."""
        return window[:, 1:, self.valid] * window[:, :-1, self.valid] * window[:, :-1, self.heard]

    def _trusted(self, memory: Tensor) -> Tensor:
        """Return the factor by which a memory counts for a bounded number of rows."""
        most = self.trusts.exp()
        return most / (most + memory[..., 3:])


def judge(xx: Tensor, xy: Tensor, yy: Tensor, count: Tensor, usual: Tensor, firm: Tensor,
          noise: Tensor, sharp: Tensor, likely: Tensor
          ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """
    Return what sums over rows (B, A, M) say of D delays with L lags each, M = D L, of A axes.

    Probability of each delay (B, D), common to the axes, and of each delay with a lag
    (B, A, D, L); gains and log mean square residuals (B, A, M). `usual`, `firm`, `noise` and
    `sharp` (A,), and `likely` (D, L), are those of the bank.
    """
    trust, gain_before = firm.exp().unsqueeze(1), usual.unsqueeze(1)
    gain = (xy + trust * gain_before) / (xx + trust)
    squares = (yy - 2.0 * gain * xy + gain * gain * xx).clamp_min(0.0) \
        + trust * (gain - gain_before).square()
    left = torch.log(squares / (count + 1.0) + (2.0 * noise).exp().unsqueeze(1))
    evidence = -sharp.exp().unsqueeze(1) * count * left
    evidence = evidence.reshape(
        evidence.shape[0], evidence.shape[1], likely.shape[0], likely.shape[1]) + likely
    delay = torch.softmax(evidence.logsumexp(dim=3).sum(dim=1), dim=1)
    share = torch.softmax(evidence, dim=3) * delay.unsqueeze(1).unsqueeze(3)
    return delay, share, gain, left


def kernel(delay: float, lag: float, step: float) -> Tensor:
    """
    Return the impulse response of a step's mean twist to commands, newest first (taps,).

    Commands are held from one step to the next; the sum is 1.
    """
    time = (torch.arange(TAPS * _FINE, dtype=torch.float64) + 0.5) * step / _FINE - delay
    reached = torch.where(time > 0.0, 1.0 - torch.exp(-time / lag), torch.zeros_like(time))
    by_step = reached.reshape(TAPS, _FINE).mean(dim=1)
    by_step[-1] = 1.0
    return torch.diff(by_step, prepend=torch.zeros(1, dtype=torch.float64)).float()
