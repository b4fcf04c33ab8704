"""What a message must be to reach the window, and that every source reads the same."""

import math
from types import SimpleNamespace

from helpers.raw_messages import bag_type, imu, odometry, quaternion, stamped_twist, twist, upright
from hypothesis import given, strategies as st
from lstm_predictor.common.readings import (
    Command, Imu, InvalidMessage, Odometry, read_command, read_imu, read_odometry, read_plan,
    yaw_of)
from lstm_predictor.simulation.sensor_readings import ImuReading, sample
import pytest

STAMP_NS = 12_345_678_901

numbers = st.floats(-1e6, 1e6)
angles = st.floats(-3.1, 3.1)


def ros_type(name):
    """Return rclpy's class of the same name; the test skips where there is none."""
    from importlib import import_module
    pytest.importorskip('rclpy')
    package, folder, kind = name.split('/')
    return getattr(import_module(f'{package}.{folder}'), kind)


SOURCES = pytest.mark.parametrize('kind', [
    pytest.param(bag_type, id='rosbags'),
    pytest.param(ros_type, id='rclpy', marks=pytest.mark.ros)])


@SOURCES
def test_odometry_reads_as_it_was_written(kind):
    reading = read_odometry(odometry(kind))
    assert reading == pytest.approx(Odometry(STAMP_NS, 1.0, 2.0, 0.5, 0.2, 0.3), rel=1e-15)
    assert isinstance(reading.stamp_ns, int)


@SOURCES
def test_imu_reads_as_it_was_written(kind):
    assert read_imu(imu(kind)) == Imu(STAMP_NS, 0.3, 0.4)


@SOURCES
def test_both_kinds_of_command_read_as_they_were_written(kind):
    assert read_command(twist(kind, 0.2, 0.3), receive_ns=7) == Command(7, 0.2, 0.3)
    assert read_command(stamped_twist(kind), receive_ns=7) == Command(STAMP_NS, 0.2, 0.3)


@SOURCES
def test_command_without_stamp_takes_the_time_of_receipt(kind):
    assert read_command(stamped_twist(kind, stamp=(0, 0)), receive_ns=7).stamp_ns == 7


def test_stamps_keep_every_nanosecond():
    message = odometry(stamp=(2**31 - 1, 999_999_999))
    assert read_odometry(message).stamp_ns == 2_147_483_647_999_999_999


@given(angles, st.floats(1e-3, 1e3))
def test_yaw_does_not_depend_on_the_length_of_the_quaternion(yaw, length):
    assert yaw_of(quaternion(bag_type, *upright(yaw, length))) == pytest.approx(yaw, abs=1e-9)


@given(angles)
def test_a_quaternion_and_its_negative_are_one_rotation(yaw):
    negative = [-value for value in upright(yaw)]
    assert yaw_of(quaternion(bag_type, *negative)) == pytest.approx(yaw, abs=1e-9)


@given(angles, st.floats(-1.0, 1.0))
def test_yaw_is_that_of_a_pitched_robot(yaw, pitch):
    """Yaw first, then pitch about the robot's own y axis: the heading stays."""
    z, w, y = math.sin(yaw / 2), math.cos(yaw / 2), math.sin(pitch / 2)
    c = math.cos(pitch / 2)
    assert yaw_of(quaternion(bag_type, -z * y, w * y, z * c, w * c)) == pytest.approx(
        yaw, abs=1e-9)


@pytest.mark.parametrize('rotation', [
    (0.0, 0.0, 0.0, 0.0), (1e-200, 0.0, 0.0, 0.0), (1e300, 0.0, 0.0, 1.0),
    (0.0, 0.0, math.nan, 1.0), (0.0, math.inf, 0.0, 1.0)])
def test_a_quaternion_that_is_no_rotation_is_refused_by_its_values(rotation):
    with pytest.raises(InvalidMessage, match='orientation') as refused:
        read_odometry(odometry(rotation=rotation))
    assert ', '.join(f'{value:g}' for value in rotation) in str(refused.value)


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('field, name', [
    ('x', 'position'), ('y', 'position'), ('speed', 'speed'), ('yaw_rate', 'yaw_rate')])
