"""
Extended Kalman filter over wheels, gyro and delayed command, run through every window.

For each axis, forward and turn, the state is [velocity, gain]: the robot approaches gain times the
command of an input delay ago with a first-order lag, and the gain is estimated along with the
velocity (the product makes it an extended filter: Sarkka, "Bayesian Filtering and Smoothing",
algorithm 5.4). The axes are filtered side by side, for all windows at once.
"""

from dataclasses import dataclass

from lstm_predictor.baselines.kinematic import COMMAND_VALID, commanded, POSE_TWIST, TWIST
from lstm_predictor.common import se2
from lstm_predictor.model.window import FEATURE, scales

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ROWS = 40  # of the window that are filtered
_GYRO = FEATURE['imu_yaw_rate']
_IMU_VALID = FEATURE['imu_valid']
_VALID = FEATURE['odometry_valid']


@dataclass(frozen=True)
class Ekf:
    """Filters the newest rows and carries the state on; spreads are relative to the scale."""

    step: float = 0.05  # [s]
    delay: float = 0.2  # [s]
    lag: tuple[float, float] = (0.2, 0.2)  # [s] speed, yaw rate
    wander: tuple[float, float] = (0.3, 0.3)  # of the velocity, per root second [-]
    gain_wander: float = 0.1  # per root second [-]
    gain_spread: float = 0.3  # about 1 before the first row [-]
    twist_noise: tuple[float, float] = (0.05, 0.05)  # of the odometry's twist [-]
    pose_noise: tuple[float, float] = (0.05, 0.05)  # of the twist between its poses [-]
    gyro_noise: float = 0.05  # [-]

    def predict(self, window: Array, commands: Array) -> Array:
        """Return the poses at every future step: (B, H, 3)."""
        rows = window[:, -_ROWS:]
        asked = commanded(rows, commands)
        scale = scales(rows)
        goal = self._delayed(asked / scale[:, None])
        heard = np.repeat(rows[..., COMMAND_VALID] > 0.5, 2).reshape(*rows.shape[:2], 2)
        state, heard_now = self._filtered(rows, goal, heard, scale)
        horizon = commands.shape[1]
        twists = np.empty((len(window), horizon, 2))
        velocity, gain = state
        stay = np.exp(-self.step / np.asarray(self.lag))
        for ahead in range(horizon):
            before = velocity
            wanted = gain * goal[:, rows.shape[1] + ahead]
            velocity = np.where(heard_now, wanted + (velocity - wanted) * stay, velocity)
            twists[:, ahead] = 0.5 * (before + velocity)
        return se2.integrate(twists * scale[:, None], self.step)

    def _delayed(self, asked: Array) -> Array:
        """Return for each row the delayed command of the step up to it: (B, W + H, 2)."""
        at = np.clip(np.arange(asked.shape[1] + 1) - 1.0 - self.delay / self.step, 0.0, None)
        before = np.maximum(at.astype(int), 0)
        share = (at - before)[:, None]
        after = np.minimum(before + 1, asked.shape[1] - 1)
        return np.asarray((1.0 - share) * asked[:, before] + share * asked[:, after])

    def _filtered(self, rows: Array, goal: Array, heard: NDArray[np.bool_], scale: Array
                  ) -> tuple[tuple[Array, Array], NDArray[np.bool_]]:
        """Return velocity and gain (B, 2) after the newest row, and whether a command holds."""
        velocity: Array = rows[:, 0, TWIST] / scale
        gain: Array = np.ones((len(rows), 2))
        # Covariance of [velocity, gain] for each axis.
        vv, vg = np.full(velocity.shape, 0.1), np.zeros(velocity.shape)
        gg = np.full(velocity.shape, self.gain_spread ** 2)
        stay = np.exp(-self.step / np.asarray(self.lag))
        for i in range(1, rows.shape[1]):
            moved = heard[:, i]
            f, g = np.where(moved, stay, 1.0), np.where(moved, (1.0 - stay) * goal[:, i], 0.0)
            velocity = f * velocity + g * gain
            vv, vg = (f * f * vv + 2.0 * f * g * vg + g * g * gg
                      + self.step * np.square(self.wander)), f * vg + g * gg
            gg = gg + self.step * self.gain_wander ** 2
            valid = rows[:, i, _VALID, None] > 0.5
            gyro = rows[:, i, _IMU_VALID] > 0.5
            for measured, noise, use in (
                    (rows[:, i, TWIST] / scale, np.square(self.twist_noise), valid),
                    (rows[:, i, POSE_TWIST] / scale, np.square(self.pose_noise), valid),
                    (rows[:, i, [_GYRO, _GYRO]] / scale, self.gyro_noise ** 2,
                     valid & np.stack([np.zeros_like(gyro), gyro], axis=1))):
                size = vv + noise
                kv, kg = np.where(use, vv / size, 0.0), np.where(use, vg / size, 0.0)
                missed = measured - velocity
                velocity, gain = velocity + kv * missed, gain + kg * missed
                vv, vg, gg = (1.0 - kv) * vv, (1.0 - kv) * vg, gg - kg * vg
        return (velocity, gain), heard[:, -1]
