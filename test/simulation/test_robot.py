"""Laws of the simulated robot; all of them run the real physics."""

from dataclasses import replace
import math

from hypothesis import given, settings, strategies as st
from lstm_predictor.common.readings import Odometry
from lstm_predictor.simulation.actuation import approach, truncate
from lstm_predictor.simulation.robot import Robot, RobotConfig, TippedOver
from lstm_predictor.simulation.sensor_readings import (
    GroundTruth, IdealOdometry, ImuReading, JointReading)
from lstm_predictor.simulation.slip_patches import SlipPatches
import numpy as np
import pytest

SECOND = 1_000_000_000  # [ns]
QUIET = {'gyro_noise': 0.0, 'acceleration_noise': 0.0}

commands = st.lists(
    st.tuples(st.floats(-0.22, 0.22), st.floats(-2.0, 2.0)), min_size=1, max_size=4)


def drive(config, plan, seed=0):
    """Return the robot and its readings after a plan of (seconds, speed [m/s], yaw [rad/s])."""
    robot = Robot(config, seed)
    readings = []
    for seconds, speed, yaw_rate in plan:
        robot.command(speed, yaw_rate)
        readings += robot.advance(robot.time_ns + round(seconds * SECOND))
    return robot, readings


def of(kind, readings):
    return [reading for reading in readings if isinstance(reading, kind)]


def pose(robot):
    truth = robot.ground_truth()
    return np.array([truth.x, truth.y, truth.yaw])


def odometry_error(config, plan):
    """Return how far the last odometry is from the ground truth: [m], [rad]."""
    robot, readings = drive(config, plan)
    error = np.array(of(Odometry, readings)[-1][1:4]) - pose(robot)
    return float(np.hypot(*error[:2])), abs(math.remainder(error[2], math.tau))


# Motion on a good floor.

def test_stands_still_without_command():
    robot = Robot(RobotConfig(**QUIET))
    readings = robot.advance(5 * SECOND)
    assert np.abs(pose(robot)).max() < 1e-6
    assert of(Odometry, readings)[-1][1:] == pytest.approx((0.0,) * 5, abs=1e-6)
    shaking = np.ptp([imu.linear_acceleration for imu in of(ImuReading, readings)], axis=0)
    assert shaking.max() < 0.02


@pytest.mark.parametrize('speed', [0.05, 0.2, -0.2])
def test_straight_drive_covers_the_commanded_distance(speed):
    robot, _ = drive(RobotConfig(), [(1.0, speed, 0.0)])
    start = pose(robot)
    robot.advance(6 * SECOND)
    x, y, yaw = pose(robot) - start
    assert x == pytest.approx(5.0 * speed, rel=0.02)
    assert abs(y) < 1e-4 and abs(yaw) < 1e-4


@pytest.mark.parametrize('yaw_rate', [0.3, 1.0, -2.8])
def test_turn_in_place_turns_as_commanded(yaw_rate):
    robot, _ = drive(RobotConfig(), [(1.0, 0.0, yaw_rate)])
    start = pose(robot)
    robot.advance(2 * SECOND)
    x, y, turn = pose(robot) - start
    assert math.remainder(turn - yaw_rate, math.tau) == pytest.approx(
        0.0, abs=0.03 * abs(yaw_rate))
    assert math.hypot(x, y) < 0.002


@settings(max_examples=10)
@given(commands)
def test_mirrored_commands_give_the_mirrored_path(sequence):
    config = RobotConfig(**QUIET, command_delay=0.1)
    left, _ = drive(config, [(0.4, v, w) for v, w in sequence])
    right, _ = drive(config, [(0.4, v, -w) for v, w in sequence])
    np.testing.assert_allclose(pose(left), pose(right) * [1.0, -1.0, -1.0], atol=1e-4)


def test_last_command_stays_in_force():
    robot, _ = drive(RobotConfig(), [(30.0, 0.1, 0.0)])
    assert robot.ground_truth().speed == pytest.approx(0.1, rel=0.02)


