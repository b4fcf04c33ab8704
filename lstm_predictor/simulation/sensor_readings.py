"""The readings of a simulated robot, and its ground truth."""

from typing import NamedTuple, Union

from lstm_predictor.common.readings import Imu, Odometry

Vector = tuple[float, float, float]


class ImuReading(NamedTuple):
    """Orientation in the frame the robot started in; rates and accelerations in its own frame."""

    stamp_ns: int
    orientation: tuple[float, float, float, float]  # quaternion x, y, z, w
    angular_velocity: Vector  # [rad/s]
    linear_acceleration: Vector  # [m/s^2] with gravity: at rest +9.81 upwards


class IdealOdometry(NamedTuple):
    """The odometry without noise, known to the simulator alone."""

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
    """True pose and twist of base_footprint."""

    stamp_ns: int
    x: float  # [m]
    y: float  # [m]
    yaw: float  # [rad]
    speed: float  # forward [m/s]
    lateral_speed: float  # to the left [m/s]
    yaw_rate: float  # [rad/s]


Reading = Union[Odometry, ImuReading, JointReading, IdealOdometry]


def sample(reading: Reading) -> Union[Odometry, Imu, None]:
    """Return a reading as the predictor takes it, or None where it uses no such reading."""
    if isinstance(reading, Odometry):
        return reading
    if isinstance(reading, ImuReading):
        return Imu(reading.stamp_ns, reading.angular_velocity[2], reading.linear_acceleration[0])
    return None
