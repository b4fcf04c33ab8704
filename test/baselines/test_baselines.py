"""The predictors without learning are exact for the robots that they were made for."""


from helpers.linear_robot import CONFIG, driven, errors, fitted, HORIZON, inputs, STEP
from hypothesis import given, settings, strategies as st
from lstm_predictor.baselines.adaptive_arx import AdaptiveArx
from lstm_predictor.baselines.ekf import Ekf
from lstm_predictor.baselines.kinematic import (
    commanded, CommandReplay, constant_velocity, ConstantTurn, ConstantVelocity)
from lstm_predictor.baselines.registry import baselines, Linear
from lstm_predictor.common import metrics, se2
from lstm_predictor.common.readings import Odometry
from lstm_predictor.model.linear_prior import Arx, hold_last_known
from lstm_predictor.model.window import FEATURE, FEATURES, Window, WindowConfig
from lstm_predictor.training import fit_linear_prior
from lstm_predictor.training.batches import Source
import numpy as np
import pytest
import torch

NEWEST = ConstantTurn(memory=(1e-3, 1e-3))
NAMES = {'constant_velocity', 'constant_turn', 'command_replay_mean', 'command_replay_told',
         'arx', 'arx_online', 'ekf'}

pytestmark = pytest.mark.usefixtures('one_thread')
seeds = st.integers(0, 2**31 - 1)


def every(known=True):
    constants = {'constant_turn': {'memory': [1e-3, 1e-3]}, 'arx_online': {'trust': 1000.0}}
    return baselines(constants, fitted(), STEP, known, delay=0.2, lag=0.15)


def random_inputs(seed, count=3):
    rng = np.random.default_rng(seed)
    window = rng.normal(size=(count, CONFIG.length, len(FEATURES)))
    window[..., [FEATURE['command_valid'], FEATURE['odometry_valid']]] = 1.0
    commands = rng.normal(size=(count, HORIZON, 3))
    commands[..., 2] = rng.random((count, HORIZON)) < 0.5
    return window, commands


# What all have in common.

@pytest.mark.parametrize('known', [False, True])
def test_their_names_are_those_of_the_tables(known):
    assert set(every(known)) == NAMES
    nobody_measured = baselines({}, Arx(), STEP, known, float('nan'), float('nan'))
    assert set(nobody_measured) == NAMES - {'command_replay_told'}


@pytest.mark.parametrize('name', sorted(NAMES))
@pytest.mark.parametrize('known', [False, True])
@pytest.mark.parametrize('size', [0.0, 1.0, 1e3])
def test_they_give_a_pose_for_every_step(name, known, size):
    window, commands = random_inputs(3)
    poses = every(known)[name].predict(size * window, commands * [size, size, 1.0])
    assert poses.shape == (3, HORIZON, 3) and np.isfinite(poses).all()
    assert poses.dtype == np.float64
    empty = every(known)[name].predict(window[:0], commands[:0])
    assert empty.shape == (0, HORIZON, 3)


@pytest.mark.parametrize('name', sorted(NAMES))
def test_nothing_is_known_and_nothing_moves(name):
    window = np.zeros((2, CONFIG.length, len(FEATURES)))
    poses = every()[name].predict(window, np.zeros((2, HORIZON, 3)))
    np.testing.assert_allclose(poses, 0.0, atol=1e-9)


@pytest.mark.parametrize('name', sorted(NAMES))
@pytest.mark.parametrize('known', [False, True])
def test_what_an_open_command_says_does_not_matter(name, known):
    window, commands = random_inputs(4)
    other = np.where(commands[..., 2:] > 0.5, commands, [1e3, -1e3, 0.0])
    np.testing.assert_array_equal(every(known)[name].predict(window, other),
                                  every(known)[name].predict(window, commands))


@pytest.mark.parametrize('name', sorted(NAMES - {'arx_online'}))
def test_a_window_does_not_feel_the_others_of_its_batch(name):
    window, commands = random_inputs(5, 4)
    predictor = every()[name]
    one_by_one = [predictor.predict(window[i:i + 1], commands[i:i + 1])[0] for i in range(4)]
    np.testing.assert_allclose(predictor.predict(window, commands), one_by_one, atol=1e-5)