def test_ground_truth_speeds_are_the_slopes_of_its_pose():
    robot, _ = drive(RobotConfig(), [(0.3, 0.2, 1.5)])
    before = robot.ground_truth()
    robot.advance(robot.time_ns + 2_500_000)
    after = robot.ground_truth()
    dx, dy = (after.x - before.x) / 0.0025, (after.y - before.y) / 0.0025
    cos, sin = math.cos(after.yaw), math.sin(after.yaw)
    assert after.speed == pytest.approx(cos * dx + sin * dy, abs=0.002)
    assert after.lateral_speed == pytest.approx(cos * dy - sin * dx, abs=0.002)
    assert after.yaw_rate == pytest.approx((after.yaw - before.yaw) / 0.0025, abs=0.01)


# From the command to the wheel.

@settings(max_examples=10)
@given(delay=st.floats(0.0, 0.5), at=st.floats(0.05, 1.0))
def test_delay_shifts_the_response_by_itself(delay, at):
    plan = [(at, 0.2, 1.0), (0.2, 0.0, -0.5)]
    prompt, _ = drive(RobotConfig(), plan)
    late, _ = drive(RobotConfig(command_delay=delay), plan)
    late.advance(late.time_ns + round(delay * SECOND))
    np.testing.assert_allclose(pose(late), pose(prompt), atol=1e-4)


def test_nothing_moves_before_the_delay_and_something_soon_after():
    robot, _ = drive(RobotConfig(command_delay=0.237), [(0.237, 0.2, 0.0)])
    assert abs(robot.ground_truth().speed) < 1e-6
    robot.advance(robot.time_ns + 5_000_000)
    assert robot.ground_truth().speed > 1e-4


@pytest.mark.parametrize('lag', [0.1, 0.2, 0.4])
def test_lag_is_the_time_to_63_percent(lag):
    robot = Robot(RobotConfig(motor_lag=lag, max_acceleration=20.0))
    robot.command(0.2, 0.0)
    while robot.ground_truth().speed < 0.2 * (1.0 - math.exp(-1.0)):
        robot.advance(robot.time_ns + 1_000_000)
    # The servo that follows the reference adds some milliseconds of its own.
    assert lag < robot.time_ns / SECOND < lag + 0.02


