"""From simulated robots to a model: what must hold whatever the numbers are."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings, strategies as st
from lstm_predictor.core.classical import constant_velocity
from lstm_predictor.core.model import MotionLstm
from lstm_predictor.core.samples import Odometry
from lstm_predictor.core.window import FEATURE, FEATURES, Window, WindowConfig
from lstm_predictor.learning import dataset, fleet
from lstm_predictor.learning.config import ConfigError, load
from lstm_predictor.learning.fleet import FleetConfig
from lstm_predictor.learning.train import (
    augmented, calibrate, fit, loss_of, OptimiserConfig, wrapped)
import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]
HORIZON = 10
WINDOW = WindowConfig(length=10, max_speed=0.26, max_yaw_rate=2.84)
FLEET = FleetConfig(robots=3, seconds=6.0, seed=4)
QUICK = OptimiserConfig(hidden=8, epochs=8, batch=32, learning_rate=1e-2)
COMMAND = [i for i, (name, _) in enumerate(FEATURES) if name.startswith('command')]
IMU = [i for i, (name, _) in enumerate(FEATURES) if name.startswith('imu')]

seeds = st.integers(0, 2**31 - 1)


@pytest.fixture(autouse=True, scope='module')
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def driven(config):
    """Return the tracks of a fleet, made in this process."""
    robots = np.random.SeedSequence(config.seed).spawn(config.robots)
    return [fleet.drive(config, seed, f'robot {i}') for i, seed in enumerate(robots)]


@pytest.fixture(scope='module')
def tracks():
    return driven(FLEET)


@pytest.fixture(scope='module')
def examples(tracks):
    parts = []
    for track in tracks:
        window = dataset.filled_window(track.readings, WINDOW)
        parts.append(dataset.examples(
            window, dataset.usable_anchors(window, HORIZON), HORIZON))
    return dataset.join(parts)


def tensors(examples):
    return tuple(torch.from_numpy(array) for array in (
        examples.windows, examples.commands, examples.futures))


def seeded(seed, function, *arguments):
    """Return what a function gives when torch's random numbers start at a seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return function(*arguments)


# The fleet.

def test_a_fleet_is_the_same_in_any_number_of_processes(tracks):
    assert list(fleet.tracks(FLEET, processes=2)) == tracks


def test_every_robot_and_every_seed_is_another_one(tracks):
    other = fleet.drive(replace(FLEET, seed=5), np.random.SeedSequence(5).spawn(1)[0], 'robot 0')
    readings = [track.readings for track in (*tracks, other)]
    assert all(one != two for i, one in enumerate(readings) for two in readings[:i])


def test_a_track_is_what_a_robot_would_hear(tracks):
    for track in tracks:
        kinds = {type(reading).__name__ for reading in track.readings}
        stamps = np.array([r.stamp_ns for r in track.readings if isinstance(r, Odometry)])
        assert kinds == {'Odometry', 'Imu', 'Command'}
        assert (np.diff(stamps) > 0).all() and stamps[0] > 0
        assert stamps[-1] - stamps[0] > 5e9


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_every_random_robot_can_be_built(seed):
    robot = fleet.random_robot(FleetConfig(), np.random.default_rng(seed))
    assert 0.6 <= robot.speed_gain <= 1.4 and 0.03 <= robot.motor_lag <= 0.5


# Examples.

def test_a_future_is_the_odometry_that_came_later(tracks):
    """Of a robot whose odometry falls on the grid, so that nothing is interpolated."""
    step = WINDOW.step_ns
    odometry = [Odometry(1 + i * step, *np.random.default_rng(i).normal(size=5))
                for i in range(60)]
    window = dataset.filled_window(odometry, WINDOW)
    anchors = dataset.usable_anchors(window, HORIZON)
    made = dataset.examples(window, anchors, HORIZON)
    assert len(made) == 60 - WINDOW.length - HORIZON
    for anchor, future in zip(made.anchors_ns, made.futures):
        now = (anchor - 1) // step
        x, y, yaw = odometry[now][1:4]
        for later, pose in zip(odometry[now + 1:now + 1 + HORIZON], future):
            ahead = np.exp(-1j * yaw) * complex(later.x - x, later.y - y)
            assert pose[:2] == pytest.approx([ahead.real, ahead.imag], abs=1e-5)
            assert np.exp(1j * pose[2]) == pytest.approx(np.exp(1j * (later.yaw - yaw)), abs=1e-5)


