"""
The classical predictors inside the model, how they adapt to a robot and how well each did so far.

`adapted`: linear predictor with recursive least squares; `fitted`: the same without adaptation;
`response`: multiple-model estimate of delay, lag and gain; `newest`, `recent`: the mean twist of
the last rows, held; `standing`: no motion. Each gives a path, see `segments.py`.

What was learned of a robot is a value that `step` does not change but replaces.
"""

from typing import NamedTuple

from lstm_predictor.model import segments
from lstm_predictor.model.linear_prior import hold_last_known
from lstm_predictor.model.response_bank import (
    DELAYS, FADES, judge, KEEPS, kernel, LAGS, MIN_WEIGHT, TAPS)
from lstm_predictor.model.window import FEATURE, SLOWEST

import torch
from torch import nn, Tensor

NAMES = ('adapted', 'fitted', 'response', 'newest', 'recent', 'standing')
ROWS = 20  # that the linear predictors read
RING = 96  # rows that are kept: what the bank reads, a horizon ago
RECENT = 12  # newest rows, which may still change
# Per axis, forward, left and turn, the columns of odometry's twist, its poses' change, commands.
TWISTS = [FEATURE[name] for name in ('speed', 'side_speed', 'yaw_rate')]
POSES = [FEATURE[name] for name in ('pose_speed', 'pose_side_speed', 'pose_yaw_rate')]
COMMANDS = [FEATURE[name] for name in ('command_speed', 'command_side_speed', 'command_yaw_rate')]
_LINEAR = [FEATURE[name] for name in (
    'speed', 'side_speed', 'pose_speed', 'command_speed', 'command_side_speed')]
_ANGULAR = [FEATURE[name] for name in ('yaw_rate', 'pose_yaw_rate', 'command_yaw_rate')]
_TRUST = 100.0  # weight of the fit, in rows
_FORGET = 0.998  # per update
_MAX_TRACE_GROWTH = 3.0  # of the weights' covariance, at which forgetting stops [-]
_MEMORIES = (3.0, 30.0)  # time after which an error counts for 37 % [s]
_LARGEST_ERROR = 4.0  # that is counted, in units of the robot's largest velocity times the time


class Learned(NamedTuple):
    """What was learned of B robots; K regressors of E predictors, S segments."""

    open_weights: Tensor  # weights of `adapted` for the twist in each segment (B, 3, K, S)
    open_inverse: Tensor  # of the information matrix (B, 3, K, K)
    given_weights: Tensor  # the same for known commands, with S more regressors
    given_inverse: Tensor
    fast: Tensor  # evidence about the response, of the last seconds (B, 3, M, 4)
    slow: Tensor  # of the last informative rows
    paths: Tensor  # predicted at each of the newest rows (B, H, E, 3, S)
    missed: Tensor  # sums of their squared errors, fast and slow (B, 2, E, 3, S)
    missed_count: Tensor  # of these errors (B, 2, S)
    missed_given: Tensor  # the same for known commands
    missed_given_count: Tensor


class Estimate(NamedTuple):
    """What the bank of responses found out about robots."""

    kernel: Tensor  # impulse response to commands, newest first (B, 3, taps)
    delay: Tensor  # [s] (B,)
    lag: Tensor  # [s] (B, 3)
    gain: Tensor  # [-] (B, 3)
    left: Tensor  # log of the RMS residual, scaled (B, 3)
    count: Tensor  # informative rows (B, 3)


