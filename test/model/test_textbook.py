"""
The recurrent network is the one that was published, computed here once more in NumPy.

Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997; with the
forget gate of Gers, Schmidhuber and Cummins, "Learning to Forget", Neural Computation 12(10),
2000. So is the bank of dead times and lags: each hypothesis by itself, and the mean of all by
what each explains. And the gradients, through all of time, are the slopes of what it computes.
"""

from copy import deepcopy
from pathlib import Path

from helpers.models import flags, golden_inputs, motion_model, small_contract
from lstm_predictor.common import se2
from lstm_predictor.model.linear_prior import Arx
from lstm_predictor.model.model_file import load, save
from lstm_predictor.model.network import CELLS, MotionModel
from lstm_predictor.model.response_bank import ResponseEstimate
from lstm_predictor.model.window import FEATURE, FEATURES
import numpy as np
import pytest
import torch

SHIPPED = sorted((Path(__file__).parents[2] / 'models').glob('*.pt'))
EACH_ROW = 13 + 8  # numbers that the encoder reads per row of the window

pytestmark = pytest.mark.usefixtures('one_thread')


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def long_short_term_memory(weights, x, h, c):
    """
    Return the hidden state after every step (T, n) and the cell after the last (n,).

    `weights` are W of the input, R of the hidden state, and b, the gates one below the other.
    """
    n = len(h)
    W, R, b = weights
    W_in, W_forget, W_candidate, W_out = (W[i * n:(i + 1) * n] for i in range(4))
    R_in, R_forget, R_candidate, R_out = (R[i * n:(i + 1) * n] for i in range(4))
    b_in, b_forget, b_candidate, b_out = (b[i * n:(i + 1) * n] for i in range(4))
    states = []
    for x_t in x:
        i = sigmoid(W_in @ x_t + R_in @ h + b_in)
        f = sigmoid(W_forget @ x_t + R_forget @ h + b_forget)
        g = np.tanh(W_candidate @ x_t + R_candidate @ h + b_candidate)
        o = sigmoid(W_out @ x_t + R_out @ h + b_out)
        c = f * c + i * g
        h = o * np.tanh(c)
        states.append(h)
    return np.array(states), c


# The bank: delays [s], lags [s], and the columns of what is asked and what is measured.
DELAYS = [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5]
LAGS = [0.03, 0.08, 0.16, 0.3, 0.5]
AXES = (('command_speed', 'pose_speed'), ('command_yaw_rate', 'pose_yaw_rate'))


def answer(asked, delay, lag, step):
    """
    Return the mean twist (n,) of the step after each command (n,), the first held for ever.

    A mean of 20 moments; what is asked is reached for good in the 50th step.
    """
    moments = step * (np.arange(len(asked))[:, None] + (np.arange(20) + 0.5) / 20.0)
    waited = np.maximum(moments - delay, 0.0)
    reached = np.mean(1.0 - np.exp(-waited / lag), axis=1)
    reached[49:] = 1.0
    twists = np.full(len(asked), asked[0])
    for now in range(1, len(asked)):
        twists[now:] += (asked[now] - asked[now - 1]) * reached[:len(asked) - now]
    return twists


def explained(weights, axis, past, measured, weight, memory):
    """Return the gain of one hypothesis, the log of what it leaves over, and its evidence."""
    usual, sharp = weights['usual'][axis], np.exp(weights['sharp'][axis])
    firm, noise = np.exp(weights['firm'][axis]), np.exp(weights['noise'][axis])
    most = np.exp(weights['trusts'])
    xx, xy, yy, rows = memory * most / (most + memory[3])
    gain = (np.sum(weight * past * measured) + xy + firm * usual) \
        / (np.sum(weight * past**2) + xx + firm)
    left = np.sum(weight * (measured - gain * past)**2) + firm * (gain - usual)**2 \
        + yy - 2.0 * gain * xy + gain**2 * xx
    rows = rows + np.sum(weight)
    left = np.log(left / (rows + 1.0) + noise**2)
    return gain, left, -sharp * rows * left


