"""Simulated sensors: IMU, wheel encoders and odometry, with their errors."""

from collections import deque
from collections.abc import Sequence
import math

from lstm_predictor.common.readings import Odometry
from lstm_predictor.simulation.actuation import WHEEL_SEPARATION
from lstm_predictor.simulation.plant import Plant
from lstm_predictor.simulation.robot_config import RobotConfig
from lstm_predictor.simulation.sensor_readings import ImuReading, JointReading

import numpy as np

WHEEL_RADIUS = 0.033  # [m] nominal
ENCODER_TICK = math.tau / 4096  # [rad]
_SPEED_QUANTUM = 0.229 * math.tau / 60.0  # [rad/s] in which the motors report their speed


class Imu:
    """
    A gyro and an accelerometer, and the orientation that the board makes of them.

    The heading is the integral of the gyro, so the gyro's bias and noise add up in it.
    """

    def __init__(self, config: RobotConfig, rng: np.random.Generator) -> None:
        """Make an IMU whose heading is right at the start."""
        self._config = config
        self._rng = rng
        self.heading_error = 0.0  # [rad]

    def read(self, plant: Plant, stamp_ns: int, elapsed: float) -> ImuReading:
        """Return the reading at `elapsed` [s] after the plant's last step."""
        c = self._config
        motion = plant.inertial(elapsed)
        noise = self._rng.standard_normal(6).tolist()
        rate_x, rate_y, rate_z = (
            rate + c.gyro_noise * n for rate, n in zip(motion.angular_velocity, noise[:3]))
        rate_z += c.gyro_bias
        self.heading_error += (c.gyro_bias + c.gyro_noise * noise[2]) / c.imu_rate
        return ImuReading(
            stamp_ns, _turned(motion.orientation, motion.turn + self.heading_error),
            (rate_x, rate_y, rate_z),
            tuple(a + c.acceleration_noise * n for a, n in zip(motion.specific_force, noise[3:])))


class Wheels:
    """Encoders, and the odometry that the driver reckons from them and from the IMU's heading."""

    def __init__(self, config: RobotConfig, rng: np.random.Generator) -> None:
        """Start at the origin with encoders at zero."""
        self._config = config
        self._rng = rng
        self._refresh_ns = round(1e9 * config.encoder_period)
        self._ticks = (0, 0)  # left, right
        self._heading = 0.0  # [rad] as the IMU gave it last
        self._pose = (0.0, 0.0, 0.0)  # [m], [m], [rad]
        late = round(config.joint_lag * config.odom_rate)  # readings
        self._late = deque([(0, 0)] * (late + 1), late + 1)  # the ticks of these, oldest first

    def read(self, plant: Plant, stamp_ns: int, elapsed: float,
             heading_error: float) -> tuple[Odometry, JointReading]:
        """Return the readings at `elapsed` [s] after the plant's last step."""
        # A driver that reads 20 times a second what the motor board refreshes every 20 ms sees
        # steps of 40 and of 60 ms and takes both for 50.
        age = 1e-9 * (stamp_ns % self._refresh_ns) if self._refresh_ns else 0.0
        angles, speeds = plant.wheels(elapsed - age)
        ticks = (round(angles[0] / ENCODER_TICK), round(angles[1] / ENCODER_TICK))
        left = self._distance(ticks[0] - self._ticks[0])
        right = self._distance(ticks[1] - self._ticks[1])
        turn = (right - left) / WHEEL_SEPARATION
        heading = plant.yaw(elapsed) + heading_error
        if self._config.odometry_source == 'imu':
            turn = math.remainder(heading - self._heading, math.tau)
        self._ticks, self._heading = ticks, heading
        self._late.append(ticks)

        odometry = self._reckon(stamp_ns, (left + right) / 2.0, turn)
        joints = JointReading(
            stamp_ns, (self._late[0][0] * ENCODER_TICK, self._late[0][1] * ENCODER_TICK),
            (round(speeds[0] / _SPEED_QUANTUM) * _SPEED_QUANTUM,
             round(speeds[1] / _SPEED_QUANTUM) * _SPEED_QUANTUM))
        return odometry, joints

    def _reckon(self, stamp_ns: int, distance: float, turn: float) -> Odometry:
        """Carry the pose on by a distance [m] and a turn [rad] made in one period."""
        x, y, before = self._pose
        x += distance * math.cos(before + turn / 2.0)
        y += distance * math.sin(before + turn / 2.0)
        yaw = math.remainder(before + turn, math.tau)
        self._pose = (x, y, yaw)
        rate = self._config.odom_rate
        reported = yaw - before if self._config.yaw_rate_spikes else turn
        return Odometry(stamp_ns, x, y, yaw, distance * rate, reported * rate)

    def _distance(self, ticks: int) -> float:
        """Return how far [m] a wheel seems to have rolled."""
        distance = ticks * ENCODER_TICK * WHEEL_RADIUS
        noise = self._config.odometry_noise * math.sqrt(abs(distance))
        return distance + noise * float(self._rng.standard_normal())


def _turned(quaternion: Sequence[float], yaw: float) -> tuple[float, float, float, float]:
    """Return the quaternion (w, x, y, z) turned by yaw [rad] about the vertical, as x, y, z, w."""
    w, x, y, z = quaternion
    cos, sin = math.cos(yaw / 2.0), math.sin(yaw / 2.0)
    return (cos * x - sin * y, cos * y + sin * x, cos * z + sin * w, cos * w - sin * z)
