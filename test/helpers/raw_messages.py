"""Messages of a class that is a parameter: that of rosbags or that of rclpy."""

import math

import numpy as np
from rosbags.typesys import get_typestore, Stores

STORE = get_typestore(Stores.LATEST)
STAMP = (12, 345_678_901)  # [s], [ns]


def bag_type(name):
    return STORE.types[name]


def header(kind, stamp=STAMP):
    time = kind('builtin_interfaces/msg/Time')(sec=stamp[0], nanosec=stamp[1])
    return kind('std_msgs/msg/Header')(stamp=time, frame_id='odom')


def vector(kind, x=0.0, y=0.0, z=0.0, name='Vector3'):
    return kind(f'geometry_msgs/msg/{name}')(x=x, y=y, z=z)


def quaternion(kind, x, y, z, w):
    return kind('geometry_msgs/msg/Quaternion')(x=x, y=y, z=z, w=w)


def upright(yaw, length=1.0):
    """Return a turn about the vertical as a quaternion x, y, z, w of that length."""
    return 0.0, 0.0, length * math.sin(yaw / 2.0), length * math.cos(yaw / 2.0)


def twist(kind, speed, yaw_rate):
    return kind('geometry_msgs/msg/Twist')(
        linear=vector(kind, speed), angular=vector(kind, 0.0, 0.0, yaw_rate))


def odometry(kind=bag_type, x=1.0, y=2.0, rotation=upright(0.5), speed=0.2, yaw_rate=0.3,
             stamp=STAMP):
    pose = kind('geometry_msgs/msg/Pose')(
        position=vector(kind, x, y, 0.0, 'Point'), orientation=quaternion(kind, *rotation))
    return kind('nav_msgs/msg/Odometry')(
        header=header(kind, stamp), child_frame_id='base_footprint',
        pose=kind('geometry_msgs/msg/PoseWithCovariance')(pose=pose, covariance=np.zeros(36)),
        twist=kind('geometry_msgs/msg/TwistWithCovariance')(
            twist=twist(kind, speed, yaw_rate), covariance=np.zeros(36)))


def imu(kind=bag_type, yaw_rate=0.3, acceleration=0.4, stamp=STAMP, absent=()):
    """Return a message in which the fields `absent` are marked so."""
    covariances = {name: np.zeros(9) for name in (
        'orientation_covariance', 'angular_velocity_covariance',
        'linear_acceleration_covariance')}
    for name in absent:
        covariances[f'{name}_covariance'][0] = -1.0
    return kind('sensor_msgs/msg/Imu')(
        header=header(kind, stamp), orientation=quaternion(kind, 0.0, 0.0, 0.0, 1.0),
        angular_velocity=vector(kind, 9.0, 9.0, yaw_rate),
        linear_acceleration=vector(kind, acceleration, 9.0, 9.81), **covariances)


def stamped_twist(kind=bag_type, speed=0.2, yaw_rate=0.3, stamp=STAMP):
    return kind('geometry_msgs/msg/TwistStamped')(
        header=header(kind, stamp), twist=twist(kind, speed, yaw_rate))
