"""Those who drive the fleet ask for what they may, and for something else every time."""

from hypothesis import given, settings, strategies as st
from lstm_predictor.common import se2
from lstm_predictor.common.readings import Odometry
from lstm_predictor.simulation.command_sources import DRIVERS, Ramps
import numpy as np
import pytest

SPEED, YAW_RATE = 0.25, 1.5  # [m/s], [rad/s]
PERIOD = 0.05  # [s]

seeds = st.integers(0, 2**31 - 1)
each_driver = pytest.mark.parametrize('kind', DRIVERS, ids=lambda kind: kind.__name__)


def driven(kind, seed, seconds=40.0, most=(SPEED, YAW_RATE)):
    """Return what a driver asks of a robot that does it at once: (n, 2)."""
    driver, pose = kind(np.random.default_rng(seed), *most), np.zeros(3)
    asked, newest = [], None
    for i in range(round(seconds / PERIOD)):
        asked.append(driver.command(PERIOD * i, newest))
        speed, yaw_rate = asked[-1]
        pose = se2.compose(pose, se2.exp([speed * PERIOD, 0.0, yaw_rate * PERIOD]))
        newest = Odometry(1 + i, *pose.tolist(), speed, yaw_rate)
    return np.array(asked)


@each_driver
@settings(max_examples=8)
@given(seed=seeds)
def test_no_driver_asks_for_more_than_the_most(kind, seed):
    asked = driven(kind, seed)
    assert np.isfinite(asked).all()
    assert (np.abs(asked) <= np.array([SPEED, YAW_RATE]) * (1.0 + 1e-9)).all()
    assert np.abs(asked).max(axis=0).min() > 0.0


@each_driver
def test_a_driver_is_the_same_again_and_another_one_is_another(kind):
    np.testing.assert_array_equal(driven(kind, 1), driven(kind, 1))
    assert (driven(kind, 1) != driven(kind, 2)).any()


@each_driver
def test_a_driver_turns_to_both_sides_and_drives_on(kind):
    asked = np.concatenate([driven(kind, seed) for seed in range(6)])
    assert asked[:, 1].min() < -0.02 and asked[:, 1].max() > 0.02
    assert asked[:, 0].mean() > 0.1 * SPEED


@settings(max_examples=8)
@given(seeds)
def test_a_thumb_on_a_joystick_does_not_jump(seed):
    asked = driven(Ramps, seed)
    quickest = np.array([SPEED, YAW_RATE]) / 0.1 * PERIOD
    assert (np.abs(np.diff(asked, axis=0)) <= quickest + 1e-12).all()
