"""Whether a robot moves as its wheels, gyro and commands say; in words where it does not."""

from lstm_predictor.core.window import FEATURE

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TOLD_FOR = 1.6  # longer than any dead time with the lag after it [s]
_STILL_FOR = 1.0  # [s]
_TOLD = (0.03, 0.2)  # a command that any robot obeys [m/s], [rad/s]
_STILL = (0.005, 0.02)  # motion that is noise [m/s], [rad/s]
_TURNING = 0.2  # of the wheels that a gyro cannot miss [rad/s]
_GYRO_SHARE = 0.1  # of such a turn: less is none [-]


def contradiction(rows: Array, step: float) -> str:
    """Return what is wrong in the newest rows of a window (W, F), of steps [s], or nothing."""
    return _blocked(rows, step) or _lifted(rows[-round(_STILL_FOR / step):])


def _blocked(rows: Array, step: float) -> str:
    told = np.abs(_columns(rows[-round(_TOLD_FOR / step):], 'command_speed', 'command_yaw_rate'))
    moved = np.abs(_columns(rows[-round(_STILL_FOR / step):], 'speed', 'yaw_rate'))
    if not (told > _TOLD).any(axis=1).all() or not (moved < _STILL).all():
        return ''
    speed, yaw_rate = _columns(rows[-1:], 'command_speed', 'command_yaw_rate')[0]
    return f'the robot was told to move at {speed:.2f} m/s, {yaw_rate:.2f} rad/s for ' \
           f'{_TOLD_FOR:g} s, and odom says that it stands: is it blocked, is its motor off?'


def _lifted(rows: Array) -> str:
    wheels, gyro = np.mean(_columns(rows, 'yaw_rate', 'imu_yaw_rate'), axis=0)
    if not rows[:, FEATURE['imu_valid']].all() or abs(wheels) < _TURNING or \
            abs(gyro) > _GYRO_SHARE * abs(wheels):
        return ''
    return f'odom turns by {wheels:.2f} rad/s, the IMU by {gyro:.2f} rad/s: is the robot ' \
           f'lifted, do its wheels slip?'


def _columns(rows: Array, *names: str) -> Array:
    return rows[:, [FEATURE[name] for name in names]]
