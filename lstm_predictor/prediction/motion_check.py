"""Detects a stalled robot and one whose wheels are off the ground, from a window."""

from enum import Enum
from typing import NamedTuple

from lstm_predictor.model.window import FEATURE

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_COMMANDED_FOR = 1.6  # longer than any input delay with the lag after it [s]
_STILL_FOR = 1.0  # [s]
_MOVING = (0.03, 0.2)  # a command that moves any robot [m/s], [rad/s]
_STILL = (0.005, 0.02)  # motion that is noise [m/s], [rad/s]
_DRIFT = (0.02, 0.1)  # mean motion of the poses that is noise [m/s], [rad/s]
_TURNING = 0.2  # of the wheels that a gyro cannot miss [rad/s]
_GYRO_SHARE = 0.1  # of such a turn: less is none [-]


class Contradiction(Enum):
    """What does not go together."""

    BLOCKED = 'the commands and the odometry'
    LIFTED = 'the odometry and the IMU'


class MotionProblem(NamedTuple):
    """A contradiction and its numbers."""

    kind: Contradiction
    text: str  # one line


def contradiction(rows: Array, step: float) -> MotionProblem | None:
    """Return what is wrong in the newest rows of a window (W, F), of steps [s]; None: nothing."""
    return _blocked(rows, step) or _lifted(rows[-round(_STILL_FOR / step):])


def _blocked(rows: Array, step: float) -> MotionProblem | None:
    commanded = np.abs(_columns(
        rows[-round(_COMMANDED_FOR / step):], 'command_speed', 'command_yaw_rate'))
    newest = rows[-round(_STILL_FOR / step):]
    moved = np.abs(_columns(newest, 'speed', 'yaw_rate'))
    # Some drivers leave the twist at zero: the poses must stand as well, but for their noise.
    drifted = np.abs(_columns(newest, 'pose_speed', 'pose_yaw_rate').mean(axis=0))
    if not (commanded > _MOVING).any(axis=1).all() or not (moved < _STILL).all() \
            or not (drifted < _DRIFT).all():
        return None
    speed, yaw_rate = _columns(rows[-1:], 'command_speed', 'command_yaw_rate')[0]
    return MotionProblem(Contradiction.BLOCKED, (
        f'the robot was commanded to move at {speed:.2f} m/s, {yaw_rate:.2f} rad/s for '
        f'{_COMMANDED_FOR:g} s, and odom shows no motion: is it blocked, is its motor off?'))


def _lifted(rows: Array) -> MotionProblem | None:
    wheels, gyro = np.mean(_columns(rows, 'yaw_rate', 'imu_yaw_rate'), axis=0)
    if not rows[:, FEATURE['imu_valid']].all() or abs(wheels) < _TURNING or \
            abs(gyro) > _GYRO_SHARE * abs(wheels):
        return None
    return MotionProblem(Contradiction.LIFTED, (
        f'odom turns by {wheels:.2f} rad/s, the IMU by {gyro:.2f} rad/s: is the robot '
        f'lifted, do its wheels slip?'))


def _columns(rows: Array, *names: str) -> Array:
    return rows[:, [FEATURE[name] for name in names]]
