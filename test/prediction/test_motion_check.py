"""What wheels, gyro and commands say of one motion."""

from lstm_predictor.model.window import FEATURE, FEATURES
from lstm_predictor.prediction.motion_check import contradiction
import numpy as np
import pytest

STEP = 0.05  # [s]


def rows(**columns):
    """Return a window of a robot that does as it is told, but for some columns."""
    made = np.zeros((80, len(FEATURES)))
    normal = {'speed': 0.2, 'command_speed': 0.2, 'yaw_rate': 0.5, 'imu_yaw_rate': 0.5,
              'command_yaw_rate': 0.5, 'imu_valid': 1.0, 'command_valid': 1.0}
    for name, value in {**normal, **columns}.items():
        made[:, FEATURE[name]] = value
    return made


def test_a_robot_that_moves_as_it_is_told_is_left_in_peace():
    assert contradiction(rows(), STEP) is None
    assert contradiction(rows(speed=0.0, command_speed=0.0, yaw_rate=0.0, imu_yaw_rate=0.0,
                              command_yaw_rate=0.0), STEP) is None


@pytest.mark.parametrize('sign', [1.0, -1.0])
def test_a_robot_that_stands_against_its_command_is_blocked(sign):
    blocked = rows(speed=0.001, yaw_rate=0.0, imu_yaw_rate=0.0, command_speed=0.2 * sign)
    assert f'commanded to move at {0.2 * sign:.2f} m/s' in contradiction(blocked, STEP).text


def test_a_robot_that_is_told_to_go_a_moment_ago_is_not_blocked_yet():
    late = rows(speed=0.0, yaw_rate=0.0, imu_yaw_rate=0.0)
    late[:-20, FEATURE['command_speed']] = late[:-20, FEATURE['command_yaw_rate']] = 0.0
    assert contradiction(late, STEP) is None


@pytest.mark.parametrize('sign', [1.0, -1.0])
def test_wheels_that_turn_without_the_robot_are_named(sign):
    lifted = rows(yaw_rate=0.6 * sign, imu_yaw_rate=0.01)
    assert f'odom turns by {0.6 * sign:.2f} rad/s' in contradiction(lifted, STEP).text
    assert contradiction(rows(yaw_rate=0.6 * sign, imu_yaw_rate=0.2 * sign), STEP) is None


def test_nothing_is_said_of_a_gyro_that_is_not_there():
    assert contradiction(rows(imu_yaw_rate=0.0, imu_valid=0.0), STEP) is None