class Experts(nn.Module):
    """Rings of rows (B, R, F) of B robots to paths (B, E, 3, S), one for each of NAMES."""

    def __init__(self, step: float = 0.05) -> None:
        """Start with linear predictors that hold the newest twist; `step` of the grid in [s]."""
        super().__init__()
        count, horizon = len(segments.ENDS), segments.HORIZON
        self.step_s = step
        self.rows, self.taps, self.horizon = ROWS, TAPS, horizon
        self.forget, self.fades, self.keeps, self.least = _FORGET, FADES, KEEPS, MIN_WEIGHT
        self.largest = _LARGEST_ERROR
        self.valid, self.heard = FEATURE['odometry_valid'], FEATURE['command_valid']
        self.measured = FEATURE['measured']
        self.poses, self.commands = list(POSES), list(COMMANDS)
        self.linear, self.angular = list(_LINEAR), list(_ANGULAR)
        self.read = [column for axis in zip(TWISTS, POSES, COMMANDS) for column in axis]
        self.register_buffer('slowest', torch.tensor([SLOWEST[0], SLOWEST[0], SLOWEST[1]]))
        self.register_buffer('average', segments.averaging())  # (S, H)
        self.register_buffer('duration', segments.lengths() * step)  # of each segment [s] (S,)
        self.register_buffer('elapsed', torch.tensor(segments.ENDS) * step)  # at its end [s]
        # Sums over the newest rows up to each of the ends, oldest row first (S, H).
        self.register_buffer('summed', torch.stack(
            [torch.arange(horizon) >= horizon - end for end in segments.ENDS]).float() * step)
        self.register_buffer('back', horizon - torch.tensor(segments.ENDS))
        self.register_buffer('ends', torch.tensor(segments.ENDS) - 1)  # index of their last step
        self.register_buffer('each', torch.arange(count))
        width = 3 * ROWS
        newest = torch.zeros(3, width + count, count)
        newest[:, 2 * ROWS - 1] = 1.0
        self.register_buffer('open', newest[:, :width].double().clone())
        self.register_buffer('given', newest.double().clone())
        self.register_buffer('blind', newest[:, :2 * ROWS].double().clone())
        self.set_information(torch.eye(width + count).repeat(3, 1, 1))
        # A command acts on what comes after it.
        causal = torch.ones(width + count, count).double()
        causal[width:] = causal[width:].triu()
        self.register_buffer('causal', causal)
        pairs = [(delay, lag) for delay in DELAYS for lag in LAGS]
        self.register_buffer('delays', torch.tensor(DELAYS))
        self.register_buffer('lags', torch.tensor(LAGS))
        self.register_buffer('kernels', torch.stack(
            [kernel(delay, lag, step) for delay, lag in pairs], dim=1))  # (taps, M)
        self.likely = nn.Parameter(torch.zeros(len(DELAYS), len(LAGS)))  # before any evidence, log
        self.usual = nn.Parameter(torch.tensor([0.7, 0.7, 0.3]))  # gain before any evidence [-]
        self.firm = nn.Parameter(torch.tensor([-2.1, -2.1, -2.7]))  # of it, log
        self.noise = nn.Parameter(torch.tensor([-3.7, -3.7, -4.3]))  # scaled, log
        self.sharp = nn.Parameter(torch.tensor([-1.6, -1.6, -1.7]))  # of the evidence, log
        self.fading = nn.Parameter(torch.tensor([-0.7, -0.7, -1.1]))  # of the miss [s], log
        self.trusts = nn.Parameter(torch.tensor(3.8))  # rows that slow evidence counts for, log
        self.register_buffer('remembers', torch.exp(-step / torch.tensor(_MEMORIES)))
        # Squared errors before any was seen, of paths in units of the largest velocities.
        self.register_buffer('expected', torch.ones(2, len(NAMES), 3, count))  # open, given

    def set_information(self, information: Tensor) -> None:
        """Set the mean of x x^T over the training data, in scaled regressors (3, K, K)."""
        for name, size in (('open', 3 * self.rows), ('given', information.shape[1])):
            part = information[:, :size, :size].double()
            inverse = torch.linalg.inv(_TRUST * 0.5 * (part + part.transpose(1, 2)))
            inverse = 0.5 * (inverse + inverse.transpose(1, 2))
            self.register_buffer(f'unlearned_{name}', inverse)
            self.register_buffer(f'most_{name}', _MAX_TRACE_GROWTH * trace(inverse))

    def blank(self, count: int) -> Learned:
        """Return what is known of so many robots before they moved."""
        experts, ends = self.expected.shape[1], self.expected.shape[3]
        evidence = torch.zeros(count, 3, self.kernels.shape[1], 4)
        return Learned(
            self.open.repeat(count, 1, 1, 1), self.unlearned_open.repeat(count, 1, 1, 1),
            self.given.repeat(count, 1, 1, 1), self.unlearned_given.repeat(count, 1, 1, 1),
            evidence, evidence.clone(),
            torch.zeros(count, self.horizon, experts, 3, ends),
            torch.zeros(count, 2, experts, 3, ends), torch.zeros(count, 2, ends),
            torch.zeros(count, 2, experts, 3, ends), torch.zeros(count, 2, ends))

    def scale(self, ring: Tensor) -> Tensor:
        """Return the largest velocities in the rows (B, 3): [m/s], [m/s], [rad/s]."""
        linear = ring[:, :, self.linear].abs().amax(dim=(1, 2))
        angular = ring[:, :, self.angular].abs().amax(dim=(1, 2))
        return torch.maximum(torch.stack([linear, linear, angular], dim=1), self.slowest)

    def step(self, state: Learned, ring: Tensor, scale: Tensor
             ) -> tuple[Learned, Tensor, Tensor]:
        """
        Return what is known after one more row, the newest of the ring (B, R, F), of a `scale`.

        Also the errors (B, E, 3, S) of the paths that end at this row, 0 where there were none,
        and what the response leaves of its twist (B, 1, 3).
        """
        # Errors of what was predicted for now.
        measured = ring[:, -self.horizon:][:, :, self.poses].transpose(1, 2)  # (B, 3, H)
        actual = measured @ self.summed.t()  # (B, 3, S)
        # Between two messages a row already knows of the later one: a prediction from there would
        # seem better than any that can be made on the robot.
        since = ring[:, -self.horizon - 1:, self.valid].flip(1).cumprod(1)  # unbroken, from now
        begun = ring[:, -self.horizon - 1:, self.measured].flip(1)
        there = (since * begun)[:, self.horizon - self.back]  # (B, S)
        made = state.paths[:, self.back, :, :, self.each].permute(1, 2, 3, 0)  # (B, E, 3, S)
        bound = (self.largest * self.elapsed) * scale.unsqueeze(2)
        bound = bound.unsqueeze(1)
        missed = (made - actual.unsqueeze(1)).clamp(-bound, bound)
        missed = missed * there.unsqueeze(1).unsqueeze(1)
        kept = self.remembers.reshape(1, -1, 1)
        fades = torch.where(there.unsqueeze(1) > 0.5, kept, torch.ones_like(kept))  # (B, 2, S)
        squares = state.missed * fades.unsqueeze(2).unsqueeze(2) + missed.square().unsqueeze(1)
        count = state.missed_count * fades + there.unsqueeze(1)
        # Regressors of a horizon ago, and what came of them.
        before, asked = ring[:, :-self.horizon], ring[:, -self.horizon - 1:]
        then = self.regressors(before)
        usable = (before[:, -self.rows:, self.valid].amin(dim=1) > 0.5) \
            & (asked[:, :, self.heard].amin(dim=1) > 0.5) & (before[:, -1, self.measured] > 0.5)
        sent = asked[:, :-1][:, :, self.commands]  # (B, H, 3)
        added = self.average @ (sent - sent[:, :1])  # (B, S, 3)
        per_scale = scale.double().unsqueeze(2)
        target = (measured @ self.average.t()).double() / per_scale  # (B, 3, S)
        short = then / per_scale
        long = torch.cat([then, added.transpose(1, 2).double()], dim=2) / per_scale
        learned, inverse, _ = updated(
            state.open_weights, state.open_inverse, short, target, usable,
            self.causal[:short.shape[2]], self.forget, self.most_open)
        given, given_inverse, off = updated(
            state.given_weights, state.given_inverse, long, target, usable, self.causal,
            self.forget, self.most_given)
        # Errors of those that knew the commands.
        whole = usable.float()
        estimate = self.estimated(state)
        fitted = (long.unsqueeze(2) @ self.given).squeeze(2) - target
        replay = self.replay(estimate, before, sent)
        responded = replay @ self.average.t() - measured @ self.average.t()
        seen = torch.stack([-off, fitted], dim=1) * per_scale.unsqueeze(1)
        seen = torch.cat([seen.float(), responded.unsqueeze(1)], dim=1)
        seen = (seen * self.duration).cumsum(dim=3)
        others = self.held(before)
        path = actual_path(measured, self.average, self.duration)
        seen = torch.cat([seen, others - path.unsqueeze(1)], dim=1).clamp(-bound, bound)
        fades = torch.where(whole.reshape(-1, 1, 1) > 0.5, kept, torch.ones_like(kept))
        squares_given = state.missed_given * fades.unsqueeze(3).unsqueeze(3) \
            + (whole.reshape(-1, 1, 1, 1) * seen.square()).unsqueeze(1)
        count_given = state.missed_given_count * fades + whole.reshape(-1, 1, 1)
        fast, slow = self.responded(state, ring, scale)
        paths = self.paths(state, ring, ring[:, :0, :4], estimate)
        return Learned(
            learned, inverse, given, given_inverse,
            fast, slow,
            torch.cat([state.paths[:, 1:], paths.unsqueeze(1)], dim=1),
            squares, count, squares_given, count_given), missed, self.residuals(estimate, ring, 1)

    def responded(self, state: Learned, ring: Tensor, scale: Tensor
                  ) -> tuple[Tensor, Tensor]:
        """Return the evidence of the bank, fast and slow, with the newest row."""
        per_scale = scale.unsqueeze(2)
        history = self.filled(ring[:, -self.taps - 1:-1])  # (B, taps, 3)
        simulated = history.flip(1).transpose(1, 2) @ self.kernels / per_scale  # (B, 3, M)
        measured = ring[:, -1, self.poses].unsqueeze(2) / per_scale
        usable = ring[:, -1, self.valid] * ring[:, -2, self.valid] * ring[:, -2, self.heard]
        apart = (simulated.amax(dim=2) - simulated.amin(dim=2)).clamp(self.least, 1.0)
        sums = torch.stack([
            simulated.square(), simulated * measured,
            measured.square().expand_as(simulated), torch.ones_like(simulated)], dim=3)
        sums = sums * usable.reshape(-1, 1, 1, 1)
        informative = sums * apart.unsqueeze(2).unsqueeze(3)
        fade = torch.exp(torch.tensor(-self.step_s / self.fades))
        return state.fast * fade + sums, \
            state.slow * (1.0 - informative[..., 3:] / self.keeps) + informative

    def filled(self, rows: Tensor) -> Tensor:
        """Return the commands (B, n, 3) of rows; those before the first valid row are its own."""
        there = rows[:, :, self.valid]
        first = there.argmax(dim=1).reshape(-1, 1, 1).expand(-1, 1, 3)
        commands = rows[:, :, self.commands]
        earliest = commands.gather(1, first)
        return torch.where(there.unsqueeze(2) > 0.5, commands, earliest)

    def estimated(self, state: Learned) -> Estimate:
        """Return what the evidence says of each robot."""
        most = self.trusts.exp()
        slow = state.slow * (most / (most + state.slow[..., 3:]))
        sums = state.fast + slow
        xx, xy, yy, count = sums[..., 0], sums[..., 1], sums[..., 2], sums[..., 3]
        delay, share, gain, left = judge(
            xx, xy, yy, count, self.usual, self.firm, self.noise, self.sharp, self.likely)
        weights = share.flatten(2) * gain
        return Estimate(
            weights @ self.kernels.t(), delay @ self.delays, share.sum(dim=2) @ self.lags,
            weights.sum(dim=2), 0.5 * (share.flatten(2) * left).sum(dim=2), count[..., 0])

    def residuals(self, found: Estimate, rows: Tensor, count: int) -> Tensor:
        """Return what the responses leave of the newest twists (B, count, 3)."""
        asked = self.filled(rows[:, -self.taps - count:-1])
        runs = asked.unfold(1, self.taps, 1)  # (B, count, 3, taps)
        simulated = (runs * found.kernel.flip(2).unsqueeze(1)).sum(dim=3)
        newest = rows[:, -count:]
        return (newest[:, :, self.poses] - simulated) * newest[:, :, self.valid].unsqueeze(2)

    def replay(self, found: Estimate, rows: Tensor, commands: Tensor) -> Tensor:
        """
        Return the twists (K, 3, H) that the responses make of commands (K, H, 3).

        The present residual fades over the horizon. Rows and estimate of one robot serve any
        number of candidate commands.
        """
        asked = self.filled(rows[:, -self.taps + 1:])
        missed = self.residuals(found, rows, 1)[:, 0]
        ahead = torch.arange(1, self.horizon + 1, device=rows.device) * self.step_s
        stays = torch.exp(-ahead / self.fading.exp().unsqueeze(1))  # (3, H)
        past = asked.expand(commands.shape[0], -1, -1)
        history = torch.cat([past, commands], dim=1)  # (K, taps - 1 + H, 3)
        runs = history.unfold(1, self.taps, 1)  # (K, H, 3, taps)
        kernel = found.kernel.flip(2).unsqueeze(1)
        return (runs * kernel).sum(dim=3).transpose(1, 2) + missed.unsqueeze(2) * stays

    def held(self, ring: Tensor) -> Tensor:
        """Return the paths (B, 3, 3, S) of the newest twist, the recent one, and none."""
        measured = ring[:, -10:][:, :, self.poses]
        there = ring[:, -10:, self.valid].unsqueeze(2)
        measured = measured * there
        newest = measured[:, -2:].sum(dim=1) / there[:, -2:].sum(dim=1).clamp_min(1.0)
        recent = measured.sum(dim=1) / there.sum(dim=1).clamp_min(1.0)
        twists = torch.stack([newest, recent, torch.zeros_like(recent)], dim=1)
        return twists.unsqueeze(3) * self.elapsed

    def regressors(self, rows: Tensor) -> Tensor:
        """Return what the linear predictors read of the newest rows (B, 3, K)."""
        seen = rows[:, -self.rows:][:, :, self.read]  # (B, rows, 9)
        return seen.transpose(1, 2).reshape(rows.shape[0], 3, 3 * self.rows).double()

    def paths(self, state: Learned, ring: Tensor, commands: Tensor, found: Estimate
              ) -> Tensor:
        """
        Predict (K, E, 3, S) for future commands (K, H, 4), open where there are none.

        Commands are [forward, left, turn, 1 given or 0 open].
        """
        past = self.regressors(ring)
        blind = ring[:, -1, self.heard].reshape(-1, 1, 1) < 0.5
        unheard = (past[:, :, :2 * self.rows].unsqueeze(2) @ self.blind).squeeze(2)
        last = ring[:, -1:, self.commands]
        adapted = (past.unsqueeze(2) @ state.open_weights).squeeze(2)
        fitted = (past.unsqueeze(2) @ self.open).squeeze(2)
        asked = last.expand(-1, self.horizon, -1)
        if commands.shape[1] > 0:
            asked = hold_last_known(commands, last[:, 0])
            added = (self.average @ (asked - last)).transpose(1, 2).double()  # (K, 3, S)
            whole = torch.cat([past.expand(added.shape[0], -1, -1), added], dim=2).unsqueeze(2)
            known = (commands[:, :1, 3:] > 0.5) & ~blind
            adapted = torch.where(known, (whole @ state.given_weights).squeeze(2), adapted)
            fitted = torch.where(known, (whole @ self.given).squeeze(2), fitted)
        replayed = self.replay(found, ring, asked) @ self.average.t()
        twists = torch.stack([torch.where(blind, unheard, adapted).float(),
                              torch.where(blind, unheard, fitted).float(), replayed], dim=1)
        held = self.held(ring).expand(twists.shape[0], -1, -1, -1)
        return torch.cat([(twists * self.duration).cumsum(dim=3), held], dim=1)

    def variances(self, state: Learned, scale: Tensor, given: bool) -> Tensor:
        """Return the squared errors to expect of each path (B, 2, E, 3, S): fast and slow."""
        squares, count = (state.missed_given, state.missed_given_count) if given \
            else (state.missed, state.missed_count)
        usual = self.expected[int(given)] * scale.square().reshape(-1, 1, 1, 3, 1)
        return (squares + 10.0 * usual) / (count + 10.0).unsqueeze(2).unsqueeze(2)


