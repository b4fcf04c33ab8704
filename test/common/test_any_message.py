"""Whatever a message says: it is refused in words, or what is read of it are numbers."""

from dataclasses import replace
from types import SimpleNamespace

from helpers.raw_messages import (
    bag_type, header, imu, odometry, quaternion, stamped_twist, twist, vector)
from hypothesis import given, settings, strategies as st
from lstm_predictor.common import readings
from lstm_predictor.common.readings import InvalidMessage
from lstm_predictor.control.compensator import Target
from lstm_predictor.control.plan import Plan
from lstm_predictor.control.speed_scaling import SpeedScaling, SpeedScalingConfig
import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings('ignore::RuntimeWarning')

SECOND = 1_000_000_000  # [ns]
LAST = (2**31 - 1) * SECOND  # the last time that a message can say

anything = st.one_of(st.floats(), st.sampled_from(
    [0.0, 1.0, -1.0, 1e-7, 1e154, 1e300, 1.8e308, -1.8e308, float('nan'), 5e-324]))
stamps = st.one_of(
    st.just((0, 0)), st.tuples(st.integers(-2**31, 2**31 - 1), st.integers(0, 2**32 - 1)))
rotations = st.one_of(
    st.tuples(*[anything] * 4), st.tuples(*[st.floats(-2.0, 2.0)] * 4), st.just((0.0,) * 4))
poses = st.builds(
    lambda x, y, rotation: bag_type('geometry_msgs/msg/Pose')(
        position=vector(bag_type, x, y, 0.0, 'Point'),
        orientation=quaternion(bag_type, *rotation)),
    anything, anything, rotations)
imus = st.builds(
    lambda message, turn, push: replace(
        message, angular_velocity_covariance=turn, linear_acceleration_covariance=push),
    st.builds(imu, st.just(bag_type), anything, anything, stamps),
    *[st.lists(anything, min_size=9, max_size=9)] * 2)


def read(reader, *message):
    """Return what is read, or nothing where the message is refused in words."""
    try:
        return reader(*message)
    except InvalidMessage as refused:
        assert str(refused)
        return None


@settings(max_examples=250, derandomize=True)
@given(st.one_of(
    st.builds(odometry, st.just(bag_type), anything, anything, rotations, anything, anything,
              stamps), imus,
    st.builds(stamped_twist, st.just(bag_type), anything, anything, stamps),
    st.builds(twist, st.just(bag_type), anything, anything)), st.integers(1, LAST))
def test_a_message_is_refused_or_read_as_numbers_of_a_time(message, receive_ns):
    if type(message).__name__.endswith('Odometry'):
        reading = read(readings.read_odometry, message)
    elif type(message).__name__.endswith('Imu'):
        reading = read(readings.read_imu, message)
    else:
        reading = read(readings.read_command, message, receive_ns)
    if reading is not None:
        assert np.isfinite(reading[1:]).all()
        assert 0 < reading.stamp_ns < LAST + 6 * SECOND and isinstance(reading.stamp_ns, int)


@settings(max_examples=150, derandomize=True)
@given(poses, st.lists(anything, min_size=36, max_size=36), stamps)
def test_a_predicted_pose_is_refused_or_read_as_numbers(pose, covariance, stamp):
    """Its covariance may be anything: what is none costs speed."""
    target = read(lambda: Target(
        readings.stamp_ns(header(bag_type, stamp)), np.array(readings.read_pose(pose))))
    if target is not None:
        assert np.isfinite(target.pose).all() and target.stamp_ns > 0
        caution = SpeedScaling(SpeedScalingConfig())
        planar = np.array(readings.read_planar_covariance(covariance))
        caution.update(target.pose[2], planar, 0.0)
        most = 1.0 if np.isfinite(planar).all() else SpeedScalingConfig.min_speed_scale
        assert SpeedScalingConfig.min_speed_scale <= caution.share <= most


@settings(max_examples=150, derandomize=True)
@given(st.lists(poses, max_size=5))
def test_a_plan_is_refused_or_read_as_numbers(path):
    way = read(readings.read_plan, SimpleNamespace(
        poses=[SimpleNamespace(pose=pose) for pose in path]))
    if way is not None:
        assert len(way) == len(path) and np.isfinite(way).all()
        plan = read(Plan, way)
        assert plan is None or np.isfinite([*plan.goal, plan.length, *plan.at(0.1)]).all()
