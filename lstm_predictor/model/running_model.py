"""
Recurrent network whose state runs with the robot and which weighs and corrects the experts.

An encoder reads each row once and carries its state through the whole drive. A decoder takes one
step per segment of the horizon: from what the experts predict, how well each did lately and the
commands it gives a weight to each, a correction in units of the expected error, and the size of
the error. Untrained it is the mean of the experts by inverse variance.

All is relative to the robot's own largest velocities, so that one set of weights serves a robot of
0.2 m/s and one of 5 m/s.
"""

from typing import Final, NamedTuple

from lstm_predictor.model import segments
from lstm_predictor.model.experts import (
    COMMANDS, Estimate, Experts, Learned, NAMES, POSES, RECENT, RING, TWISTS)
from lstm_predictor.model.window import FEATURE, FEATURES

import torch
from torch import nn, Tensor

CELLS = {'lstm': nn.LSTM, 'gru': nn.GRU, 'rnn': nn.RNN}
INNOVATIONS = (1, 4)  # segments at whose ends the encoder sees what `adapted` missed
_FACTOR = 6  # numbers in a lower triangle of 3 x 3
_ROBOT = 11  # numbers about the robot's response
_LARGEST_CORRECTION = 3.0  # in units of the expected error


_SMALLEST = 1e-3  # usual error, of the largest velocity


class State(NamedTuple):
    """What runs with B robots."""

    learned: Learned
    ring: Tensor  # the newest rows (B, R, F)
    hidden: Tensor  # of the encoder (B, .)


class Decoded(NamedTuple):
    """What the decoder gives for K plans."""

    path: Tensor  # (K, 3, S)
    sizes: Tensor  # expected error of the path [m], [m], [rad] (K, 3, S)
    factors: Tensor  # lower triangular, of the errors along the path, scaled (K, S, 3, 3)
    weights: Tensor  # of the experts (K, E, 3, S)