def test_odometry_that_is_not_finite_is_refused_by_name(field, name, value):
    with pytest.raises(InvalidMessage, match=f'^{name} is .*{value}'):
        read_odometry(odometry(**{field: value}))


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('name', ['yaw_rate', 'acceleration'])
def test_imu_that_is_not_finite_is_refused_by_name(name, value):
    with pytest.raises(InvalidMessage, match=f'^{name} is {value}$'):
        read_imu(imu(**{name: value}))


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('name', ['speed', 'yaw_rate'])
def test_command_that_is_not_finite_is_refused_by_name(name, value):
    for message in (stamped_twist(**{name: value}),
                    twist(bag_type, **{'speed': 0.0, 'yaw_rate': 0.0, name: value})):
        with pytest.raises(InvalidMessage, match=f'^{name} is {value}$'):
            read_command(message, receive_ns=1)


@pytest.mark.parametrize('read, make', [(read_odometry, odometry), (read_imu, imu)])
def test_a_stamp_that_nobody_set_is_refused_by_name(read, make):
    with pytest.raises(InvalidMessage, match='stamp'):
        read(make(stamp=(0, 0)))


def test_an_absent_acceleration_reads_as_zero():
    message = imu(absent=['linear_acceleration'], acceleration=math.nan)
    assert read_imu(message) == Imu(STAMP_NS, 0.3, 0.0)


def test_an_absent_yaw_rate_is_refused_by_name():
    with pytest.raises(InvalidMessage, match='angular_velocity'):
        read_imu(imu(absent=['angular_velocity']))


def test_a_place_that_is_repeated_keeps_its_heading():
    """Of poses without a heading, as planners send them that end with the goal once more."""
    places = [(0.0, 0.0), (0.0, 0.5), (0.0, 1.0), (0.0, 1.0)]
    path = SimpleNamespace(poses=[SimpleNamespace(pose=SimpleNamespace(
        position=SimpleNamespace(x=x, y=y),
        orientation=SimpleNamespace(x=0.0, y=0.0, z=0.0, w=0.0))) for x, y in places])
    assert [yaw for _, _, yaw in read_plan(path)] == [0.0] + 3 * [math.pi / 2]


@pytest.mark.parametrize('value', [math.nan, math.inf])
@pytest.mark.parametrize('name', ['linear.y', 'linear.z', 'angular.x', 'angular.y'])
def test_a_command_that_is_not_finite_anywhere_is_refused(name, value):
    message = SimpleNamespace(**{part: SimpleNamespace(x=0.0, y=0.0, z=0.0)
                                 for part in ('linear', 'angular')})
    part, axis = name.split('.')
    setattr(getattr(message, part), axis, value)
    with pytest.raises(InvalidMessage, match=f'{name} is {value}'):
        read_command(message, receive_ns=3)


def test_an_absent_orientation_does_not_matter():
    assert read_imu(imu(absent=['orientation'])) == Imu(STAMP_NS, 0.3, 0.4)


@given(numbers, numbers, angles, numbers, numbers)
def test_every_finite_odometry_is_taken(x, y, yaw, speed, yaw_rate):
    reading = read_odometry(odometry(
        x=x, y=y, rotation=upright(yaw), speed=speed, yaw_rate=yaw_rate))
    assert reading == pytest.approx((STAMP_NS, x, y, yaw, speed, yaw_rate), rel=1e-9, abs=1e-9)


def test_a_reader_looks_at_names_alone():
    message = SimpleNamespace(
        linear=SimpleNamespace(x=0.1, y=0.0, z=0.0),
        angular=SimpleNamespace(x=0.0, y=0.0, z=0.2))
    assert read_command(message, receive_ns=3) == Command(3, 0.1, 0.2)


@pytest.mark.ros
@given(x=numbers, y=numbers, yaw=angles, speed=numbers, yaw_rate=numbers)
def test_simulated_odometry_is_the_same_with_and_without_ros(x, y, yaw, speed, yaw_rate):
    pytest.importorskip('rclpy')
    from lstm_predictor.nodes.sim_node import odometry_message
    reading = Odometry(5, x, y, yaw, speed, yaw_rate)
    direct = sample(reading)
    assert read_odometry(odometry_message(reading, STAMP_NS)) == pytest.approx(
        direct._replace(stamp_ns=STAMP_NS + 5), rel=1e-12, abs=1e-12)


@pytest.mark.ros
@given(st.tuples(numbers, numbers, numbers), st.tuples(numbers, numbers, numbers))
def test_simulated_imu_is_the_same_with_and_without_ros(rate, acceleration):
    pytest.importorskip('rclpy')
    from lstm_predictor.nodes.sim_node import imu_message
    reading = ImuReading(5, (0.0, 0.0, 0.6, 0.8), rate, acceleration)
    direct = sample(reading)
    assert read_imu(imu_message(reading, STAMP_NS)) == direct._replace(stamp_ns=STAMP_NS + 5)
