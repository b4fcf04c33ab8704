"""What a batch could also have been is as true as what it was."""

from hypothesis import given, settings, strategies as st
from lstm_predictor.baselines.kinematic import ConstantVelocity
from lstm_predictor.model.window import FEATURE, FEATURES, WindowConfig
from lstm_predictor.training import dataset
from lstm_predictor.training.augmentation import augment, AugmentConfig
from lstm_predictor.training.loss import wrapped
import numpy as np
import pytest
import torch

HORIZON, SHORTEST = 20, 8
CONFIG = WindowConfig(length=20, shortest=20)
COMMAND = [i for i, (name, _) in enumerate(FEATURES) if name.startswith('command')]
IMU = [i for i, (name, _) in enumerate(FEATURES) if name.startswith('imu')]
PLAIN = {'open_share': 0.0, 'no_imu_share': 0.0, 'no_command_share': 0.0, 'short_share': 0.0,
         'no_memory_share': 0.0}

seeds = st.integers(0, 2**31 - 1)
pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(scope='module')
def batch(tracks):
    """Return windows, commands, futures and memories of moving robots, as tensors."""
    examples = dataset.join([dataset.examples_of(track, CONFIG, HORIZON) for track in tracks])
    moving = examples[(examples.futures[:, :, 1] != 0.0).any(axis=1)]
    return tuple(torch.from_numpy(array) for array in (
        moving.windows, moving.commands, moving.futures, moving.memory))


def made(batch, seed=0, **shares):
    """Return a batch augmented by nothing but the mirror and these shares."""
    return augment(*batch, AugmentConfig(**{**PLAIN, **shares}), SHORTEST,
                   torch.Generator().manual_seed(seed))


def errors_of_constant_velocity(window, future):
    held = ConstantVelocity().predict(window.double().numpy(), np.zeros((*future.shape[:2], 3)))
    return wrapped(torch.from_numpy(held) - future.double()).abs()


@settings(max_examples=5)
@given(seed=seeds)
def test_a_mirrored_example_is_as_hard_as_before(batch, seed):
    window, commands, future, memory = batch
    other, planned, later, learned = made(batch, seed)
    torch.testing.assert_close(
        errors_of_constant_velocity(other, later), errors_of_constant_velocity(window, future),
        rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(other.abs(), window.abs(), rtol=0.0, atol=0.0)
    mirrored = (later[:, :, 1] != future[:, :, 1]).any(dim=1)
    assert 0.3 < mirrored.float().mean() < 0.7
    for name in ('yaw_rate', 'pose_yaw_rate', 'pose_side_speed', 'imu_yaw_rate',
                 'command_yaw_rate'):
        column = FEATURE[name]
        torch.testing.assert_close(other[mirrored, :, column], -window[mirrored, :, column])
    given_ = planned[:, :, 2] == 1.0
    expected = torch.where(mirrored[:, None], -commands[:, :, 1], commands[:, :, 1])
    torch.testing.assert_close(planned[:, :, 1][given_], expected[given_])
    assert torch.equal(learned, memory)  # what a robot makes of a command is the same both ways


@settings(max_examples=5)
@given(seed=seeds)
def test_future_commands_are_given_up_to_some_step_or_not_at_all(batch, seed):
    _, planned, _, _ = made(batch, seed, open_share=0.5)
    given_ = planned[:, :, 2]
    recorded = batch[1][:, :, 2].bool().all(dim=1)
    assert (given_[recorded].diff(dim=1) <= 0.0).all()
    assert (planned[given_ == 0.0] == 0.0).all()
    count = given_[recorded].sum(dim=1)
    assert (count == 0.0).float().mean() == pytest.approx(0.5, abs=0.15)
    assert (count == HORIZON).float().mean() == pytest.approx(0.25, abs=0.15)
    assert len(count.unique()) > HORIZON // 2


@pytest.mark.parametrize('share', ['no_imu_share', 'no_command_share'])
def test_whole_inputs_are_taken_away(batch, share):
    window, _, _, _ = made(batch, **{share: 0.5})
    gone, kept = (IMU, COMMAND) if share == 'no_imu_share' else (COMMAND, IMU)
    without = (window[:, :, gone] == 0.0).all(dim=2).all(dim=1)
    already = (batch[0][:, :, gone] == 0.0).all(dim=2).all(dim=1)
    assert float(without[~already].float().mean()) == pytest.approx(0.5, abs=0.15)
    torch.testing.assert_close(window[:, :, kept].abs(), batch[0][:, :, kept].abs())


@settings(max_examples=5)
@given(seed=seeds)
def test_short_windows_are_those_of_odometry_that_began_within_them(batch, seed):
    window, _, _, _ = made(batch, seed, short_share=0.5)
    there = window[:, :, FEATURE['odometry_valid']]
    assert (there.diff(dim=1) >= 0.0).all()
    assert (window[there == 0.0] == 0.0).all()
    rows = there.sum(dim=1)
    assert rows.min() == SHORTEST and (rows < CONFIG.length).float().mean() == pytest.approx(
        0.5 * (1.0 - 1.0 / (CONFIG.length - SHORTEST + 1)), abs=0.15)
    torch.testing.assert_close(window[there == 1.0].abs(), batch[0][there == 1.0].abs())


@settings(max_examples=5)
@given(seed=seeds, share=st.sampled_from([0.0, 0.5, 1.0]))
def test_a_memory_is_kept_whole_or_forgotten(batch, seed, share):
    learned, memory = made(batch, seed, no_memory_share=share)[3], batch[3]
    assert (memory[..., 3] > 0.0).all()
    forgotten = (learned == 0.0).flatten(1).all(dim=1)
    assert torch.equal(learned[~forgotten], memory[~forgotten])
    assert float(forgotten.float().mean()) == pytest.approx(share, abs=0.15)


@settings(max_examples=5)
@given(seed=seeds)
def test_who_has_driven_for_less_than_a_window_has_no_memory(batch, seed):
    window, _, _, learned = made(batch, seed, short_share=0.5)
    short = (window[:, 0] == 0.0).all(dim=1) & (batch[0][:, 0] != 0.0).any(dim=1)
    assert (learned[short] == 0.0).all() and torch.equal(learned[~short], batch[3][~short])
    assert 0.2 < float(short.float().mean()) < 0.8


def test_the_batch_that_is_given_stays_as_it_is(batch):
    kept = [part.clone() for part in batch]
    made(batch, **dict.fromkeys(PLAIN, 1.0))
    for part, before in zip(batch, kept):
        assert torch.equal(part, before)


@pytest.mark.parametrize('name', PLAIN)
@pytest.mark.parametrize('value', [-0.1, 1.5, float('nan')])
def test_a_wrong_share_is_named(name, value):
    with pytest.raises(ValueError, match=f'{name}.*{value}'):
        AugmentConfig(**{name: value})
