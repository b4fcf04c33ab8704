"""Short recordings, written without ROS."""

import math
from pathlib import Path

from lstm_predictor.common import se2
from lstm_predictor.common.readings import Command, Imu, Odometry
from lstm_predictor.recordings.rosbag_io import BagWriter, Message
import numpy as np
import pytest
from rosbags.typesys import get_typestore, Stores

STORE = get_typestore(Stores.LATEST)
SECOND = 1_000_000_000  # [ns]
START = 1_700_000_000 * SECOND
LATE = 7_000_000  # by which the recorder's clock is ahead [ns]
ODOMETRY = 'nav_msgs/msg/Odometry'
DATA = Path(__file__).parents[3] / 'shared' / 'data'


def bag_type(name):
    return STORE.types[name]


def vector(x=0.0, y=0.0, z=0.0, name='Vector3'):
    return bag_type(f'geometry_msgs/msg/{name}')(x=x, y=y, z=z)


def header(stamp_ns):
    time = bag_type('builtin_interfaces/msg/Time')(*divmod(stamp_ns, SECOND))
    return bag_type('std_msgs/msg/Header')(stamp=time, frame_id='odom')


def quaternion(yaw):
    return bag_type('geometry_msgs/msg/Quaternion')(
        0.0, 0.0, math.sin(yaw / 2.0), math.cos(yaw / 2.0))


def twist(speed, yaw_rate):
    return bag_type('geometry_msgs/msg/Twist')(vector(speed), vector(z=yaw_rate))


def message(reading, topic=None, stamped=True, orientation=None):
    """
    Return a reading as the message that was recorded LATE after its stamp.

    `orientation` (x, y, z, w) stands in for the yaw.
    """
    stamp_ns, *values = reading
    if isinstance(reading, Odometry):
        x, y, yaw, speed, yaw_rate = values
        name, topic = ODOMETRY, topic or '/odom'
        turned = quaternion(yaw) if orientation is None else \
            bag_type('geometry_msgs/msg/Quaternion')(*orientation)
        pose = bag_type('geometry_msgs/msg/Pose')(vector(x, y, name='Point'), turned)
        content = bag_type(name)(
            header(stamp_ns), 'base',
            bag_type('geometry_msgs/msg/PoseWithCovariance')(pose, np.zeros(36)),
            bag_type('geometry_msgs/msg/TwistWithCovariance')(
                twist(speed, yaw_rate), np.zeros(36)))
    elif isinstance(reading, Imu):
        name, topic = 'sensor_msgs/msg/Imu', topic or '/imu'
        content = bag_type(name)(
            header(stamp_ns), quaternion(0.0), np.zeros(9), vector(z=values[0]), np.zeros(9),
            vector(values[1]), np.zeros(9))
    else:
        name, topic = 'geometry_msgs/msg/Twist', topic or '/cmd_vel'
        content = twist(*values)
        if stamped:
            name = 'geometry_msgs/msg/TwistStamped'
            content = bag_type(name)(header(stamp_ns), content)
    return Message(stamp_ns + LATE, topic, name, bytes(STORE.serialize_cdr(content, name)))


def drive(count=40):
    """Return a short drive in the order of its stamps."""
    step = SECOND // 20
    arc = se2.compose((0.0, 0.0, 0.3), se2.exp(np.arange(count)[:, None] / 20 * (0.2, 0.0, 0.1)))
    readings = [Odometry(START + i * step, *pose, 0.2, 0.1) for i, pose in enumerate(arc.tolist())]
    readings += [Imu(START + i * step + 1, 0.1, 0.02 * (i % 5)) for i in range(count)]
    readings += [Command(START + i * step + 2, 0.2, 0.3) for i in range(0, count, 5)]
    return sorted(readings)


def recorded(path, messages):
    with BagWriter(path) as writer:
        for one in messages:
            writer.write(one)
    return path


def assert_same(readings, expected):
    for one, other in zip(readings, expected, strict=True):
        assert type(one) is type(other) and one == pytest.approx(other, rel=1e-12)