def bank(weights, window, commands, scale, memory, step):
    """Return what is found in one window (W, F) with commands (H, 3), as the fields of Found."""
    rows, horizon = len(window), len(commands)
    valid, heard = (window[:, FEATURE[name]] > 0.5 for name in (
        'odometry_valid', 'command_valid'))
    begin = np.flatnonzero(valid[:-1])[0]
    weight = np.exp(-step * np.arange(rows - 1)[::-1] / 3.0) * valid[1:] * valid[:-1] * heard[:-1]
    pairs = [(i, j) for i in range(len(DELAYS)) for j in range(len(LAGS))]
    twists = np.zeros((2, 55, rows - 1 + horizon))
    gains, lefts = np.zeros((2, 55)), np.zeros((2, 55))
    measured, evidence = np.zeros((2, rows - 1)), weights['likely'] + np.zeros((2, 11, 5))
    for axis, names in enumerate(AXES):
        column, moved = (FEATURE[name] for name in names)
        asked = [*window[:, column]]
        asked[:begin] = [asked[begin]] * begin
        for command in commands:  # from the newest row on
            asked.append(command[axis] if command[2] > 0.5 else asked[-1])
        asked = np.array(asked[:rows - 1] + asked[rows:]) / scale[axis]
        measured[axis] = window[1:, moved] / scale[axis]
        for at, (i, j) in enumerate(pairs):
            twists[axis, at] = answer(asked, DELAYS[i], LAGS[j], step)
            gains[axis, at], lefts[axis, at], proof = explained(
                weights, axis, twists[axis, at, :rows - 1], measured[axis], weight,
                memory[axis, at])
            evidence[axis, i, j] += proof
    # One dead time for both axes; given it, each has a lag of its own.
    likely = np.exp(evidence - evidence.max(axis=2, keepdims=True))
    delay = np.sum(np.log(likely.sum(axis=2)) + evidence.max(axis=2), axis=0)
    delay = np.exp(delay - delay.max())
    delay /= delay.sum()
    share = likely / likely.sum(axis=2, keepdims=True) * delay[None, :, None]  # (2, D, L)
    fitted = np.einsum('am,am,amn->an', share.reshape(2, 55), gains, twists)
    missed = (measured - fitted[:, :rows - 1]) * valid[1:]
    later = step * np.arange(1, horizon + 1)
    stays = np.exp(-later / np.exp(weights['fading'])[:, None])
    return {
        'twists': (fitted[:, rows - 1:] + missed[:, -1:] * stays).T,
        'missed': np.concatenate([np.zeros((1, 2)), missed.T]),
        'delay': delay @ DELAYS, 'lag': share.sum(axis=1) @ LAGS,
        'gain': np.sum(share.reshape(2, 55) * gains, axis=1),
        'left': np.sum(0.5 * share.reshape(2, 55) * lefts, axis=1)}