@pytest.mark.parametrize('name', sorted(NAMES - {'constant_velocity', 'constant_turn'}))
def test_to_know_the_commands_is_better(name):
    examples = driven(2)
    known, open_ = (errors(every(known)[name], examples, known) for known in (True, False))
    assert (known < 0.6 * open_).all()


@settings(max_examples=30)
@given(seeds)
def test_open_commands_are_the_last_one_that_was_given(seed):
    window, commands = random_inputs(seed)
    ahead = commanded(window, commands)[:, CONFIG.length - 1:]
    for i in range(len(window)):
        last = window[i, -1, [FEATURE['command_speed'], FEATURE['command_yaw_rate']]]
        for step in range(HORIZON):
            last = commands[i, step, :2] if commands[i, step, 2] else last
            np.testing.assert_array_equal(ahead[i, step], last)
    columns = [FEATURE['command_speed'], FEATURE['command_yaw_rate']]
    np.testing.assert_array_equal(ahead, hold_last_known(
        torch.from_numpy(commands), torch.from_numpy(window[:, -1, columns])).numpy())


# Constant velocity, constant turn.

def arc(seconds, speed, yaw_rate):
    return se2.exp(np.multiply.outer(seconds, [speed, 0.0, yaw_rate]))


@given(st.floats(-5.0, 5.0), st.floats(-3.0, 3.0), st.floats(0.01, 30.0), st.floats(0.0, 1.0))
def test_both_are_exact_for_a_constant_twist(speed, yaw_rate, memory, from_pose):
    window, seconds = Window(WindowConfig(length=10, shortest=10)), STEP * np.arange(15)
    for t, pose in zip(seconds, arc(seconds, speed, yaw_rate)):
        window.add(Odometry(1 + round(1e9 * t), *pose, speed, yaw_rate))
    anchor = window.odometry.times[-1:]
    later = arc(seconds[-1] + STEP * np.arange(1, 21), speed, yaw_rate)
    for predictor in (ConstantVelocity(STEP), ConstantTurn(STEP, (memory, memory), from_pose)):
        poses = predictor.predict(window.rows(anchor), np.zeros((1, 20, 3)))[0]
        predicted = se2.compose(window.poses(anchor), poses)
        np.testing.assert_allclose(se2.between(predicted, later), 0.0, atol=1e-6)


def test_constant_velocity_looks_at_nothing_but_the_newest_twist():
    window, commands = random_inputs(0)
    other = np.zeros_like(window)
    newest = [FEATURE['speed'], FEATURE['yaw_rate']]
    other[:, -1, newest] = window[:, -1, newest]
    expected = ConstantVelocity(STEP).predict(window, commands)
    np.testing.assert_array_equal(ConstantVelocity(STEP).predict(other, commands), expected)
    np.testing.assert_array_equal(constant_velocity(window, HORIZON, STEP), expected)
    assert np.abs(expected[:, -1]).min() > 0.0