class Recurrent(nn.Module):
    """Cells of one kind with their state as one tensor."""

    double: Final[bool]

    def __init__(self, cell: str, inputs: int, hidden: int) -> None:
        super().__init__()
        self.double = cell == 'lstm'
        self.hidden = hidden
        self.size = hidden * (2 if self.double else 1)
        self.cells = CELLS[cell](inputs, hidden, batch_first=True)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs (B, T, hidden) and state (B, size) from inputs (B, T, I) and state."""
        past = state.unsqueeze(0)
        if self.double:
            out, (h, c) = self.cells(x, (past[:, :, :self.hidden].contiguous(),
                                         past[:, :, self.hidden:].contiguous()))
            return out, torch.cat([h[0], c[0]], dim=1)
        else:
            out, last = self.cells(x, past)
            return out, last[0]


class RunningModel(nn.Module):
    """Model of a robot's motion; see `blank`, `step`, `predict` and `forward`."""

    def __init__(self, hidden: int = 96, step: float = 0.05, cell: str = 'lstm') -> None:
        """Build an untrained model; raise ValueError for a cell that does not exist."""
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f'cell must be one of {", ".join(CELLS)}, is {cell!r}')
        count, experts = len(segments.ENDS), len(NAMES)
        self.step_s = step
        self.horizon = segments.HORIZON
        self.smallest = _SMALLEST
        self.recent, self.ring, self.largest = RECENT, RING, _LARGEST_CORRECTION
        self.features = len(FEATURES)
        self.valid = FEATURE['odometry_valid']
        self.commands = list(COMMANDS)
        self.experts = Experts(step)
        self.encoder = Recurrent(cell, len(FEATURES) + 3 * len(INNOVATIONS) + 3, hidden)
        plan = 3 * (2 * experts + 2) + 4 + _ROBOT
        self.decoder = Recurrent(cell, plan, hidden)
        self.glance = nn.Linear(9 * self.experts.rows, hidden)  # at the newest rows
        self.start = nn.Linear(2 * hidden, self.decoder.size)
        self.head = nn.Linear(hidden, 3 * (experts + 1) + _FACTOR)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.sharp = nn.Parameter(torch.full((3,), 1.5))  # of the weights by squared error
        self.quick = nn.Parameter(torch.zeros(3))  # share of the fast errors, logit
        self.liked = nn.Parameter(torch.zeros(experts, 3, count))  # log weight before any error
        self.floor = nn.Parameter(torch.full((3,), -4.0))  # of errors, scaled, log
        self.register_buffer('unit', self._units())
        self.innovations = list(INNOVATIONS)
        self.register_buffer('calibration', torch.ones(count))
        self.register_buffer('each_step', torch.full((self.horizon,), step))
        lengths = segments.lengths().long()
        self.register_buffer('segment', torch.repeat_interleave(
            torch.arange(count), lengths))  # of each step (H,)
        self.register_buffer('between', self._interpolation())  # (H, S)

    def _units(self) -> Tensor:
        """Return by which of [1, m/s, rad/s] each feature is scaled, one hot (F, 3)."""
        unit = torch.zeros(len(FEATURES), 3)
        unit[:, 0] = 1.0
        for axis in range(3):
            for columns in (TWISTS, POSES, COMMANDS):
                unit[columns[axis]] = torch.eye(3)[1 if axis < 2 else 2]
        unit[FEATURE['imu_yaw_rate']] = torch.eye(3)[2]
        unit[FEATURE['imu_acceleration']] = torch.eye(3)[1]
        return unit

    def _interpolation(self) -> Tensor:
        """Return the matrix (H, S) from values at the ends of the segments to every step."""
        result = torch.zeros(self.horizon, len(segments.ENDS))
        for i, (start, end) in enumerate(zip(segments.STARTS, segments.ENDS)):
            for step in range(start + 1, end + 1):
                share = (step - start) / (end - start)
                result[step - 1, i] = share
                if i:
                    result[step - 1, i - 1] = 1.0 - share
        return result

    @torch.jit.export
    def blank(self, count: int) -> State:
        """Return the states of so many robots of which nothing is known."""
        return State(self.experts.blank(count), torch.zeros(count, self.ring, self.features),
                     torch.zeros(count, self.encoder.size))

    @torch.jit.export
    def step(self, state: State, row: Tensor) -> State:
        """
        Return the states (B robots) after one more row (B, F) of the grid each.

        A row of zeros says that the odometry paused: what was learned stays, the rows go.
        """
        there = row[:, self.valid].reshape(-1, 1, 1) > 0.5
        ring = torch.cat([state.ring[:, 1:], row.unsqueeze(1)], dim=1) * there
        scale = self.experts.scale(ring)
        learned, missed, residual = self.experts.step(state.learned, ring, scale)
        seen = self.inputs(row.unsqueeze(1), scale.unsqueeze(1),
                           missed[:, 0][:, :, self.innovations].unsqueeze(1),
                           self.usual(state.learned, scale).unsqueeze(1), residual)
        _, after = self.encoder(seen, state.hidden)
        return State(learned, ring, torch.where(there[:, 0], after, state.hidden))

    def inputs(self, rows: Tensor, scale: Tensor, missed: Tensor, usual: Tensor,
               residual: Tensor) -> Tensor:
        """
        Return what the encoder reads (B, T, I) of rows (B, T, F), scaled.

        `scale` (B, T, 3); `missed` (B, T, 3, 2): errors of the path of `adapted`, and `usual`
        (B, T, 3, 2) their usual squares; `residual` (B, T, 3): of the response.
        """
        per_unit = torch.cat([torch.ones_like(scale[..., :1]), scale[..., 1:]], dim=-1)
        scaled = rows / (per_unit @ self.unit.t())
        floor = self.experts.elapsed[self.innovations] * scale.unsqueeze(-1) * self.smallest
        relative = missed / (usual + floor.square()).sqrt()
        seen = torch.cat([scaled, relative.flatten(2), 3.0 * residual / scale], dim=2)
        return seen.clamp(-10.0, 10.0)

    def usual(self, learned: Learned, scale: Tensor) -> Tensor:
        """Return the usual squared errors of `adapted` that the encoder sees (B, 3, 2)."""
        return self.experts.variances(learned, scale, False)[:, 1, 0][:, :, self.innovations]

    @torch.jit.export
    def predict(self, state: State, rows: Tensor, commands: Tensor
                ) -> tuple[Tensor, Tensor]:
        """
        Return poses (K, H, 3) and factors (K, H, 3, 3) of their errors.

        `rows` (B, n, F) are those after the state's newest; they may still change, and the state
        stays what it is. `commands` (K, H, 4) are [forward, left [m/s], turn [rad/s], 1 given or
        0 open]; with K plans for one robot, B is 1. Poses are in the body frame of the newest row;
        the covariance of the error in [x [m], y [m], yaw [rad]] is L L^T with the factor L.
        """
        learned = state.learned
        whole = torch.cat([state.ring, rows], dim=1)
        ring = whole[:, -self.ring:]
        found = self.experts.estimated(learned)
        read = self.replayed(state, whole, found, rows.shape[1])
        paths = self.experts.paths(learned, ring, commands, found)
        scale = self.experts.scale(ring)
        given = bool((commands[:, 0, 3] > 0.5).any())
        variances = self.experts.variances(learned, scale, given)
        asked = self.experts.average @ commands  # (K, S, 4)
        changes = torch.cat([
            asked[:, :, :3] - asked[:, :, 3:] * ring[:, -1:, self.commands], asked[:, :, 3:]],
            dim=2)
        robot = robot_numbers(found)
        newest = self.experts.regressors(ring).float() / scale.unsqueeze(2)
        decoded = self.decode(read, newest.flatten(1), paths, variances, scale, changes, robot)
        return self.poses(decoded)

    def replayed(self, state: State, whole: Tensor, found: Estimate, count: int) -> Tensor:
        """Return the encoder's output (B, hidden) at the newest of `count` rows."""
        n = self.experts.rows
        # What `adapted` missed at each of them: its predictions from the rows before.
        scale = self.rolling(whole, count)
        missed: list[Tensor] = []
        for k in self.innovations:
            ahead = int(round(float(self.experts.elapsed[k]) / self.step_s))
            runs = whole[:, -(n + ahead + count - 1):whole.shape[1] - ahead].unfold(1, n, 1)
            runs = runs[:, :, self.experts.read]  # (B, count, 9, n)
            past = runs.reshape(runs.shape[0], count, 3, 3 * n).transpose(1, 2).double()
            heard = whole[:, whole.shape[1] - ahead - count:whole.shape[1] - ahead][
                :, :, self.experts.heard].unsqueeze(1).unsqueeze(3) > 0.5
            twists = torch.where(heard, past @ state.learned.open_weights,
                                 past[..., :2 * n] @ self.experts.blind)
            path = (twists.float() * self.experts.duration).cumsum(dim=3)[..., k]  # (B, 3, count)
            moved = whole[:, -(count + ahead - 1):][:, :, self.experts.poses].unfold(1, ahead, 1)
            actual = moved.sum(dim=3) * self.step_s  # (B, count, 3)
            there = whole[:, -(count + ahead):][:, :, self.valid].unfold(1, ahead + 1, 1).amin(2)
            begun = whole[:, -(count + ahead):whole.shape[1] - ahead, self.experts.measured]
            there = there * begun
            missed.append((path.transpose(1, 2) - actual) * there.unsqueeze(2))
        usual = self.usual(state.learned, scale[:, -1]).unsqueeze(1).expand(-1, count, -1, -1)
        seen = self.inputs(whole[:, -count:], scale, torch.stack(missed, dim=3), usual,
                           self.experts.residuals(found, whole, count))
        hidden = state.hidden
        first = whole[:, -count, self.valid]
        if bool(first.amin() < 0.5):  # the drive is younger than these rows
            for i in range(count):
                _, after = self.encoder(seen[:, i:i + 1], hidden)
                there = whole[:, i - count, self.valid].unsqueeze(1) > 0.5
                hidden = torch.where(there, after, hidden)
            return hidden[:, :self.encoder.hidden]
        out, _ = self.encoder(seen, hidden)
        return out[:, -1]

    def rolling(self, whole: Tensor, count: int) -> Tensor:
        """Return the scale at each of the newest `count` rows (B, count, 3)."""
        first = whole.shape[1] - self.ring - count + 1
        scales = [self.experts.scale(whole[:, max(0, first + i):max(0, first + i) + self.ring])
                  for i in range(count)]
        return torch.stack(scales, dim=1)

    def decode(self, seen: Tensor, newest: Tensor, paths: Tensor, variances: Tensor,
               scale: Tensor, changes: Tensor, robot: Tensor) -> Decoded:
        """
        Return the path of K plans, from the encoder's output (B, hidden) and what the experts say.

        `paths` (K, E, 3, S), `variances` (B, 2, E, 3, S), `scale` (B, 3), `changes` (K, S, 4): the
        commands beside the one in force, and 1 where they are given, `robot` (B, R).
        """
        size = scale.unsqueeze(2) * self.experts.elapsed  # (B, 3, S)
        share = torch.sigmoid(self.quick).unsqueeze(1)
        logs = variances.clamp_min(1e-12).log()
        log_floor = (self.floor.unsqueeze(1) + size.log()) * 2.0
        expected = share * logs[:, 0] + (1.0 - share) * logs[:, 1]  # (B, E, 3, S)
        expected = torch.logaddexp(expected, log_floor.unsqueeze(1))
        prior = -self.sharp.unsqueeze(1) * expected + self.liked
        before = torch.softmax(prior, dim=1)
        sigma = torch.exp(0.5 * (before * expected).sum(dim=1))  # (B, 3, S)
        centre = (before * paths).sum(dim=1)  # (K, 3, S)
        apart = ((paths - centre.unsqueeze(1)) / sigma.unsqueeze(1)).clamp(-8.0, 8.0)
        relative = (expected - 2.0 * sigma.log().unsqueeze(1)).clamp(-4.0, 8.0)
        twists = torch.diff(centre, dim=2, prepend=torch.zeros_like(centre[:, :, :1])) \
            / self.experts.duration / scale.unsqueeze(2)
        count, ends = paths.shape[0], paths.shape[3]
        per_scale = torch.cat([scale, torch.ones_like(scale[:, :1])], dim=1).unsqueeze(1)
        read = torch.cat([
            apart.flatten(1, 2).transpose(1, 2),
            relative.flatten(1, 2).transpose(1, 2).expand(count, -1, -1),
            (0.3 * (sigma / size).log()).transpose(1, 2).expand(count, -1, -1),
            twists.transpose(1, 2).clamp(-5.0, 5.0), (changes / per_scale).clamp(-5.0, 5.0),
            robot.unsqueeze(1).expand(count, ends, -1)], dim=2)
        context = torch.cat([seen, torch.tanh(self.glance(newest))], dim=1)
        decoded, _ = self.decoder(read, self.start(context).expand(count, -1))
        out = self.head(decoded)  # (K, S, 3 (E + 1) + 6)
        experts = paths.shape[1]
        raw = out[:, :, :3 * experts].unflatten(2, (experts, 3)).permute(0, 2, 3, 1)
        weights = torch.softmax(prior + raw, dim=1)
        offset = torch.tanh(out[:, :, 3 * experts:3 * experts + 3] / self.largest) * self.largest
        path = (weights * paths).sum(dim=1) + sigma * offset.transpose(1, 2)
        return Decoded(path, sigma.expand(count, -1, -1),
                       self.factor(out[:, :, 3 * experts + 3:]), weights)

    def factor(self, raw: Tensor) -> Tensor:
        """Return lower triangular factors with positive diagonal (..., 3, 3) of raw (..., 6)."""
        diagonal = torch.exp(raw[..., :3].clamp(-4.0, 4.0))
        below = raw[..., 3:].clamp(-5.0, 5.0)
        zero = torch.zeros_like(below[..., 0])
        return torch.stack([
            torch.stack([diagonal[..., 0], zero, zero], dim=-1),
            torch.stack([below[..., 0] * diagonal[..., 1], diagonal[..., 1], zero], dim=-1),
            torch.stack([below[..., 1] * diagonal[..., 2], below[..., 2] * diagonal[..., 2],
                         diagonal[..., 2]], dim=-1)], dim=-2)

    def twists(self, path: Tensor) -> Tensor:
        """Return the twist in each segment (K, S, 3) of paths (K, 3, S)."""
        steps = torch.diff(path, dim=2, prepend=torch.zeros_like(path[:, :, :1]))
        return (steps / self.experts.duration).transpose(1, 2)

    def poses(self, decoded: Decoded) -> tuple[Tensor, Tensor]:
        """Return where the robots will be (K, H, 3), and factors of the errors (K, H, 3, 3)."""
        twists = self.twists(decoded.path)
        poses = segments.integrate(twists[:, self.segment], self.each_step)
        ends = poses[:, self.experts.ends]  # (K, S, 3)
        own = decoded.factors * decoded.sizes.transpose(1, 2).unsqueeze(3)
        turned = lever(ends) @ own * self.calibration.reshape(1, -1, 1, 1)
        covariance = turned @ turned.transpose(2, 3)
        factors, _ = torch.linalg.cholesky_ex(covariance)
        return poses, torch.einsum('hs,ksij->khij', self.between, factors)

    def forward(self, window: Tensor, commands: Tensor) -> tuple[Tensor, Tensor]:
        """Return poses and factors from a window (B, W, F) alone: blank, step, predict."""
        state = self.blank(window.shape[0])
        for i in range(window.shape[1] - self.recent):
            state = self.step(state, window[:, i])
        poses, factors = self.predict(state, window[:, -self.recent:], commands)
        return poses, factors


