"""What happens to robots leaves alone what it should leave alone."""

from hypothesis import given, settings, strategies as st
from lstm_predictor.common import se2
from lstm_predictor.common.readings import Odometry
from lstm_predictor.simulation.robot_config import RobotConfig
from lstm_predictor.training.disturbances import (
    ActuationNoise, ManualRotation, RotatedOdometry, Stalls)
import numpy as np
import pytest

SECOND = 1_000_000_000  # [ns]
PERIOD = 0.02  # [s]
TIMES = np.arange(1, 3000) * PERIOD

seeds = st.integers(0, 2**31 - 1)


def random(seed=0):
    return np.random.default_rng(seed)


# Somebody who turns the robot.

def handled(seed, speed=0.2, yaw_rate=0.4):
    """Return the readings of a constant twist as they were and as they are with hands on it."""
    handling, turned = ManualRotation(random(seed), 4.0), RotatedOdometry()
    before, after, extra = [], [], []
    for time in TIMES.tolist():
        handling.at(time)
        pose = se2.exp([speed * time, 0.0, yaw_rate * time]).tolist()
        before.append(Odometry(round(SECOND * time), *pose, speed, yaw_rate))
        after.append(turned.odometry(before[-1], handling))
        extra.append(handling.yaw_rate)
    return np.array(before), np.array(after), np.array(extra)


@settings(max_examples=6)
@given(seeds)
def test_a_hand_leaves_the_speed_and_the_distance_alone(seed):
    before, after, _ = handled(seed)
    np.testing.assert_array_equal(after[:, [0, 4]], before[:, [0, 4]])
    np.testing.assert_allclose(np.hypot(*np.diff(after[:, 1:3], axis=0).T),
                               np.hypot(*np.diff(before[:, 1:3], axis=0).T), atol=1e-9)


@settings(max_examples=6)
@given(seeds)
def test_the_pose_turns_by_the_integral_of_the_yaw_rate(seed):
    _, after, extra = handled(seed)
    yaw = np.unwrap(after[:, 3])
    rates = after[:, 5]
    turned = np.concatenate([[0.0], np.cumsum(0.5 * (rates[1:] + rates[:-1]) * PERIOD)])
    # The hand lets go of the last 0.01 rad/s at once.
    np.testing.assert_allclose(yaw - yaw[0], turned, atol=0.02)
    np.testing.assert_allclose(rates, 0.4 + extra, rtol=1e-12)
    assert np.abs(extra).max() > 0.05 and (extra == 0.0).mean() > 0.2


def test_poses_without_a_hand_stay_as_they_are():
    turned = RotatedOdometry()
    for pose in np.cumsum(random().normal(size=(50, 3)), axis=0):
        pose[2] = se2.wrap(pose[2])
        np.testing.assert_allclose(se2.between(turned.pose(pose, 0.0), pose), 0.0, atol=1e-9)


@pytest.mark.parametrize('kind', [ManualRotation, Stalls])
def test_nothing_happens_where_nothing_should(kind):
    mishap = kind(random(), 0.0)
    for time in TIMES.tolist():
        assert not mishap.at(time)
    assert kind is Stalls or mishap.turned == mishap.yaw_rate == 0.0


# Something in the way.

@settings(max_examples=15)
@given(seeds)
def test_a_block_holds_for_a_while_and_ends(seed):
    blocks = Stalls(random(seed), 8.0)
    held = np.array([blocks.at(time) for time in np.arange(1, 20000) * PERIOD])
    begins, = np.nonzero(np.diff(held.astype(int)) == 1)
    ends, = np.nonzero(np.diff(held.astype(int)) == -1)
    ends = ends[ends > begins[0]]
    seconds = (ends - begins[:len(ends)]) * PERIOD
    assert 0.5 - PERIOD < seconds.min() and seconds.max() < 4.0 + PERIOD
    assert 5.0 < np.mean(np.diff(begins)) * PERIOD < 20.0  # 8 s apart and 2 s long, on average


# The ground.

def test_disturbance_of_no_size_changes_nothing():
    disturbance = ActuationNoise(random(), 0.0)
    for time in TIMES[:100].tolist():
        assert disturbance.on((0.2, -0.5), time, RobotConfig()) == (0.2, -0.5)


@settings(max_examples=15)
@given(seeds)
def test_disturbance_is_small_slow_and_lets_a_robot_stand(seed):
    disturbance = ActuationNoise(random(seed), 1.0)
    moved = np.array([disturbance.on((0.2, 1.0), time, RobotConfig()) for time in TIMES.tolist()])
    away = moved - [0.2, 1.0]
    # At most 12 % of the command and 3 or 4 % of the most, deviations each.
    size = away.std(axis=0)
    assert (size < 2.0 * np.hypot([0.12 * 0.2, 0.12], [0.03 * 0.22, 0.04 * 2.84])).all()
    # A tenth of a second is the shortest memory.
    assert (np.diff(away, axis=0).std(axis=0) <= 0.75 * size + 1e-12).all()
    assert disturbance.on((0.0, 0.0), 1000.0, RobotConfig()) == (0.0, 0.0)