def actual_path(measured: Tensor, average: Tensor, duration: Tensor) -> Tensor:
    """Return the path (B, 3, S) of the twists (B, 3, H) that came."""
    return ((measured @ average.t()) * duration).cumsum(dim=2)


def updated(weights: Tensor, inverse: Tensor, regressors: Tensor, target: Tensor, usable: Tensor,
            causal: Tensor, forget: float, most: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """
    Return weights, inverse and what was missed before, of one recursive least squares update.

    After Ljung, "System Identification", 2nd ed., section 11.2. Weights (B, 3, K, S), inverse of
    the information matrix (B, 3, K, K), `regressors` (B, 3, K), `target` (B, 3, S), `usable` (B,):
    whether they teach anything, `causal` (K, S): 1 for what acts on a target; `most`: trace of
    the inverse (3,) above which nothing is forgotten.
    """
    x = regressors.unsqueeze(3)  # (B, 3, K, 1)
    taught = usable.reshape(-1, 1, 1, 1)
    reached = inverse @ x * taught
    # An hour straight on must not make it forget turns.
    forgets = (trace(inverse) < most).unsqueeze(2).unsqueeze(3) & taught
    factor = torch.where(forgets, torch.full_like(x[:, :, :1], forget),
                         torch.ones_like(x[:, :, :1]))
    size = factor + x.transpose(2, 3) @ reached
    missed = target.unsqueeze(2) - x.transpose(2, 3) @ weights  # (B, 3, 1, S)
    # Symmetric to the last bit: what is not would grow with every division by the factor.
    root = (reached / size.sqrt()).flatten(0, 1)
    less = torch.baddbmm(inverse.flatten(0, 1), root, root.transpose(1, 2), alpha=-1.0)
    return (weights + reached / size @ missed * causal, less.view_as(inverse).div_(factor),
            missed.squeeze(2))


def trace(matrices: Tensor) -> Tensor:
    """Return the traces of matrices (..., K, K)."""
    return matrices.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
