"""What holds for the model whatever its weights are."""

from helpers.models import flags, motion_model
from hypothesis import given, settings, strategies as st
from lstm_predictor.baselines.kinematic import constant_velocity
from lstm_predictor.common import se2
from lstm_predictor.model.network import CELLS, MotionModel
from lstm_predictor.model.window import FEATURE, FEATURES
import numpy as np
import pytest
import torch

ROWS, HORIZON = 28, 22
PRIOR_ROWS = 5
STEP = 0.05  # [s]
BACK = (1, 10, 20)  # steps ahead for which the model tries out its prior inside the window
LINEAR = [FEATURE[name] for name in (
    'speed', 'pose_speed', 'pose_side_speed', 'imu_acceleration', 'command_speed')]
ANGULAR = [FEATURE[name] for name in (
    'yaw_rate', 'pose_yaw_rate', 'imu_yaw_rate', 'command_yaw_rate')]
POSE_TWIST = [FEATURE['pose_speed'], FEATURE['pose_yaw_rate']]
VALID = FEATURE['odometry_valid']

pytestmark = pytest.mark.usefixtures('one_thread', 'no_gradients')
seeds = st.integers(0, 2**31 - 1)


@pytest.fixture(scope='module')
def no_gradients():
    with torch.inference_mode():
        yield


def model_of(seed=0, spread=0.3, **options):
    """Return a model with random weights; spread 0 leaves the network untrained."""
    return motion_model(seed, spread, rows=PRIOR_ROWS, horizon=HORIZON, prior_spread=0.1,
                        **options)


def inputs(seed, count=3):
    """Return random windows (n, W, F) and commands of which some are open (n, H, 3)."""
    rng = np.random.default_rng(seed)
    window = rng.normal(size=(count, ROWS, len(FEATURES)))
    window[..., VALID] = window[..., FEATURE['command_valid']] = 1.0
    commands = rng.normal(size=(count, HORIZON, 3))
    commands[..., 2] = rng.random((count, HORIZON)) < 0.6
    return torch.tensor(window, dtype=torch.float32), torch.tensor(commands, dtype=torch.float32)


def assert_same(results, expected, **tolerance):
    for one, other in zip(results, expected, strict=True):
        torch.testing.assert_close(one, other, **tolerance)


def memory_of(seed, count=3):
    """Return what robots showed (n, 2, M, 4) in some windows before."""
    memory = MODEL.blank(count)
    for i in range(2):
        window, _ = inputs(seed + 10 * i + 1, count)
        memory = MODEL.learn(window, torch.full((count,), 20), memory)
    return memory


MODEL = model_of()


@pytest.fixture(scope='module')
def scripted():
    return torch.jit.script(model_of())


@pytest.mark.parametrize('cell', CELLS)
@pytest.mark.parametrize('options', [{'fold': 1}, {'fold': 7}, {'truncate': 8}], ids=str)
def test_torchscript_gives_what_the_module_gives_for_every_cell(cell, options):
    model = model_of(1, cell=cell, **options)
    scripted = torch.jit.script(model)
    for seed in range(3):
        window, commands = inputs(seed)
        window[:, :seed] = 0.0
        assert_same(scripted(window, commands), model(window, commands), rtol=1e-4, atol=1e-5)
        memory, rows = memory_of(seed), torch.tensor([1, 5, 20])
        for one, other in ((each.informed(window, commands, memory) for each in (scripted, model)),
                           ([each.learn(window, rows, memory), each.timing(window, memory)]
                            for each in (scripted, model))):
            assert_same(one, other, rtol=1e-4, atol=1e-5)
        assert torch.equal(scripted.blank(seed), model.blank(seed))


def test_a_cell_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="lstm, gru, rnn, is 'transformer'"):
        MotionModel(cell='transformer')


@settings(max_examples=30)
@given(seed=seeds, count=st.integers(1, 5))
def test_torchscript_gives_what_the_module_gives(scripted, seed, count):
    """At every call anew: the archive keeps nothing from one window to the next."""
    window, commands = inputs(seed, count)
    assert_same(scripted(window, commands), MODEL(window, commands), rtol=1e-4, atol=1e-5)