def test_an_example_is_what_the_robot_would_see(tracks, examples):
    """The windows of a whole track are those of a robot that hears it bit by bit."""
    live, rows = Window(WINDOW), {}
    readings = sorted(tracks[0].readings, key=lambda r: (r.stamp_ns, isinstance(r, Odometry)))
    for reading in readings:
        live.add(reading)
        if isinstance(reading, Odometry) and live.covered(np.array([reading.stamp_ns]))[0]:
            rows[reading.stamp_ns] = live.rows(np.array([reading.stamp_ns]))[0]
    count = int((np.diff(examples.anchors_ns) < 0).argmax()) + 1
    for anchor, window in zip(examples.anchors_ns[:count].tolist(), examples.windows):
        np.testing.assert_allclose(window, rows[anchor], atol=1e-6)


def test_known_commands_are_those_in_force_from_each_step_on(tracks):
    window = dataset.filled_window(tracks[0].readings, WINDOW)
    anchors = dataset.usable_anchors(window, HORIZON)
    known = dataset.examples(window, anchors, HORIZON).commands
    now = window.rows(anchors)[:, -1][:, [COMMAND[0], COMMAND[1], COMMAND[3]]]
    np.testing.assert_allclose(known[:, 0], now, rtol=1e-6)
    last = window.commands_at(anchors + (HORIZON - 1) * WINDOW.step_ns)[:, [0, 1, 3]]
    np.testing.assert_allclose(known[:, -1], last, rtol=1e-6)


def test_anchors_keep_their_distance(tracks):
    window = dataset.filled_window(tracks[0].readings, WINDOW)
    near, far = (dataset.usable_anchors(window, HORIZON, stride) for stride in (1.0, 4.0))
    assert len(near) == pytest.approx(4 * len(far), abs=6) and set(far) <= set(near)


def test_a_track_without_odometry_gives_no_examples():
    window = dataset.filled_window([], WINDOW)
    anchors = dataset.usable_anchors(window, HORIZON)
    assert len(dataset.examples(window, anchors, HORIZON)) == 0


def test_the_hash_of_examples_knows_every_number(examples):
    changed = replace(examples, futures=examples.futures.copy())
    assert changed.sha256() == examples.sha256()
    changed.futures[-1, -1, 1] += 1e-6
    assert changed.sha256() != examples.sha256()


# Augmentation.

def errors_of_prior(window, future):
    held = constant_velocity(window.double().numpy(), HORIZON, 1.0 / WINDOW.rate)
    return wrapped(torch.from_numpy(held) - future.double()).abs()