class Archive:
    """A model file opened by torch alone, and the eager model of its weights."""

    def __init__(self, path):
        self.module = torch.jit.load(str(path)).eval()
        self.contract = load(path).contract
        state = self.module.state_dict()
        self.weights = {key: value.double().numpy() for key, value in state.items()}
        self.hidden = state['encoder.weight_hh_l0'].shape[1]
        self.eager = MotionModel(
            hidden=self.hidden, horizon=self.contract.horizon, step=1.0 / self.contract.rate,
            fold=state['encoder.weight_ih_l0'].shape[1] // EACH_ROW,
            prior=Arx(state['prior.open'].shape[1] // 3, self.contract.horizon)).eval()
        self.eager.load_state_dict(state)

    def cell(self, name):
        """Return W, R and b of the encoder or the decoder; torch keeps two halves of b."""
        W, R, b, b_too = (self.weights[f'{name}.{part}_l0'] for part in (
            'weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'))
        return W, R, b + b_too

    def inputs(self):
        """Return the golden inputs, some of them with open commands and as if begun just now."""
        window, commands = (torch.tensor(self.contract.golden[name]) for name in (
            'window', 'commands'))
        late, open_ = window.clone(), torch.zeros_like(commands)
        late[:, :-self.contract.shortest] = 0.0
        return torch.cat([window, late]), torch.cat([commands, open_])

    def memory(self):
        """Return a memory for each of these inputs, of some of the golden windows."""
        window, memory = self.inputs()[0], self.eager.blank(1)
        kept = []
        for i in range(len(window)):
            kept.append(memory)
            memory = self.eager.learn(window[i:i + 1], torch.tensor([1 + i % 20]), memory)
        return torch.cat(kept)

    def found(self):
        """Return what the equations find in the inputs."""
        window, commands = self.inputs()
        scale = self.eager.scale(window, commands)
        weights = {key.removeprefix('response.'): value for key, value in self.weights.items()}
        each = [bank(weights, *(part.double().numpy() for part in parts),
                     1.0 / self.contract.rate)
                for parts in zip(window, commands, scale, self.memory())]
        return {name: np.stack([one[name] for one in each]) for name in ResponseEstimate._fields}


@pytest.fixture(scope='module', params=[*SHIPPED, None],
                ids=lambda path: path.name if path else 'untrained')
def archive(request, tmp_path_factory):
    """Return a model file that comes with the package, or one with random weights."""
    path = request.param
    if path is None:
        path = tmp_path_factory.mktemp('textbook') / 'untrained.pt'
        contract = small_contract()
        save(path, motion_model(prior_spread=0.05), contract, *golden_inputs(contract))
    return Archive(path)


@torch.no_grad()
def test_the_archive_is_the_model_of_its_weights(archive):
    inputs = archive.inputs()
    memory = archive.memory()
    for one, other in zip(
            (*archive.module(*inputs), *archive.module.informed(*inputs, memory)),
            (*archive.eager(*inputs), *archive.eager.informed(*inputs, memory)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_bank_is_that_of_the_equations(archive):
    window, commands = archive.inputs()
    scale = archive.eager.scale(window, commands)
    found = deepcopy(archive.eager.response).double()(
        *(part.double() for part in (window, commands, scale, archive.memory())))
    for name, expected in archive.found().items():
        np.testing.assert_allclose(getattr(found, name), expected, atol=1e-4, err_msg=name)


@torch.no_grad()
def test_encoder_and_decoder_are_long_short_term_memories(archive):
    window, commands = archive.inputs()
    model, memory = archive.eager, archive.memory()
    scale, prior = model.scale(window, commands), model.prior(window, commands)
    found = model.response(window, commands, scale, memory)
    rows = model.folded(window, scale, found)
    plan = model.plan(window, commands, prior, scale, found, memory)
    read, state = model.encoder(rows)
    decoded, _ = model.decoder(plan, state)
    for i in range(len(window)):
        start = np.zeros(archive.hidden), np.zeros(archive.hidden)
        states, cell = long_short_term_memory(
            archive.cell('encoder'), rows[i].double().numpy(), *start)
        np.testing.assert_allclose(read[i].numpy(), states, atol=1e-5)
        np.testing.assert_allclose(state[1][0, i].numpy(), cell, atol=1e-5)
        answers, _ = long_short_term_memory(
            archive.cell('decoder'), plan[i].double().numpy(), states[-1], cell)
        np.testing.assert_allclose(decoded[i].numpy(), answers, atol=1e-5)


@torch.no_grad()
def test_poses_are_those_of_the_equations(archive):
    """The whole way: bank, encoder, decoder, head, gate and correction, arc after arc."""
    window, commands = archive.inputs()
    model, memory, step = archive.eager, archive.memory(), 1.0 / archive.contract.rate
    scale, prior = model.scale(window, commands), model.prior(window, commands)
    found = archive.found()
    known = ResponseEstimate(*(
        torch.tensor(found[name]).float() for name in ResponseEstimate._fields))
    rows = model.folded(window, scale, known).double().numpy()
    plan = model.plan(window, commands, prior, scale, known, memory).double().numpy()
    W, b = archive.weights['head.weight'], archive.weights['head.bias']
    poses, _ = archive.module.informed(window, commands, memory)
    for i in range(len(window)):
        start = np.zeros(archive.hidden), np.zeros(archive.hidden)
        states, cell = long_short_term_memory(archive.cell('encoder'), rows[i], *start)
        answers, _ = long_short_term_memory(archive.cell('decoder'), plan[i], states[-1], cell)
        out, size = answers @ W.T + b, scale[i].double().numpy()
        gate = sigmoid(out[:, 2:4])
        twists = gate * prior[i].double().numpy() + (1.0 - gate) * found['twists'][i] * size \
            + out[:, :2] * size
        pose, expected = np.zeros(3), []
        for speed, yaw_rate in twists:
            pose = se2.compose(pose, se2.exp([speed * step, 0.0, yaw_rate * step]))
            expected.append(pose)
        np.testing.assert_allclose(
            se2.between(expected, poses[i].double().numpy()), 0.0, atol=2e-4)


# Gradients, of a model so small that every weight can be moved one by one.

ROWS, HORIZON, FOLD = 24, 20, 2


class Watched(MotionModel):
    """Keeps what the encoder reads, cut off from what else the window does."""

    def folded(self, *inputs):
        self.rows = super().folded(*inputs).detach().requires_grad_()
        return self.rows


def tiny(kind=MotionModel, **options):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = kind(hidden=3, horizon=HORIZON, fold=FOLD, prior=Arx(2, HORIZON), **options)
        torch.nn.init.normal_(model.head.weight)
    return model.double()


def tiny_inputs():
    random = np.random.default_rng(0)
    window = random.normal(size=(2, ROWS, len(FEATURES)))
    window[..., flags()] = 1.0
    commands = random.normal(size=(2, HORIZON, 3))
    commands[..., 2] = random.random((2, HORIZON)) < 0.5
    memory = tiny().learn(torch.from_numpy(0.5 * window[::-1]), torch.tensor([20, 9]),
                          torch.zeros(2, 2, 55, 4, dtype=torch.float64))
    return torch.from_numpy(window), torch.from_numpy(commands), memory.detach()


def total(model):
    """Return a number to which every pose and every error factor contributes by its own."""
    poses, factors = model.informed(*tiny_inputs())
    parts = torch.cat([poses.flatten(), factors.flatten()])
    return (parts * torch.linspace(-1.0, 1.0, len(parts), dtype=torch.float64)).sum()


@pytest.mark.parametrize('cell', CELLS)
def test_gradients_through_time_are_slopes(cell):
    model = tiny(cell=cell)
    names, weights = zip(*model.named_parameters())
    gradients = torch.autograd.grad(total(model), weights)
    size = 1e-5
    for name, weight, gradient in zip(names, weights, gradients):
        flat = weight.data.view(-1)
        assert (gradient != 0.0).any(), name
        for i in range(0, len(flat), 1 + len(flat) // 12):
            kept = float(flat[i])
            with torch.no_grad():
                flat[i] = kept + size
                above = float(total(model))
                flat[i] = kept - size
                below = float(total(model))
                flat[i] = kept
            slope = (above - below) / (2.0 * size)
            assert float(gradient.view(-1)[i]) == pytest.approx(slope, rel=1e-5, abs=1e-7), name


@pytest.mark.parametrize('cell', CELLS)
@pytest.mark.parametrize('truncate', [2, 8])
def test_truncated_gradients_end_where_they_should_and_change_no_output(cell, truncate):
    whole, cut = tiny(Watched, cell=cell), tiny(Watched, cell=cell, truncate=truncate)
    assert total(cut).item() == pytest.approx(total(whole).item(), rel=1e-12)
    seen = torch.autograd.grad(total(whole), whole.rows)[0].abs().sum(dim=(0, 2))
    assert (seen > 0.0).all()
    flown, = torch.autograd.grad(total(cut), cut.rows)
    recent = truncate // FOLD
    assert (flown[:, :-recent] == 0.0).all()
    assert (flown[:, -recent:].abs().sum(dim=(0, 2)) > 0.0).all()
