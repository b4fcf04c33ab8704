"""The predictor that keeps the newest twist is exact for a robot that does."""

from hypothesis import given, strategies as st
from lstm_predictor.core import se2
from lstm_predictor.core.classical import constant_velocity
from lstm_predictor.core.samples import Odometry
from lstm_predictor.core.window import FEATURE, FEATURES, Window, WindowConfig
import numpy as np

CONFIG = WindowConfig(length=10)
STEP = 1.0 / CONFIG.rate  # [s]


def arc(seconds, speed, yaw_rate):
    return se2.exp(np.multiply.outer(seconds, [speed, 0.0, yaw_rate]))


@given(st.floats(-5.0, 5.0), st.floats(-3.0, 3.0))
def test_it_is_exact_for_a_constant_twist(speed, yaw_rate):
    window, seconds = Window(CONFIG), STEP * np.arange(15)
    for t, pose in zip(seconds, arc(seconds, speed, yaw_rate)):
        window.add(Odometry(1 + round(1e9 * t), *pose, speed, yaw_rate))
    anchor = window.odometry.times[-1:]
    predicted = se2.compose(
        window.poses(anchor), constant_velocity(window.rows(anchor), 20, STEP)[0])
    later = arc(seconds[-1] + STEP * np.arange(1, 21), speed, yaw_rate)
    np.testing.assert_allclose(se2.between(predicted, later), 0.0, atol=1e-6)


def test_it_looks_at_nothing_but_the_newest_twist():
    window = np.random.default_rng(0).normal(size=(3, 5, len(FEATURES)))
    other = np.zeros_like(window)
    newest = [FEATURE['speed'], FEATURE['yaw_rate']]
    other[:, -1, newest] = window[:, -1, newest]
    expected = constant_velocity(window, 4, STEP)
    assert expected.shape == (3, 4, 3)
    np.testing.assert_array_equal(constant_velocity(other, 4, STEP), expected)
    assert np.abs(expected[:, -1]).min() > 0.0