@pytest.mark.parametrize('seed', range(5))
def test_a_mirrored_example_is_as_hard_as_before(examples, seed):
    plain = replace(QUICK, open_share=0.0, no_imu_share=0.0, no_command_share=0.0)
    moving = (examples.futures[:, :, 1] != 0.0).any(axis=1)  # there the mirror can be seen
    window, commands, future = (part[moving] for part in tensors(examples))
    other, planned, later = seeded(seed, augmented, window, commands, future, plain)
    torch.testing.assert_close(
        errors_of_prior(other, later), errors_of_prior(window, future), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(other.abs(), window.abs(), rtol=0.0, atol=0.0)
    mirrored = (later[:, :, 1] != future[:, :, 1]).any(dim=1)
    assert 0.2 < mirrored.float().mean() < 0.8
    for name in ('yaw_rate', 'pose_yaw_rate', 'pose_side_speed', 'imu_yaw_rate',
                 'command_yaw_rate'):
        column = FEATURE[name]
        torch.testing.assert_close(other[mirrored, :, column], -window[mirrored, :, column])
    given = planned[:, :, 2] == 1.0
    expected = torch.where(mirrored[:, None], -commands[:, :, 1], commands[:, :, 1])
    torch.testing.assert_close(planned[:, :, 1][given], expected[given])


@pytest.mark.parametrize('seed', range(5))
def test_future_commands_are_given_up_to_some_step_or_not_at_all(examples, seed):
    _, planned, _ = seeded(seed, augmented, *tensors(examples), replace(QUICK, open_share=0.5))
    given = planned[:, :, 2]
    recorded = torch.from_numpy(examples.commands[:, :, 2]).bool().all(dim=1)
    assert (given[recorded].diff(dim=1) <= 0.0).all()
    assert (planned[given == 0.0] == 0.0).all()
    share = (given[recorded].sum(dim=1) == 0.0).float().mean()
    assert share == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize('share', ['no_imu_share', 'no_command_share'])
def test_whole_inputs_are_taken_away(examples, share):
    config = replace(QUICK, **{'no_imu_share': 0.0, 'no_command_share': 0.0, share: 0.5})
    window, _, _ = seeded(0, augmented, *tensors(examples), config)
    gone, kept = (IMU, COMMAND) if share == 'no_imu_share' else (COMMAND, IMU)
    without = (window[:, :, gone] == 0.0).all(dim=2).all(dim=1)
    before = (examples.windows[:, :, gone] == 0.0).all(axis=(1, 2)).mean()
    assert float(without.float().mean()) - before == pytest.approx(0.5, abs=0.2)
    np.testing.assert_array_equal(
        window[:, :, kept].abs().numpy(), np.abs(examples.windows[:, :, kept]))


# Training.

def test_fitting_lowers_the_loss(examples):
    untrained = MotionLstm(hidden=8, horizon=HORIZON)
    trained = seeded(0, fit, examples, HORIZON, 0.05, QUICK)
    with torch.no_grad():
        before, after = (float(loss_of(model, *tensors(examples)))
                         for model in (untrained, trained))
    assert after < before - 0.1


def test_fitting_is_the_same_for_the_same_seed(examples):
    short = replace(QUICK, epochs=1)
    one, two, other = (fit(examples, HORIZON, 0.05, config).head.bias.detach()
                       for config in (short, short, replace(short, seed=1)))
    assert torch.equal(one, two) and not torch.equal(one, other)


def test_calibrated_regions_hold_the_wanted_share(examples):
    from scipy.stats import chi2
    model = MotionLstm(hidden=8, horizon=HORIZON)
    calibrate(model, examples)
    window, _, future = tensors(examples)
    with torch.no_grad():
        poses, factors = model(window, torch.zeros(len(window), HORIZON, 3))
    white = torch.linalg.solve(factors.double(), wrapped(poses - future).double()[..., None])
    inside = white.square().sum(dim=(-2, -1)) <= chi2.ppf(0.9, 3)
    assert inside.double().mean(dim=0).numpy() == pytest.approx(
        np.full(HORIZON, 0.9), abs=0.02)


# Configuration.

def test_the_shipped_configuration_holds():
    config = load(ROOT / 'config' / 'train.yaml')
    assert config.output == 'models/turtlebot3.pt'
    assert config.fleet.motor_lag == (0.03, 0.5)


@pytest.mark.parametrize('text, words', [
    ('colour: green', ['colour']),
    ('window: {colour: green}', ['window', 'colour']),
    ('horizon: 0', ['horizon', '0']),
    ('window: {rate: -20.0}', ['rate', '-20']),
    ('optimiser: {open_share: 1.5}', ['open_share', '1.5']),
    ('fleet: {seconds: 1.0}', ['seconds', '1.0']),
    ('window: 5', ['window', '5']),
    ('horizon: far', ['horizon', 'far']),
    ('optimiser: {learning_rate: 1e-3}', ['learning_rate', '1e-3']),  # YAML reads a text
    ('optimiser: {epochs: 2.5}', ['epochs', '2.5']),
    ('fleet: {motor_lag: 0.3}', ['motor_lag', '0.3']),
    ('output: 5', ['output', '5']),
    ('', ['mapping']),
    ('- 1', ['mapping']),
    ('a: [', ['YAML']),
])
def test_a_wrong_configuration_is_refused_by_name(tmp_path, text, words):
    path = tmp_path / 'train.yaml'
    path.write_text(text)
    assert_refused(path, *words)


def test_a_file_that_is_no_configuration_is_refused_by_name(tmp_path):
    assert_refused(tmp_path / 'none.yaml')
    assert_refused(tmp_path)
    (tmp_path / 'model.yaml').write_bytes(b'\xff\xfe\x00\x01')
    assert_refused(tmp_path / 'model.yaml')


def assert_refused(path, *words):
    with pytest.raises(ConfigError) as refused:
        load(path)
    text = str(refused.value)
    assert len(text.splitlines()) == 1 and str(path) in text
    for word in words:
        assert word in text
