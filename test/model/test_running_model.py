"""What holds for the model whose state runs with the robot, whatever its weights are."""

import subprocess
import sys

from lstm_predictor.model import segments
from lstm_predictor.model.experts import NAMES, RECENT, RING
from lstm_predictor.model.running_model import CELLS, RunningModel
from lstm_predictor.model.window import FEATURE, FEATURES
from lstm_predictor.training.augmentation import MIRROR_ROW
import pytest
import torch

HIDDEN = 8
VALID, HEARD = FEATURE['odometry_valid'], FEATURE['command_valid']

pytestmark = pytest.mark.usefixtures('one_thread', 'no_gradients')


@pytest.fixture(scope='module')
def no_gradients():
    with torch.inference_mode():
        yield


def model_of(seed=0, cell='lstm', spread=0.3):
    """Return a model with random weights of network and linear predictors."""
    torch.manual_seed(seed)
    model = RunningModel(cell=cell, hidden=HIDDEN)
    for name, values in model.named_parameters():
        if name.startswith(('encoder', 'decoder', 'head')):
            values.normal_(std=spread)
    for name in ('open', 'given', 'blind'):
        weights = model.experts.get_buffer(name)
        weights.add_(0.02 * torch.randn_like(weights) * model.experts.causal[:weights.shape[1]])
    return model.eval()


def drive(seed, count=150, robots=2):
    """Return rows (B, T, F) of smooth random motion that follows its commands."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(robots, count, len(FEATURES), generator=generator)
    kernel = torch.exp(-torch.arange(20.0) / 6.0).flip(0) / 6.0
    padded = torch.nn.functional.pad(noise.transpose(1, 2), (19, 0))
    rows = (padded.unfold(2, 20, 1) * kernel).sum(dim=3).transpose(1, 2).contiguous()
    for name in ('odometry_valid', 'command_valid', 'imu_valid', 'measured'):
        rows[:, :, FEATURE[name]] = 1.0
    return rows


def plans(seed, count):
    """Return commands (K, H, 4) of which all are given."""
    generator = torch.Generator().manual_seed(seed)
    commands = torch.randn(count, segments.HORIZON, 4, generator=generator)
    commands[:, :, 3] = 1.0
    return commands


def stepped(model, rows, state=None):
    """Return the state after rows (B, T, F)."""
    state = model.blank(len(rows)) if state is None else state
    for i in range(rows.shape[1]):
        state = model.step(state, rows[:, i])
    return state


def leaves(value):
    """Return the tensors in nested tuples."""
    if isinstance(value, torch.Tensor):
        return [value]
    return [leaf for part in value for leaf in leaves(part)]


def assert_same(one, other, **tolerance):
    for a, b in zip(leaves(one), leaves(other), strict=True):
        torch.testing.assert_close(a, b, **tolerance)


OPEN = torch.zeros(1, segments.HORIZON, 4)


@pytest.mark.parametrize('cell', CELLS)
def test_the_archive_alone_gives_what_the_module_gives(cell, tmp_path):
    """A process that knows nothing of the package loads it, steps and predicts."""
    model, rows = model_of(1, cell), drive(1)
    torch.jit.script(model).save(str(tmp_path / 'model.pt'))
    torch.save((rows, OPEN.expand(2, -1, -1)), tmp_path / 'given.pt')
    script = f"""
import torch
model = torch.jit.load({str(tmp_path / 'model.pt')!r})
rows, commands = torch.load({str(tmp_path / 'given.pt')!r})
with torch.inference_mode():
    state = model.blank(2)
    for i in range(rows.shape[1] - {RECENT}):
        state = model.step(state, rows[:, i])
    found = model.predict(state, rows[:, -{RECENT}:], commands)
torch.save((found, model(rows, commands), 'lstm_predictor' in __import__('sys').modules),
           {str(tmp_path / 'found.pt')!r})
