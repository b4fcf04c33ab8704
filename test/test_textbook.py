"""
The recurrent network is the one that was published, computed here once more in NumPy.

Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997; with the
forget gate of Gers, Schmidhuber and Cummins, "Learning to Forget", Neural Computation 12(10),
2000. And its gradients, through all of time, are the slopes of what it computes.
"""

from pathlib import Path

from conftest import golden_inputs, motion_model, small_contract
from lstm_predictor.core import se2
from lstm_predictor.core.artifact import load, save
from lstm_predictor.core.arx import Arx
from lstm_predictor.core.model import CELLS, MotionModel
from lstm_predictor.core.window import FEATURE, FEATURES
import numpy as np
import pytest
import torch

SHIPPED = sorted((Path(__file__).parents[1] / 'models').glob('*.pt'))
EACH_ROW = len(FEATURES) + 6  # numbers that the encoder reads per row of the window

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
    for one, other in zip(archive.module(*inputs), archive.eager(*inputs), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_encoder_and_decoder_are_long_short_term_memories(archive):
    window, commands = archive.inputs()
    model = archive.eager
    scale, prior = model.scale(window, commands), model.prior(window, commands)
    rows = model.folded(window, scale)
    plan = model.plan(window, commands, prior, scale)
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
    """The whole way: encoder, decoder, head, correction of the prior, one arc after the other."""
    window, commands = archive.inputs()
    model, step = archive.eager, 1.0 / archive.contract.rate
    scale, prior = model.scale(window, commands), model.prior(window, commands)
    rows = model.folded(window, scale).double().numpy()
    plan = model.plan(window, commands, prior, scale).double().numpy()
    W, b = archive.weights['head.weight'], archive.weights['head.bias']
    poses, _ = archive.module(window, commands)
    for i in range(len(window)):
        start = np.zeros(archive.hidden), np.zeros(archive.hidden)
        states, cell = long_short_term_memory(archive.cell('encoder'), rows[i], *start)
        answers, _ = long_short_term_memory(archive.cell('decoder'), plan[i], states[-1], cell)
        twists = prior[i].double().numpy() + (answers @ W.T + b)[:, :2] * scale[i].numpy()
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

    def folded(self, window, scale):
        self.rows = super().folded(window, scale).detach().requires_grad_()
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
    window[..., FEATURE['odometry_valid']] = 1.0
    commands = random.normal(size=(2, HORIZON, 3))
    commands[..., 2] = random.random((2, HORIZON)) < 0.5
    return torch.from_numpy(window), torch.from_numpy(commands)


def total(model):
    """Return a number to which every pose and every error factor contributes by its own."""
    poses, factors = model(*tiny_inputs())
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
        for i in range(0, len(flat), 1 + len(flat) // 40):
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