def along_path(errors: Tensor, poses: Tensor) -> Tensor:
    """Return errors of poses (..., 3) as errors along the path, the inverse of `lever`."""
    half, yaw = 0.5 * poses[..., 2], errors[..., 2]
    x = errors[..., 0] + 0.5 * poses[..., 1] * yaw
    y = errors[..., 1] - 0.5 * poses[..., 0] * yaw
    cos, sin = half.cos(), half.sin()
    return torch.stack([cos * x + sin * y, cos * y - sin * x, yaw], dim=-1)


def robot_numbers(found: Estimate) -> Tensor:
    """Return the estimated response as the decoder reads it (B, 11)."""
    return torch.cat([found.delay.unsqueeze(1), found.lag, found.gain, 0.2 * found.left,
                      0.2 * torch.log1p(found.count[:, :1])], dim=1)


def lever(poses: Tensor) -> Tensor:
    """
    Return the matrices (..., 3, 3) from errors along a path to errors of its pose (..., 3).

    Errors along the path are forward, left and turn, of the chord's direction; a heading error
    grows along the path and shifts its end by half of its length.
    """
    half = 0.5 * poses[..., 2]
    cos, sin, zero, one = half.cos(), half.sin(), torch.zeros_like(half), torch.ones_like(half)
    return torch.stack([
        torch.stack([cos, -sin, -0.5 * poses[..., 1]], dim=-1),
        torch.stack([sin, cos, 0.5 * poses[..., 0]], dim=-1),
        torch.stack([zero, zero, one], dim=-1)], dim=-2)
