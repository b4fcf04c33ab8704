"""
Parses ROS messages into plain readings, and rejects invalid ones.

A live rclpy message and a message out of a recording have the same field names, so the same
functions parse both. What must not reach the window raises `InvalidMessage`.
"""

import math
from typing import Any, NamedTuple, TypeVar

from lstm_predictor.common.errors import LstmPredictorError


class InvalidMessage(LstmPredictorError, ValueError):
    """A message that must not be used; its text says which value is wrong."""


class Odometry(NamedTuple):
    """Pose in the odometry's frame and twist in the body frame at one time."""

    stamp_ns: int
    x: float  # [m]
    y: float  # [m]
    yaw: float  # [rad]
    speed: float  # forward [m/s]
    yaw_rate: float  # [rad/s]


class Imu(NamedTuple):
    """Planar part of an inertial measurement, sensor mounted along the body axes."""

    stamp_ns: int
    yaw_rate: float  # [rad/s]
    acceleration: float  # forward [m/s^2]


class Command(NamedTuple):
    """A velocity command as the robot receives it."""

    stamp_ns: int
    speed: float  # forward [m/s]
    yaw_rate: float  # [rad/s]


def read_pose(pose: Any) -> tuple[float, float, float]:
    """
    Return x [m], y [m] and yaw [rad] of a geometry_msgs/Pose.

    Raise InvalidMessage for a value that is not finite or a quaternion of norm zero.
    """
    x, y = pose.position.x, pose.position.y
    if not (math.isfinite(x) and math.isfinite(y)):
        raise InvalidMessage(f'position is ({x}, {y})')
    return x, y, yaw_of(pose.orientation)


def read_plan(message: Any) -> list[tuple[float, float, float]]:
    """
    Return the poses x [m], y [m], yaw [rad] of a nav_msgs/Path.

    Planners leave orientations out: one that is no rotation reads as the direction of the way
    that leads there. Raise InvalidMessage for a position that is not finite.
    """
    poses: list[tuple[float, float, float]] = []
    for index, stamped in enumerate(message.poses):
        x, y = stamped.pose.position.x, stamped.pose.position.y
        if not (math.isfinite(x) and math.isfinite(y)):
            raise InvalidMessage(f'position of pose {index} is ({x}, {y})')
        try:
            yaw = yaw_of(stamped.pose.orientation)
        except InvalidMessage:
            yaw = _heading(poses[-1], x, y) if poses else 0.0
        poses.append((x, y, yaw))
    return poses


def _heading(before: tuple[float, float, float], x: float, y: float) -> float:
    """Return the direction [rad] from a pose to a place, or its own where it is the same."""
    if (x, y) == before[:2]:
        return before[2]
    return math.atan2(y - before[1], x - before[0])


def read_planar_covariance(covariance: Any) -> list[list[float]]:
    """Return the covariance of x [m], y [m] and yaw [rad] (3 x 3) out of 36 numbers (6 x 6)."""
    planar = (0, 1, 5)
    return [[float(covariance[6 * row + column]) for column in planar] for row in planar]


def stamp_ns(header: Any) -> int:
    """
    Return the time of a message header in nanoseconds.

    Raise InvalidMessage for a zero stamp, which in ROS means that it was not set.
    """
    nanoseconds = int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)
    if nanoseconds <= 0:
        raise InvalidMessage('header.stamp is zero')
    return nanoseconds


Reading = TypeVar('Reading', Odometry, Imu, Command)


def read_odometry(message: Any) -> Odometry:
    """
    Return the reading in a nav_msgs/Odometry.

    Raise InvalidMessage for a zero stamp, a value that is not finite or a quaternion of norm zero.
    """
    twist = message.twist.twist
    return _finite(Odometry(
        stamp_ns(message.header), *read_pose(message.pose.pose), twist.linear.x,
        twist.angular.z))


def read_imu(message: Any) -> Imu:
    """
    Return the reading in a sensor_msgs/Imu.

    An acceleration marked absent (covariance[0] = -1) reads as zero. Raise InvalidMessage for a
    zero stamp, a value that is not finite or a yaw rate marked absent.
    """
    if message.angular_velocity_covariance[0] == -1.0:
        raise InvalidMessage('angular_velocity is marked absent (covariance[0] = -1)')
    absent = message.linear_acceleration_covariance[0] == -1.0
    return _finite(Imu(
        stamp_ns(message.header), message.angular_velocity.z,
        0.0 if absent else message.linear_acceleration.x))


def read_command(message: Any, receive_ns: int) -> Command:
    """
    Return the command in a geometry_msgs/Twist or TwistStamped.

    A Twist has no stamp and a TwistStamped may have none: then the time of receipt stands in.
    Raise InvalidMessage for a value that is not finite, of any axis.
    """
    twist = _twist(message)
    time_ns = receive_ns
    if hasattr(message, 'header'):
        stamp = message.header.stamp
        if stamp.sec or stamp.nanosec:
            time_ns = stamp_ns(message.header)
    command = _finite(Command(time_ns, twist.linear.x, twist.angular.z))
    for name, vector in (('linear', twist.linear), ('angular', twist.angular)):
        for axis in 'xyz':
            value = getattr(vector, axis)
            if not math.isfinite(value):
                raise InvalidMessage(f'{name}.{axis} is {value}')
    return command


def sideways(message: Any) -> float:
    """Return the speed to the left [m/s] in a Twist or TwistStamped."""
    return float(_twist(message).linear.y)


def _twist(message: Any) -> Any:
    """Return the Twist that a Twist is or a TwistStamped has."""
    return message.twist if hasattr(message, 'header') else message


def yaw_of(quaternion: Any) -> float:
    """
    Return the yaw [rad] of a quaternion with fields x, y, z, w, of any length but zero.

    Raise InvalidMessage where the length is zero or not finite.
    """
    x, y, z, w = quaternion.x, quaternion.y, quaternion.z, quaternion.w
    norm = x * x + y * y + z * z + w * w
    if not math.isfinite(norm) or norm < 1e-12:
        raise InvalidMessage(f'orientation is no rotation: ({x:g}, {y:g}, {z:g}, {w:g})')
    return math.atan2(2.0 * (w * z + x * y), norm - 2.0 * (y * y + z * z))


def _finite(reading: Reading) -> Reading:
    """Return the reading, or raise InvalidMessage for its first value that is not finite."""
    for name, value in zip(reading._fields, reading):
        if not math.isfinite(value):
            raise InvalidMessage(f'{name} is {value}')
    return reading
