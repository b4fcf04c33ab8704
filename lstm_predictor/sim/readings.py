"""What the robot says of itself, and what only the simulator knows."""

from typing import NamedTuple, Union

from lstm_predictor.core.samples import Imu, Odometry

Vector = tuple[float, float, float]


class ImuReading(NamedTuple):
    """Orientation in the frame the robot started in; rates and accelerations in its own frame."""

    stamp_ns: int
    orientation: tuple[float, float, float, float]  # quaternion x, y, z, w
    angular_velocity: Vector  # [rad/s]
    linear_acceleration: Vector  # [m/s^2] with gravity: at rest +9.81 upwards


class IdealOdometry(NamedTuple):
    """What the odometry would say without noise; only the simulator knows."""

    stamp_ns: int
    x: float  # [m]
    y: float  # [m]
    yaw: float  # [rad]


class JointReading(NamedTuple):
    """Both wheels, left and right; forward is positive."""

    stamp_ns: int
    angles: tuple[float, float]  # [rad]
    speeds: tuple[float, float]  # [rad/s]


class GroundTruth(NamedTuple):
    """Where base_footprint really is and how it really moves."""

    stamp_ns: int
    x: float  # [m]
    y: float  # [m]
    yaw: float  # [rad]
    speed: float  # forward [m/s]
    lateral_speed: float  # to the left [m/s]
    yaw_rate: float  # [rad/s]


Reading = Union[Odometry, ImuReading, JointReading, IdealOdometry]


def sample(reading: Reading) -> Union[Odometry, Imu, None]:
    """Return a reading as the predictor takes it, or None where it takes no such reading."""
    if isinstance(reading, Odometry):
        return reading
    if isinstance(reading, ImuReading):
        return Imu(reading.stamp_ns, reading.angular_velocity[2], reading.linear_acceleration[0])
    return None