"""
    subprocess.run([sys.executable, '-I', '-c', script], check=True, cwd=tmp_path)
    found, window, imported = torch.load(tmp_path / 'found.pt')
    expected = model(rows, OPEN.expand(2, -1, -1))
    assert not imported
    assert_same(found, expected, rtol=1e-4, atol=1e-5)
    assert_same(window, expected, rtol=1e-4, atol=1e-5)


def test_robots_side_by_side_are_predicted_as_each_by_itself():
    model, rows = model_of(2), drive(2, robots=3)
    together = stepped(model, rows[:, :-RECENT])
    poses, factors = model.predict(together, rows[:, -RECENT:], OPEN.expand(3, -1, -1))
    for i in range(3):
        own = stepped(model, rows[i:i + 1, :-RECENT])
        found = model.predict(own, rows[i:i + 1, -RECENT:], OPEN)
        assert_same(found, (poses[i:i + 1], factors[i:i + 1]), rtol=1e-4, atol=1e-5)


def test_plans_from_one_state_are_predicted_as_each_by_itself():
    model, rows, commands = model_of(3), drive(3, robots=1), plans(3, 5)
    state = stepped(model, rows[:, :-RECENT])
    poses, factors = model.predict(state, rows[:, -RECENT:], commands)
    for i in range(5):
        found = model.predict(state, rows[:, -RECENT:], commands[i:i + 1])
        assert_same(found, (poses[i:i + 1], factors[i:i + 1]), rtol=1e-4, atol=1e-5)
    assert (poses[1:, -1] - poses[:1, -1]).norm(dim=1).min() > 1e-3


def test_predicting_leaves_the_state_as_it_was():
    model, rows = model_of(4), drive(4)
    state = stepped(model, rows[:, :-RECENT])
    before = [leaf.clone() for leaf in leaves(state)]
    first = model.predict(state, rows[:, -RECENT:], OPEN.expand(2, -1, -1))
    second = model.predict(state, rows[:, -RECENT:], OPEN.expand(2, -1, -1))
    assert_same(before, leaves(state), rtol=0.0, atol=0.0)
    assert_same(first, second, rtol=0.0, atol=0.0)


def test_what_comes_later_does_not_change_what_is_given_before():
    """Commands of the second second leave the first one alone."""
    model, rows, commands = model_of(5), drive(5, robots=1), plans(5, 1)
    state = stepped(model, rows[:, :-RECENT])
    changed = commands.clone()
    changed[:, 20:, :3] += 1.0  # the end of a segment
    one, _ = model.predict(state, rows[:, -RECENT:], commands)
    other, _ = model.predict(state, rows[:, -RECENT:], changed)
    torch.testing.assert_close(one[:, :20], other[:, :20], rtol=1e-5, atol=1e-6)
    assert (one[:, -1] - other[:, -1]).norm() > 1e-3


def test_from_rows_between_messages_nothing_is_learned_and_nothing_is_scored():
    """They were made with the message after them, which a prediction never has."""
    model, rows = model_of(11), drive(11)
    rows[:, :, FEATURE['measured']] = 0.0
    blank, learned = model.blank(2).learned, stepped(model, rows).learned
    for name in ('open_weights', 'open_inverse', 'given_weights', 'given_inverse', 'missed',
                 'missed_count', 'missed_given', 'missed_given_count'):
        assert_same(getattr(learned, name), getattr(blank, name), rtol=0.0, atol=0.0)
    rows[:, ::2, FEATURE['measured']] = 1.0
    half = stepped(model, rows).learned
    assert (half.missed_count[:, :, 0] > 0.0).all()
    assert (half.open_weights - blank.open_weights).abs().amax() > 1e-3


@pytest.mark.parametrize('first', [0, 3, 30])
def test_a_drive_younger_than_the_ring_is_predicted_from_what_there_is(first):
    """Rows before the odometry began are zero, and change nothing whatever their number is."""
    model, rows = model_of(6), drive(6, RECENT + first)
    nothing = torch.zeros(2, 7, len(FEATURES))
    one = model(rows, OPEN.expand(2, -1, -1))
    other = model(torch.cat([nothing, rows], dim=1), OPEN.expand(2, -1, -1))
    assert_same(one, other, rtol=1e-4, atol=1e-5)
    assert all(bool(part.isfinite().all()) for part in one)


def test_an_untrained_network_is_symmetric_to_left_and_right():
    """The experts and their weights by error know no side; the network has to learn it."""
    model, rows = RunningModel(hidden=HIDDEN).eval(), drive(7)
    flip = torch.tensor([1.0, -1.0, -1.0])
    poses, factors = model(rows, OPEN.expand(2, -1, -1))
    mirrored, sizes = model(rows * MIRROR_ROW, OPEN.expand(2, -1, -1))
    torch.testing.assert_close(mirrored, poses * flip, rtol=1e-4, atol=1e-5)
    covariance = factors @ factors.transpose(2, 3)
    torch.testing.assert_close(sizes @ sizes.transpose(2, 3), covariance * torch.outer(flip, flip),
                               rtol=1e-3, atol=1e-6)


def test_all_lengths_in_another_unit_give_the_same_motion_in_that_unit():
    """The network reads everything relative to the largest velocities of the robot."""
    model, rows = model_of(8), drive(8) + 0.0
    larger = rows.clone()
    for name, unit in FEATURES:
        if unit in ('m/s', 'm/s^2'):
            larger[:, :, FEATURE[name]] *= 4.0
    poses, factors = model(rows, OPEN.expand(2, -1, -1))
    scaled, sizes = model(larger, OPEN.expand(2, -1, -1))
    unit = torch.tensor([4.0, 4.0, 1.0])
    torch.testing.assert_close(scaled, poses * unit, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(sizes @ sizes.transpose(2, 3), factors @ factors.transpose(
        2, 3) * torch.outer(unit, unit), rtol=1e-2, atol=1e-5)


def test_the_covariance_is_positive_and_grows_along_a_straight_path():
    model, rows = RunningModel(hidden=HIDDEN).eval(), drive(9)
    rows[:, :, [FEATURE[name] for name in ('yaw_rate', 'pose_yaw_rate')]] = 0.0
    _, factors = model(rows, OPEN.expand(2, -1, -1))
    determinant = torch.linalg.det((factors @ factors.transpose(2, 3)).double())
    assert determinant.min() > 0.0
    assert (determinant[:, -1] > determinant[:, 0]).all()


def test_a_path_is_never_further_from_the_experts_than_the_bound():
    """A network with absurd weights still stays near them: three expected errors."""
    model, rows = model_of(10, spread=30.0), drive(10)
    state = stepped(model, rows[:, :-RECENT])
    ring = rows[:, -RING:]
    found = model.experts.estimated(state.learned)
    paths = model.experts.paths(state.learned, ring, OPEN.expand(2, -1, -1), found)
    poses, _ = model.predict(state, rows[:, -RECENT:], OPEN.expand(2, -1, -1))
    assert paths.shape == (2, len(NAMES), 3, len(segments.ENDS))
    variances = model.experts.variances(state.learned, model.experts.scale(ring), False)
    most = variances.amax(dim=(1, 2)).sqrt()  # (B, 3, S)
    low = paths.amin(dim=1)[:, 2] - 3.0 * most[:, 2]
    high = paths.amax(dim=1)[:, 2] + 3.0 * most[:, 2]
    yaw = poses[:, model.experts.ends, 2]
    assert ((yaw > low - 0.05) & (yaw < high + 0.05)).all()