def test_acceleration_is_limited():
    robot, _ = drive(RobotConfig(max_acceleration=0.2, motor_lag=0.0), [(0.25, 0.2, 0.0)])
    start = robot.ground_truth().speed
    robot.advance(robot.time_ns + SECOND // 2)
    assert robot.ground_truth().speed - start == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize('ratio', [0.5, 2.0])
@pytest.mark.parametrize('sign', [1.0, -1.0])
def test_deceleration_has_a_limit_of_its_own(ratio, sign):
    config = RobotConfig(max_acceleration=0.2, motor_lag=0.0, deceleration_ratio=ratio)
    robot, _ = drive(config, [(2.0, sign * 0.2, 0.0)])
    robot.command(0.0, 0.0)
    robot.advance(robot.time_ns + SECOND // 10)
    before = robot.ground_truth().speed
    robot.advance(robot.time_ns + SECOND // 5)
    slowed = sign * (before - robot.ground_truth().speed) / 0.2
    assert slowed == pytest.approx(ratio * 0.2, rel=0.1)
    gained, _ = drive(config, [(0.5, sign * 0.2, 0.0)])
    assert sign * gained.ground_truth().speed == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize('asked', [(0.2, 0.0), (-0.2, 0.0), (0.0, 1.0)])
def test_a_blocked_robot_is_held_and_goes_on_when_it_is_let_go(asked):
    robot, _ = drive(RobotConfig(**QUIET), [(1.0, *asked)])
    robot.block(True)
    robot.advance(robot.time_ns + SECOND // 5)
    for _ in range(3):
        readings = robot.advance(robot.time_ns + SECOND // 3)
        truth = robot.ground_truth()
        for speed, full in zip((truth.speed, truth.yaw_rate), asked):
            assert abs(speed) <= 0.02 * abs(full) + 1e-4
        assert abs(of(Odometry, readings)[-1].speed) <= 0.02 * abs(asked[0]) + 1e-4
    robot.block(False)
    robot.advance(robot.time_ns + SECOND)
    truth = robot.ground_truth()
    assert (truth.speed, truth.yaw_rate) == pytest.approx(asked, rel=0.05, abs=1e-3)


def test_reset_lets_a_blocked_robot_go():
    robot = Robot()
    robot.block(True)
    robot.reset()
    robot.command(0.2, 0.0)
    robot.advance(SECOND)
    assert robot.ground_truth().speed == pytest.approx(0.2, rel=0.05)


def test_payload_slows_a_weak_motor_as_newton_says():
    torque, mass = 0.01, 1.0  # [N m], [kg]
    rotating = 2.0 * (2e-4 + 0.4 * 0.03 * 0.033**2) / 0.033**2  # [kg] motors and wheels
    for payload in (0.0, 1.0, 3.0):
        robot = Robot(RobotConfig(
            motor_torque=torque, payload=payload, motor_lag=0.0, max_acceleration=30.0))
        robot.command(0.22, 0.0)
        robot.advance(SECOND // 5)
        acceleration = robot.ground_truth().speed / 0.2
        expected = 2.0 * torque / 0.033 / (mass + payload + rotating)
        assert acceleration == pytest.approx(expected, rel=0.05), payload


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 1), st.floats(0.01, 10),
       st.floats(0, 1), st.floats(0, 1))
def test_two_short_approaches_lead_where_one_long_does(value, target, lag, slope, one, two):
    halfway = approach(value, target, lag, slope, one)
    there = approach(halfway, target, lag, slope, two)
    assert there == pytest.approx(approach(value, target, lag, slope, one + two), abs=1e-6)
    assert min(value, target) - 1e-12 <= halfway <= max(value, target) + 1e-12
    assert abs(halfway - value) <= slope * one + 1e-12


@given(st.floats(-1e6, 1e6), st.sampled_from([0.0, 0.01, 0.05]))
def test_truncation_goes_toward_zero_and_only_once(value, quantum):
    cut = truncate(value, quantum)
    assert truncate(cut, quantum) == cut == -truncate(-value, quantum)
    assert abs(cut) <= abs(value) * (1 + 1e-9) + 1e-6 * quantum
    assert abs(value - cut) <= quantum * (1 + 1e-6)


@pytest.mark.parametrize('asked, got', [
    ((1e6, 0.0), (0.22, 0.0)), ((-3.0, 0.0), (-0.22, 0.0)), ((0.0, -1e6), (0.0, -2.84)),
    ((0.1099, 0.0), (0.10, 0.0)), ((0.0, -0.509), (0.0, -0.5)), ((0.009, 0.009), (0.0, 0.0))])
def test_commands_are_clamped_and_truncated(asked, got):
    robot, _ = drive(RobotConfig(), [(1.5, *asked)])
    truth = robot.ground_truth()
    assert (truth.speed, truth.yaw_rate) == pytest.approx(got, rel=0.01, abs=4e-3)


def test_gains_scale_what_is_driven():
    robot, _ = drive(RobotConfig(speed_gain=0.8, yaw_rate_gain=1.2), [(1.5, 0.2, 1.0)])
    truth = robot.ground_truth()
    assert (truth.speed, truth.yaw_rate) == pytest.approx((0.16, 1.2), rel=0.01)


def test_wheels_below_the_dead_band_stand():
    robot, _ = drive(RobotConfig(dead_band=0.03), [(1.0, 0.02, 0.0)])
    assert np.abs(pose(robot)).max() < 1e-6
    robot, _ = drive(RobotConfig(dead_band=0.03), [(1.5, 0.04, 0.0)])
    assert robot.ground_truth().speed == pytest.approx(0.04, rel=0.02)


@pytest.mark.parametrize('speed, yaw_rate', [(math.nan, 0.0), (0.1, math.inf)])
def test_command_must_be_finite(speed, yaw_rate):
    with pytest.raises(ValueError, match='nan|inf'):
        Robot().command(speed, yaw_rate)


# Floor and body.

RUSH = [(0.5, 0.2, 2.0), (0.5, -0.2, -2.0), (0.5, 0.2, 0.0), (0.5, -0.2, 2.0)] * 3


@pytest.mark.parametrize('source', ['imu', 'wheels'])
def test_odometry_agrees_with_the_truth_on_a_good_floor(source):
    config = RobotConfig(**QUIET, odometry_source=source)
    distance, turn = odometry_error(config, [(1.6, 0.2, 1.0), (2.0, 0.2, -0.5), (1.0, 0.1, 0.0)])
    assert distance < 0.003 and turn < 0.005


def test_a_wheel_that_grips_rolls_without_sliding():
    robot, readings = drive(RobotConfig(), [(0.1, 0.2, 0.0)])
    rim = 0.033 * of(JointReading, readings)[-1].speeds[0]
    truth = robot.ground_truth()
    assert of(JointReading, readings)[-1].stamp_ns == truth.stamp_ns
    assert 0.05 < truth.speed < 0.19
    assert truth.speed == pytest.approx(rim, abs=0.002)


@pytest.mark.parametrize('slippery', [{'friction': 0.03}, {'slip_patch_share': 0.5}])
def test_odometry_errs_where_the_wheels_slip(slippery):
    distance, _ = odometry_error(RobotConfig(**QUIET, odometry_source='wheels', **slippery), RUSH)
    good, _ = odometry_error(RobotConfig(**QUIET, odometry_source='wheels'), RUSH)
    assert distance > 0.05 and distance > 3.0 * good


def test_low_friction_bounds_the_acceleration():
    robot, _ = drive(RobotConfig(friction=0.02), [(0.25, 0.2, 0.0)])
    assert 0.0 < robot.ground_truth().speed < 0.02 * 9.81 * 0.25


@pytest.mark.parametrize('share', [0.0, 0.1, 0.5, 0.9])
def test_patches_cover_their_share_of_the_floor_and_repeat(share):
    patches = SlipPatches(share, 0.15, np.random.default_rng(1))
    assert bool(patches) == (share > 0.0)
    if share:
        points = np.random.default_rng(2).uniform(-20.0, 20.0, (4000, 2))
        assert np.mean([patches.covers(x, y) for x, y in points]) == pytest.approx(share, abs=0.03)


def test_bigger_wheels_go_farther_than_the_odometry_says():
    robot, readings = drive(
        RobotConfig(**QUIET, left_radius_error=0.05, right_radius_error=0.05), [(3.0, 0.2, 0.0)])
    assert robot.ground_truth().x / of(Odometry, readings)[-1].x == pytest.approx(
        1.05, rel=0.005)


def test_unequal_wheels_pull_to_the_smaller_one():
    robot, _ = drive(RobotConfig(left_radius_error=-0.02), [(3.0, 0.2, 0.0)])
    assert robot.ground_truth().yaw == pytest.approx(0.02 * 0.2 / 0.16 * 3.0, rel=0.05)


def test_wider_axle_turns_less_than_the_wheels_say():
    robot, readings = drive(
        RobotConfig(**QUIET, separation_error=0.1, odometry_source='wheels'), [(2.0, 0.0, 1.0)])
    assert of(Odometry, readings)[-1].yaw / robot.ground_truth().yaw == pytest.approx(
        1.1, rel=0.01)


def test_a_robot_that_falls_says_so():
    config = RobotConfig(payload=5.0, payload_x=0.0, payload_height=0.5, max_acceleration=30.0,
                         max_speed=3.0, motor_torque=2.0, motor_lag=0.0)
    with pytest.raises(TippedOver, match=r'before \d+\.\d+ s'):
        drive(config, [(2.0, 3.0, 0.0), (2.0, -3.0, 0.0)])


# Sensors.

@settings(max_examples=15)
@given(odom_rate=st.floats(5.0, 60.0), imu_rate=st.floats(20.0, 400.0))
def test_readings_come_at_their_rates_in_order(odom_rate, imu_rate):
    _, readings = drive(RobotConfig(odom_rate=odom_rate, imu_rate=imu_rate), [(1.0, 0.1, 0.5)])
    for kind, rate in ((Odometry, odom_rate), (JointReading, odom_rate),
                       (ImuReading, imu_rate)):
        stamps = [reading.stamp_ns for reading in of(kind, readings)]
        assert stamps == [round(n * 1e9 / rate) for n in range(1, len(stamps) + 1)]
        assert SECOND - 1e9 / rate < stamps[-1] <= SECOND
    stamps = [reading.stamp_ns for reading in readings]
    assert stamps == sorted(stamps)


def test_odometry_is_made_of_the_encoders():
    _, readings = drive(RobotConfig(odometry_source='wheels'), [(1.0, 0.2, 0.0), (1.0, 0.1, 0.0)])
    angles = np.array([joints.angles for joints in of(JointReading, readings)])
    ticks = angles * 4096 / math.tau
    np.testing.assert_allclose(ticks, ticks.round(), atol=1e-6)
    assert set(np.unique(ticks.round() % 2)) == {0.0, 1.0}
    distances = [odometry.x for odometry in of(Odometry, readings)]
    np.testing.assert_allclose(distances, 0.033 * angles.mean(axis=1), atol=1e-5)


@pytest.mark.parametrize('source', ['wheels', 'imu'])
def test_encoders_that_are_refreshed_seldom_make_fast_and_slow_readings(source):
    """Read every 50 ms and refreshed every 20: steps of 40 and 60 ms that are taken for 50."""
    _, readings = drive(RobotConfig(**QUIET, odom_rate=20.0, encoder_period=0.02,
                                    odometry_source=source), [(4.0, 0.2, 0.0)])
    speeds = np.array([reading.speed for reading in of(Odometry, readings)])[40:]
    stamps = [reading.stamp_ns for reading in of(Odometry, readings)][40:]
    fast = [stamp % 100_000_000 == 0 for stamp in stamps]  # 60 ms after the refresh before
    np.testing.assert_allclose(speeds, np.where(fast, 1.2, 0.8) * 0.2, rtol=0.02)


def test_a_yaw_that_wraps_is_a_spike_of_a_whole_turn_and_nothing_else_changes():
    plan = [(4.0, 0.1, 2.0)]
    (_, plain), (_, spiked) = (
        drive(RobotConfig(**QUIET, odom_rate=20.0, yaw_rate_spikes=spikes), plan)
        for spikes in (False, True))
    plain, spiked = (np.array(of(Odometry, readings)) for readings in (plain, spiked))
    np.testing.assert_array_equal(spiked[:, :5], plain[:, :5])
    wraps = np.abs(np.diff(plain[:, 3], prepend=0.0)) > math.pi
    assert wraps.sum() == 1
    np.testing.assert_allclose(
        spiked[:, 5] - plain[:, 5], np.where(wraps, -20.0 * math.tau, 0.0), atol=1e-9)


def test_late_joints_say_where_the_wheels_were_a_lag_before():
    plan = [(1.0, 0.2, 0.5)]
    now, late = (np.array([reading.angles for reading in of(JointReading, drive(
        RobotConfig(**QUIET, odom_rate=20.0, joint_lag=lag), plan)[1])]) for lag in (0.0, 0.1))
    np.testing.assert_array_equal(late[2:], now[:-2])
    assert not late[:2].any() and now[-1].all()


@pytest.mark.parametrize('source', ['wheels', 'imu'])
def test_the_ideal_odometry_is_the_odometry_without_its_noise(source):
    """Biases stay in it: nobody could know them from the commands alone."""
    plan = [(1.0, 0.2, 1.0), (1.0, -0.1, -0.5)]
    config = RobotConfig(**QUIET, gyro_bias=0.01, left_radius_error=0.02, encoder_period=0.02,
                         odometry_source=source, odom_rate=20.0)
    for noise, tolerance in ((0.0, 1e-9), (0.003, 0.02)):
        robot = Robot(replace(config, odometry_noise=noise), seed=1, ideal=True)
        readings = []
        for seconds, speed, yaw_rate in plan:
            robot.command(speed, yaw_rate)
            readings += robot.advance(robot.time_ns + round(seconds * SECOND))
        said, ideal = (np.array(of(kind, readings))[:, :4] for kind in (Odometry, IdealOdometry))
        np.testing.assert_allclose(said, ideal, rtol=0.0, atol=tolerance)
        assert noise == 0.0 or np.abs(said - ideal).max() > 1e-5


def test_to_ask_for_the_ideal_odometry_changes_no_other_reading():
    plain, watched = Robot(NOISY, seed=3), Robot(NOISY, seed=3, ideal=True)
    for robot in (plain, watched):
        robot.command(0.2, 1.0)
    readings = watched.advance(SECOND)
    assert [r for r in readings if not isinstance(r, IdealOdometry)] == plain.advance(SECOND)
    assert of(IdealOdometry, readings)


def test_twist_is_the_increment_over_the_period():
    _, readings = drive(RobotConfig(), [(1.0, 0.2, 1.0)])
    odometry = of(Odometry, readings)
    for before, after in zip(odometry, odometry[1:]):
        step = math.hypot(after.x - before.x, after.y - before.y)
        assert abs(after.speed) == pytest.approx(30.0 * step, abs=1e-9)
        assert after.yaw_rate == pytest.approx(
            30.0 * math.remainder(after.yaw - before.yaw, math.tau), abs=1e-9)


def test_ideal_imu_feels_the_true_motion():
    robot, readings = drive(RobotConfig(**QUIET), [(2.0, 0.2, 2.0)])
    truth, imu = robot.ground_truth(), of(ImuReading, readings)[-1]
    assert imu.stamp_ns == truth.stamp_ns
    x, y, z, w = imu.orientation
    assert math.hypot(x, y, z, w) == pytest.approx(1.0)
    assert math.remainder(2.0 * math.atan2(z, w) - truth.yaw, math.tau) == pytest.approx(
        0.0, abs=1e-4)
    assert imu.angular_velocity[2] == pytest.approx(truth.yaw_rate, abs=1e-4)
    # On the circle, as felt 0.032 m behind the axle; gravity upwards.
    assert imu.linear_acceleration == pytest.approx((0.032 * 4.0, 0.2 * 2.0, 9.81), abs=0.05)


def test_imu_and_odometry_count_on_across_the_half_turn():
    _, readings = drive(RobotConfig(**QUIET), [(5.0, 0.0, 1.5)])
    odometry = of(Odometry, readings)
    assert max(abs(reading.yaw) for reading in odometry) <= math.pi
    assert max(reading.yaw_rate for reading in odometry) < 1.6
    assert min(reading.yaw_rate for reading in odometry[30:]) > 1.4


def test_gyro_bias_makes_the_heading_drift():
    robot, readings = drive(RobotConfig(gyro_noise=0.0, gyro_bias=0.02), [(5.0, 0.0, 0.0)])
    assert of(Odometry, readings)[-1].yaw == pytest.approx(0.1, rel=0.01)
    imu = of(ImuReading, readings)[-1]
    assert 2.0 * math.atan2(*imu.orientation[2:]) == pytest.approx(0.1, rel=0.01)
    assert imu.angular_velocity[2] == pytest.approx(0.02, abs=1e-6)
    assert abs(robot.ground_truth().yaw) < 1e-6


def test_noise_has_the_configured_size():
    robot = Robot(RobotConfig(gyro_noise=0.03, acceleration_noise=0.2))
    readings = of(ImuReading, robot.advance(10 * SECOND))
    for name, size in (('angular_velocity', 0.03), ('linear_acceleration', 0.2)):
        deviation = np.std([getattr(reading, name) for reading in readings], axis=0)
        np.testing.assert_allclose(deviation, size, rtol=0.1)


def test_odometry_noise_grows_with_the_root_of_the_distance():
    ends = []
    for seed in range(30):
        config = RobotConfig(odometry_noise=0.02, odom_rate=20.0, imu_rate=20.0)
        robot, readings = drive(config, [(5.0, 0.2, 0.0)], seed)
        ends.append(of(Odometry, readings)[-1].x - robot.ground_truth().x)
    # Two wheels, one metre: the mean of two independent errors.
    assert np.std(ends) == pytest.approx(0.02 / math.sqrt(2.0), rel=0.4)


# Determinism.

NOISY = RobotConfig(command_delay=0.123, slip_patch_share=0.3, odometry_noise=0.01, payload=0.5)


def test_same_seed_same_bytes_and_other_seed_other_noise():
    plan = [(0.7, 0.2, 1.0), (0.7, 0.1, -1.0)]
    _, one = drive(NOISY, plan, seed=3)
    _, same = drive(NOISY, plan, seed=3)
    _, other = drive(NOISY, plan, seed=4)
    assert repr(one) == repr(same)
    assert len(one) == len(other) and one[0] != other[0]


def test_reset_is_a_fresh_robot():
    plan = [(0.7, 0.2, 1.0), (0.33, 0.1, -1.0)]
    robot, first = drive(NOISY, plan, seed=3)
    robot.reset()
    assert robot.time_ns == 0 and np.abs(pose(robot)).max() < 1e-12
    again = []
    for seconds, speed, yaw_rate in plan:
        robot.command(speed, yaw_rate)
        again += robot.advance(robot.time_ns + round(seconds * SECOND))
    assert repr(first) == repr(again)


@settings(max_examples=10)
@given(st.lists(st.integers(0, SECOND), max_size=20))
def test_how_time_is_cut_changes_nothing(cuts):
    whole, readings = drive(NOISY, [(1.0, 0.2, 1.0)], seed=5)
    robot = Robot(NOISY, seed=5)
    robot.command(0.2, 1.0)
    pieces = []
    for until_ns in sorted(cuts) + [SECOND]:
        pieces += robot.advance(until_ns)
        robot.ground_truth()
    assert repr(pieces) == repr(readings)
    assert robot.ground_truth() == whole.ground_truth()


def test_how_often_the_robot_is_looked_at_changes_nothing():
    plan = [(0.7, 0.2, 1.0), (0.7, -0.1, -1.0)]
    slow, _ = drive(RobotConfig(command_delay=0.1234, odom_rate=7.0, imu_rate=13.0), plan)
    fast, _ = drive(RobotConfig(command_delay=0.1234, odom_rate=50.0, imu_rate=333.0), plan)
    assert slow.ground_truth() == fast.ground_truth()


def test_time_does_not_run_back():
    robot = Robot()
    robot.advance(SECOND)
    with pytest.raises(ValueError, match='999999999'):
        robot.advance(SECOND - 1)
    assert robot.advance(SECOND) == []
    assert isinstance(robot.ground_truth(), GroundTruth)


# Configuration.

@pytest.mark.parametrize('field, value, shown', [
    ('command_delay', -0.1, '-0.1'), ('motor_lag', math.nan, 'nan'), ('friction', 0.0, '0'),
    ('gyro_bias', -math.inf, '-inf'),
    ('odom_rate', 0.0, '0'), ('imu_rate', math.inf, 'inf'), ('slip_patch_share', 1.5, '1.5'),
    ('payload', '2', "'2'"), ('odometry_source', 'gps', 'gps'), ('payload_y', 0.07, '0.07')])
def test_config_error_names_field_and_value(field, value, shown):
    with pytest.raises(ValueError) as error:
        RobotConfig(**{field: value})
    assert shown in str(error.value)
    assert field in str(error.value) or field == 'payload_y' and 'y = ' in str(error.value)