@settings(max_examples=20)
@given(seed=seeds)
def test_a_window_does_not_feel_the_others_of_its_batch(scripted, seed):
    window, commands = inputs(seed, 6)
    memory, rows = memory_of(seed, 6), torch.arange(1, 7)
    parts = [slice(i, i + 1) for i in range(6)]
    for whole, one_by_one in (
            (scripted(window, commands), [scripted(window[i], commands[i]) for i in parts]),
            (scripted.informed(window, commands, memory),
             [scripted.informed(window[i], commands[i], memory[i]) for i in parts]),
            ([scripted.learn(window, rows, memory), scripted.timing(window, memory)],
             [[scripted.learn(window[i], rows[i], memory[i]),
               scripted.timing(window[i], memory[i])] for i in parts])):
        assert_same(whole, [torch.cat(pieces) for pieces in zip(*one_by_one)],
                    rtol=1e-4, atol=1e-5)


# The priors.

def priors(model, window, commands, memory):
    """Return the twists (B, H, 2) of the linear one and of the bank of responses."""
    scale = model.scale(window, commands)
    found = model.response(window, commands, scale, memory)
    return model.prior(window, commands), found.twists * scale.unsqueeze(1)


@settings(max_examples=20)
@given(seeds, st.sampled_from(list(CELLS)))
def test_untrained_it_predicts_exactly_the_mean_of_its_priors(seed, cell):
    model = model_of(seed, spread=0.0, cell=cell)
    window, commands = inputs(seed)
    memory = memory_of(seed)
    poses, _ = model.informed(window, commands, memory)
    linear, replayed = priors(model, window, commands, memory)
    expected = model.integrate(0.5 * (linear + replayed))
    torch.testing.assert_close(poses, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('bias, share', [(100.0, 1.0), (-100.0, 0.0), (np.log(3.0), 0.75)])
@pytest.mark.parametrize('axis', [0, 1])
def test_the_gate_of_each_axis_says_which_prior_holds(bias, share, axis):
    model = model_of(4, spread=0.0)
    model.head.bias.data[2 + axis] = bias
    window, commands = inputs(4)
    linear, replayed = priors(model, window, commands, model.blank(3))
    shares = torch.full((2,), 0.5)
    shares[axis] = share
    expected = model.integrate(replayed + shares * (linear - replayed))
    torch.testing.assert_close(model(window, commands)[0], expected, rtol=1e-4, atol=1e-5)


def test_by_its_linear_prior_alone_it_keeps_the_newest_twist():
    model = motion_model(spread=0.0, linear=True, rows=PRIOR_ROWS, horizon=HORIZON)
    window, commands = inputs(5)
    poses = model(window, commands)[0].double().numpy()
    held = constant_velocity(window.double().numpy(), HORIZON, STEP)
    np.testing.assert_allclose(se2.between(held, poses), 0.0, atol=1e-5)


@settings(max_examples=20)
@given(seeds, st.integers(0, ROWS - 1))
def test_the_encoder_sees_where_the_prior_was_wrong(seed, missing):
    """What it predicted then from the rows up to then, beside what was measured since."""
    model = model_of(seed % 5)
    window, _ = inputs(seed)
    window[:, :missing] = 0.0
    missed = model.missed(window)
    assert missed.shape == (len(window), ROWS, 2 * len(BACK))
    open_ = torch.zeros(len(window), HORIZON, 3)
    for row in range(ROWS):
        for i, ahead in enumerate(BACK):
            found = missed[:, row, [i, len(BACK) + i]]
            made = row - ahead  # the row at which the prior predicted this one
            if made - PRIOR_ROWS + 1 < missing:
                assert (found == 0.0).all()
                continue
            twist = model.prior(window[:, :made + 1], open_)[:, ahead - 1]
            torch.testing.assert_close(
                found, window[:, row, POSE_TWIST] - twist, rtol=1e-4, atol=1e-4)


def test_the_prior_inside_the_window_is_the_blind_one_where_no_command_was_heard():
    model = model_of()
    window, _ = inputs(6)
    window[:, :, [FEATURE[name] for name in (
        'command_speed', 'command_yaw_rate', 'command_age', 'command_valid')]] = 0.0
    row = ROWS - 1
    twist = model.prior(window[:, :row - 9], torch.zeros(len(window), HORIZON, 3))[:, 9]
    torch.testing.assert_close(model.missed(window)[:, row, [1, 4]],
                               window[:, row, POSE_TWIST] - twist, rtol=1e-4, atol=1e-4)


# The memory.

@settings(max_examples=20)
@given(seeds)
def test_of_a_robot_that_it_does_not_know_it_says_what_it_says_without_memory(seed):
    window, commands = inputs(seed)
    assert_same(MODEL.informed(window, commands, MODEL.blank(len(window))),
                MODEL(window, commands), rtol=0.0, atol=0.0)


def test_what_was_learned_before_the_window_counts():
    """By the bank, and by what the decoder is told of it."""
    window, commands = inputs(9)
    memory = memory_of(9)
    for model in (model_of(), model_of(spread=0.0)):
        without, knowing = model(window, commands)[0], model.informed(window, commands, memory)[0]
        assert float((knowing - without).abs().amax(dim=(1, 2)).min()) > 1e-3
    found = MODEL.response(window, commands, MODEL.scale(window, commands), memory)
    known = MODEL.prior(window, commands), MODEL.scale(window, commands), found
    plan, forgetful = (MODEL.plan(window, commands, *known, each)
                       for each in (memory, MODEL.blank(3)))
    assert plan.shape == (3, HORIZON, 17)
    differs = (plan != forgetful).any(dim=0).any(dim=0)
    assert differs.tolist() == [False] * 16 + [True]


def test_timing_is_what_the_bank_finds():
    window, _ = inputs(10)
    memory, held = memory_of(10), torch.zeros(3, 1, 3)
    found = MODEL.response(window, held, MODEL.scale(window, held), memory)
    torch.testing.assert_close(
        MODEL.timing(window, memory), torch.cat([found.delay[:, None], found.lag], dim=1))


@pytest.mark.parametrize('compiled', [False, True])
def test_one_step_is_learning_predicting_and_timing(scripted, compiled):
    """The bank is computed once for the three, and finds the same."""
    model = scripted if compiled else MODEL
    window, commands = inputs(6)
    memory, rows = memory_of(6), torch.tensor([1, 5, 20])
    poses, factors, timing, kept = model.advance(window, rows, memory)
    learned = model.learn(window, rows, memory)
    assert_same((kept, timing), (learned, model.timing(window, learned)))
    assert_same((poses, factors), model.informed(window, torch.zeros_like(commands), learned))


def test_a_window_that_cannot_be_learned_from_leaves_the_memory_of_its_robot():
    window, _ = inputs(7)
    memory, rows = memory_of(7), torch.full((3,), 20)
    window[1, -1] = torch.inf
    kept = MODEL.advance(window, rows, memory)[3]
    learned = MODEL.learn(window, rows, memory)
    assert not learned[1].isfinite().all()
    assert_same((kept[1], kept[[0, 2]]), (memory[1], learned[[0, 2]]))


# Geometry and units.

@settings(max_examples=30)
@given(seeds, st.sampled_from([0.0, 1e-6, 0.01, 1.0, 60.0]))
def test_poses_are_the_product_of_the_steps(seed, size):
    rng = np.random.default_rng(seed)
    twists = size * rng.normal(size=(2, HORIZON, 2))
    pose, expected = np.zeros((2, 3)), []
    for step in range(HORIZON):
        motion = np.stack([twists[:, step, 0], [0.0, 0.0], twists[:, step, 1]], axis=-1)
        pose = se2.compose(pose, se2.exp(0.05 * motion))
        expected.append(pose)
    poses = MODEL.integrate(torch.from_numpy(twists)).numpy()
    difference = poses - np.stack(expected, axis=1)
    np.testing.assert_allclose(difference[..., :2], 0.0, atol=1e-6)
    np.testing.assert_allclose(np.sin(difference[..., 2] / 2.0), 0.0, atol=1e-6)


@settings(max_examples=20)
@given(seeds, st.floats(0.3, 30.0))
def test_a_faster_robot_goes_as_much_further(seed, factor):
    """
    Every length times k gives every x and y times k, and the same yaw.

    Exactly so where all speeds are above `slowest`. There is no such law for the yaw rates: x and
    y do not grow with them.
    """
    model = model_of(seed % 7)
    window, commands = inputs(seed)
    if seed % 2:
        window[:, :5] = 0.0
    faster, planned = window.clone(), commands.clone()
    faster[:, :, LINEAR] *= factor
    planned[:, :, 0] *= factor
    (poses, factors), (far, wide) = model(window, commands), model(faster, planned)
    unit = torch.tensor([factor, factor, 1.0])
    torch.testing.assert_close(far, poses * unit, rtol=1e-3, atol=1e-4)
    one, other = factors @ factors.mT, wide @ wide.mT
    for block in ((slice(2), slice(2)), (2, 2)):
        size = factor**2 if block[0] != 2 else 1.0
        torch.testing.assert_close(
            other[:, :, block[0], block[1]], one[:, :, block[0], block[1]] * size,
            rtol=1e-2, atol=1e-4)


def test_noise_of_a_robot_that_stands_is_not_magnified():
    window, _ = inputs(1, 1)
    window[:, :, [FEATURE[name] for name in (
        'imu_valid', 'command_age', 'command_valid', 'odometry_valid')]] = 0.0
    still = torch.zeros(1, HORIZON, 3)
    poses, factors = MODEL(1e-6 * window, still)
    at_rest = MODEL(0.0 * window, still)
    assert_same((poses, factors), at_rest, rtol=1e-3, atol=1e-7)


@settings(max_examples=50)
@given(seeds, st.sampled_from([0.0, 1e-30, 1e-3, 1.0, 1e3, 1e8, 1e15]))
def test_the_error_has_a_covariance_for_any_input(seed, size):
    model = model_of(seed % 5, spread=20.0)
    window, commands = inputs(seed)
    large, memory = size * window, memory_of(seed)
    large[..., flags()] = window[..., flags()]
    poses, factors = model.informed(
        large, torch.cat([size * commands[..., :2], commands[..., 2:]], dim=-1), memory)
    assert torch.isfinite(poses).all() and torch.isfinite(factors).all()
    assert (factors.diagonal(dim1=-2, dim2=-1) > 0.0).all()
    assert (factors.triu(1) == 0.0).all()
    double = factors.double()
    assert (torch.linalg.eigvalsh(double @ double.mT) > 0.0).all()


@settings(max_examples=20)
@given(seeds, st.floats(-1e6, 1e6))
def test_what_an_open_command_says_does_not_matter(seed, value):
    window, commands = inputs(seed)
    other = commands.clone()
    other[..., :2] = torch.where(commands[..., 2:] == 0.0, value, commands[..., :2])
    assert_same(MODEL(window, other), MODEL(window, commands), rtol=0.0, atol=0.0)


@settings(max_examples=20)
@given(seeds, st.integers(0, HORIZON - 1))
def test_a_future_command_does_not_change_the_past(seed, step):
    """
    A command in force from step k on changes what comes after k, if it is not the fastest.

    And if the next command is given: the prior asks of the first alone which of its fits to use.
    """
    window, commands = inputs(seed)
    commands[:, 0, 2] = 1.0
    window[:, 0, [FEATURE['speed'], FEATURE['yaw_rate']]] = 10.0
    other = commands.clone()
    other[:, step] = torch.tensor([3.0, -2.0, 1.0])
    before, after = MODEL(window, commands), MODEL(window, other)
    assert_same([a[:, :step] for a in after], [b[:, :step] for b in before],
                rtol=1e-5, atol=1e-6)
    assert not torch.allclose(after[0][:, step], before[0][:, step], rtol=1e-4, atol=1e-5)


# The window.

@settings(max_examples=20)
@given(seeds, st.integers(0, ROWS))
def test_rows_from_before_the_odometry_are_no_obstacle(seed, missing):
    window, commands = inputs(seed)
    window[:, :missing] = 0.0
    poses, factors = MODEL(window, commands)
    assert torch.isfinite(poses).all() and torch.isfinite(factors).all()


def test_a_robot_that_stood_is_told_from_one_that_had_not_begun():
    window, commands = inputs(7)
    window[:, :8] = 0.0
    stood = window.clone()
    stood[:, :8, VALID] = 1.0
    assert not torch.allclose(MODEL(stood, commands)[0], MODEL(window, commands)[0], atol=1e-5)


@pytest.mark.parametrize('cell', CELLS)
def test_left_and_right_are_learned_and_not_built_in(cell):
    """The training mirrors half of its examples because of this."""
    model = model_of(cell=cell)
    window, commands = inputs(8)
    mirrored, planned = window.clone(), commands.clone()
    mirrored[:, :, [*ANGULAR, FEATURE['pose_side_speed']]] *= -1.0
    planned[:, :, 1] *= -1.0
    poses, other = model(window, commands)[0], model(mirrored, planned)[0]
    assert not torch.allclose(other * torch.tensor([1.0, -1.0, -1.0]), poses, atol=1e-3)


@pytest.mark.parametrize('name', ['speed', 'pose_yaw_rate', 'imu_yaw_rate', 'command_speed',
                                  'command_age', 'imu_valid', 'odometry_valid'])
def test_every_kind_of_feature_is_read(name):
    window, commands = inputs(2)
    other = window.clone()
    other[:, :-4, FEATURE[name]] *= 0.5
    assert not torch.allclose(MODEL(other, commands)[0], MODEL(window, commands)[0], atol=1e-6)


def test_calibration_widens_the_error_and_leaves_the_poses():
    window, commands = inputs(3)
    model = model_of()
    poses, factors = model(window, commands)
    model.calibration.mul_(2.0)
    assert_same(model(window, commands), (poses, 2.0 * factors))