def test_constant_turn_forgets_as_fast_as_it_is_told():
    window, _ = random_inputs(1)
    twists = window[..., [FEATURE['speed'], FEATURE['yaw_rate']]]
    np.testing.assert_allclose(NEWEST.twist(window), twists[:, -1])
    long = ConstantTurn(memory=(1e9, 1e-3)).twist(window)
    np.testing.assert_allclose(long[:, 0], twists[:, -40:, 0].mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(long[:, 1], twists[:, -1, 1])


def test_many_noisy_measurements_are_better_than_the_newest():
    examples = driven(3, noise=0.3, hold=(60, 100), lag=0.05)
    true = fit_linear_prior.twists_of(examples.futures.astype(float), STEP)[:, 0]
    few, many = (ConstantTurn(memory=(memory, memory)).twist(examples.windows)
                 for memory in (1e-3, 3.0))
    assert (metrics.rms(many - true) < 0.8 * metrics.rms(few - true)).all()


# Command replay.

@settings(max_examples=6)
@given(st.integers(0, 9), st.integers(0, 8), st.floats(0.03, 0.5))
def test_command_replay_is_the_robot_of_its_delay_and_lag(seed, delay, lag):
    delay *= STEP
    examples = driven(seed, delay, lag, seconds=20.0)
    told = errors(CommandReplay(delay=delay, lag=lag, now=NEWEST), examples)
    assert (told < [0.0015, 0.0075]).all()
    assert (told < 0.02 * errors(ConstantVelocity(), examples)).all()


@pytest.mark.parametrize('delay', [0.13, 0.227])
def test_command_replay_reads_between_the_steps(delay):
    examples = driven(5, delay)
    told = errors(CommandReplay(delay=delay, lag=0.15, now=NEWEST), examples)
    off = errors(CommandReplay(delay=delay + 0.025, lag=0.15, now=NEWEST), examples)
    assert (told < [0.0015, 0.0075]).all() and (told < 0.5 * off).all()


def test_command_replay_takes_a_delay_and_a_lag_for_each_window():
    window, commands = random_inputs(6)
    delays, lags = np.array([0.0, 0.11, 0.4]), np.array([0.05, 0.2, 0.5])
    poses = CommandReplay(delay=delays, lag=lags).predict(window, commands)
    for i in range(3):
        one = CommandReplay(delay=delays[i], lag=lags[i])
        np.testing.assert_allclose(
            poses[i], one.predict(window[i:i + 1], commands[i:i + 1])[0], atol=1e-12)


def test_command_replay_knows_a_gain():
    examples = driven(7, gain=(0.5, 1.6))
    right = errors(CommandReplay(delay=0.2, lag=0.15, gain=(0.5, 1.6), now=NEWEST), examples)
    wrong = errors(CommandReplay(delay=0.2, lag=0.15, now=NEWEST), examples)
    assert (right < 0.1 * wrong).all()


# The filter.

def last_twists(poses):
    return fit_linear_prior.twists_of(poses, STEP)[:, -1]


@pytest.mark.parametrize('gain', [(1.0, 1.0), (0.6, 1.5), (1.3, 0.5)])
def test_the_filter_finds_the_gain(gain):
    """Long after a command it expects the speed that this robot makes of it."""
    examples = driven(8, gain=gain, hold=(10, 20))
    ekf = Ekf(delay=0.2, lag=(0.15, 0.15), wander=(0.02, 0.02), gain_spread=0.5, gain_wander=0.01)
    window, commands = inputs(examples)
    commands[:] = [0.15, -0.8, 1.0]
    found = last_twists(ekf.predict(window, commands)) / [0.15, -0.8]
    np.testing.assert_allclose(np.median(found, axis=0), gain, rtol=0.03)
    assert np.quantile(np.abs(found - gain), 0.9) < 0.1


def test_the_filter_is_the_robot_of_its_delay_and_lag():
    examples = driven(8, delay=0.227)
    told = errors(Ekf(delay=0.227, lag=(0.15, 0.15), gain_spread=1e-3, gain_wander=1e-4), examples)
    assert (told < 0.05 * errors(ConstantVelocity(), examples)).all()


@pytest.mark.parametrize('gain', [(1.0, 1.0), (0.6, 1.5)])
def test_the_filter_finds_the_velocity(gain):
    """Of noisy twists it makes better ones."""
    examples = driven(9, gain=gain, noise=0.2)
    ekf = Ekf(delay=0.2, lag=(0.15, 0.15), wander=(0.1, 0.1), twist_noise=(0.2, 0.2))
    first = fit_linear_prior.twists_of(ekf.predict(*inputs(examples)), STEP)[:, 0]
    raw = fit_linear_prior.twists_of(ConstantVelocity().predict(*inputs(examples)), STEP)[:, 0]
    true = fit_linear_prior.twists_of(examples.futures.astype(float), STEP)[:, 0]
    assert (metrics.rms(first - true) < 0.5 * metrics.rms(raw - true)).all()


def test_the_filter_uses_the_gyro_where_there_is_one():
    examples = driven(10, noise=0.3)
    window, commands = inputs(examples)
    true = fit_linear_prior.twists_of(examples.futures.astype(float), STEP)[:, 0, 1]
    ekf = Ekf(delay=0.2, lag=(0.15, 0.15), pose_noise=(3.0, 3.0), gyro_noise=0.01)
    without = fit_linear_prior.twists_of(ekf.predict(window, commands), STEP)[:, 0, 1]
    window[..., FEATURE['imu_yaw_rate']] = window[..., FEATURE['pose_yaw_rate']]
    window[..., FEATURE['imu_valid']] = 1.0
    with_gyro = fit_linear_prior.twists_of(ekf.predict(window, commands), STEP)[:, 0, 1]
    assert metrics.rms(with_gyro - true) < 0.7 * metrics.rms(without - true)


# The linear predictor.

def test_the_linear_predictor_finds_a_linear_robot():
    """Every future twist of this robot is a weighted sum of its last twists and commands."""
    examples = driven(11)
    simple = errors(ConstantVelocity(), examples)
    assert (errors(Linear(fitted(), STEP), examples) < 0.005 * simple).all()


def test_a_command_acts_on_what_comes_after_it_alone():
    added = fitted().given[:, 3 * fitted().rows:].numpy()
    assert (np.tril(added, -1) == 0.0).all() and np.abs(np.triu(added)).sum() > 0.0


def test_tracks_count_by_their_share_whatever_their_number_of_windows():
    """Two robots that differ by their gain: the fit lies where their shares put it."""
    slow, fast = (driven(12, gain=(gain, gain), seconds=seconds)
                  for gain, seconds in ((0.5, 20.0), (1.5, 60.0)))
    sizes = []
    for share in (0.02, 0.98):
        arx = fit_linear_prior.fit_arx([
            Source(part, fit_linear_prior.error_scales(part, STEP), each)
            for part, each in ((slow, share), (fast, 1.0 - share))], STEP)
        sizes.append(errors(Linear(arx, STEP), slow))
    assert (sizes[1] < 0.5 * sizes[0]).all()


@pytest.mark.parametrize('known', [False, True])
def test_with_much_trust_the_adaptive_one_is_the_linear_one(known):
    examples = driven(13, gain=(0.5, 1.5), seconds=12.0)
    poses = AdaptiveArx(fitted(), STEP, 1e12, 1.0, known).predict(*inputs(examples, known))
    np.testing.assert_allclose(
        poses, Linear(fitted(), STEP).predict(*inputs(examples, known)), atol=1e-4)


@pytest.mark.parametrize('known', [False, True])
def test_the_adaptive_one_learns_another_robot(known):
    examples = driven(14, gain=(0.5, 1.6), seconds=60.0)
    late = examples[len(examples) // 2:]
    adaptive = AdaptiveArx(fitted(), STEP, 30.0, 1.0, known)
    adaptive.predict(*inputs(examples[:len(examples) // 2], known))
    learned = errors(adaptive, late, known)
    bound = 0.2 if known else 0.97  # what comes next is the larger part of an open error
    assert (learned < bound * errors(Linear(fitted(), STEP), late, known)).all()


def test_reset_makes_a_robot_of_the_fleet_again():
    examples = driven(15, gain=(0.5, 1.6), seconds=16.0)
    adaptive = AdaptiveArx(fitted(), STEP, 30.0)
    fresh = adaptive.predict(*inputs(examples, False))
    assert not np.allclose(adaptive.predict(*inputs(examples, False)), fresh, atol=1e-3)
    adaptive.reset()
    np.testing.assert_allclose(adaptive.predict(*inputs(examples, False)), fresh, atol=1e-9)


def test_the_adaptive_one_learns_nothing_from_rows_that_are_missing():
    examples = driven(16, gain=(0.5, 1.6), seconds=16.0)
    window, commands = inputs(examples, False)
    window[:, :CONFIG.length - HORIZON - 1] = 0.0  # what the robot did a horizon ago
    poses = AdaptiveArx(fitted(), STEP, 30.0).predict(window, commands)
    np.testing.assert_allclose(
        poses, Linear(fitted(), STEP).predict(window, commands), atol=1e-4)
