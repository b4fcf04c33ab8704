"""The replanner node as a controller and a robot see it."""

import math
from pathlib import Path as FilePath
import signal
import time

from helpers.messages import drive, SECOND, set_stamp, stamp_of, velocity
from helpers.probe import own_domain
from helpers.processes import assert_one_error_line
import pytest

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticStatus  # noqa: E402
from geometry_msgs.msg import (  # noqa: E402
    PoseStamped, PoseWithCovarianceStamped, Twist, TwistStamped)
from helpers.replanned_robot import Robot  # noqa: E402
from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState  # noqa: E402
from lstm_predictor.nodes import replanner_node  # noqa: E402
from lstm_predictor.nodes.conversions import covariance_36  # noqa: E402
from lstm_predictor.nodes.replanner_node import ReplannerNode  # noqa: E402
from nav_msgs.msg import Path  # noqa: E402
import numpy as np  # noqa: E402
import rclpy  # noqa: E402

pytestmark = pytest.mark.ros

BOUND_S = 5.0  # after 0.5 s without upstream command, on a machine that is busy with other things


@pytest.fixture
def node(probe):
    """Return a function that makes an active replanner in this process."""

    def make(**parameters):
        return probe.activate(ReplannerNode, **{'diagnostics_period': 0.05, **parameters})

    return make


def predicted_path(odometry, ahead, left):
    """Return a path that leads straight to a place [m] half a second after the odometry."""
    path = Path(header=odometry.header)
    for step in range(1, 21):
        pose = PoseStamped()
        pose.header.frame_id = odometry.header.frame_id
        set_stamp(pose, stamp_of(odometry) + step * SECOND // 20)
        pose.pose.position.x = odometry.pose.pose.position.x + ahead * step / 10
        pose.pose.position.y = odometry.pose.pose.position.y + left * step / 10
        pose.pose.orientation.w = 1.0
        path.poses.append(pose)
    return path


class Prediction:
    """
    Publishes odometry of a robot that stands, and where it is said to be soon.

    And, where a command is said to take `effect` [s], the pose of that time, with a standard
    deviation `spread`, before or after the path.
    """

    def __init__(self, robot, ahead=0.1, left=0.05, spoil=lambda path: None, effect=0.0,
                 spread=0.0, path_first=False):
        self._robot = robot
        self._ahead, self._left = ahead, left
        self._spoil = spoil
        self._effect, self._spread, self._path_first = effect, spread, path_first

    def __call__(self):
        odometry = drive(1, 0.0, time.time_ns())[0]
        path = predicted_path(odometry, self._ahead, self._left)
        self._spoil(path)
        self._robot.odometry.publish(odometry)
        if self._path_first:
            self._robot.paths.publish(path)
        if self._effect:
            pose = PoseWithCovarianceStamped()
            set_stamp(pose, stamp_of(odometry) + round(SECOND * self._effect))
            pose.pose.pose = path.poses[min(round(20 * self._effect), len(path.poses)) - 1].pose
            pose.pose.covariance = covariance_36(self._spread ** 2 * np.eye(3))
            self._robot.poses.publish(pose)
        if not self._path_first:
            self._robot.paths.publish(path)


# Upstream commands, with nothing to correct them.

@pytest.mark.parametrize('upstream', [Twist, TwistStamped])
@pytest.mark.parametrize('downstream', [Twist, TwistStamped])
def test_passes_limited_commands_in_whatever_types(probe, node, upstream, downstream):
    robot = Robot(probe, upstream, downstream)
    node(max_accel=[2.5, 0.0, 30.0], max_decel=[-2.5, 0.0, -30.0])
    robot.connect()
    robot.ask_until(lambda: robot.settled(0.2, -1.0), 0.2, -1.0)
    robot.ask_until(lambda: robot.settled(0.22, 2.84), 5.0, 50.0)
    robot.ask_until(lambda: robot.settled(-0.22, -2.84), -5.0, -50.0)
    assert all(abs(speed) <= 0.22 and abs(yaw_rate) <= 2.84
               for speed, yaw_rate in robot.commands())
    robot.ask_until(lambda: robot.settled(0.0, 0.0), 0.0, 0.0)
    if downstream is TwistStamped:
        stamps = [stamp_of(message) for message in robot.heard]
        assert stamps == sorted(stamps) and stamps[0] > SECOND
        assert {message.header.frame_id for message in robot.heard} == {'base_link'}


@pytest.mark.parametrize('kind', [Twist, TwistStamped])
def test_finds_the_types_of_those_who_come_later(probe, node, kind):
    node()
    probe.spin(0.5)
    robot = Robot(probe, kind, kind)
    robot.connect()
    robot.ask_until(lambda: robot.settled(0.1, 0.5), 0.1, 0.5)


@pytest.mark.parametrize('name, waits_for', [
    ('predictor', '/odom'), ('replanner', '/cmd_vel_in'), ('command_guard', '/cmd_vel_in')])
def test_process_says_once_what_it_waits_for(probe, start, name, waits_for):
    process = start(name, '--log-level', 'info')
    probe.until(lambda: process.errors.endswith('\n'))
    line, = process.errors.splitlines()
    assert 'active' in line and line.endswith(waits_for)


@pytest.mark.parametrize('name', ['replanner', 'command_guard'])
def test_process_hears_who_comes_later_with_a_type_that_it_did_not_expect(probe, start, name):
    process = start(name)
    probe.until(lambda: probe.node.count_subscribers('cmd_vel_in'))
    robot = Robot(probe, Twist, Twist)
    robot.ask_until(lambda: robot.settled(0.1, 0.5), 0.1, 0.5)
    assert process.said == ''


def test_acceleration_is_limited(probe, node):
    robot = Robot(probe)
    node(max_accel=[0.1, 0.0, 1.0])
    robot.connect()
    begin = time.monotonic()
    robot.ask_until(lambda: robot.settled(0.2, 1.0), 0.2, 1.0)
    assert time.monotonic() - begin > 0.2 / 0.1 - 0.6  # one timeout's worth at once
    speeds = [speed for speed, _ in robot.commands()]
    # On a busy machine upstream may have fallen silent, which stops the robot: since then.
    stops = [i for i, speed in enumerate(speeds) if speed == 0.0]
    since = speeds[stops[-1]:] if stops else speeds
    assert since == sorted(since) and len(set(since)) > 10


def test_says_nothing_before_it_is_asked(probe, node):
    robot = Robot(probe)
    node()
    robot.connect()
    probe.spin(0.5)
    assert robot.heard == []
    assert 'idle' in robot.status('replanning').message


# The watchdog.

@pytest.mark.parametrize('parameters', [{}, {'use_sim_time': True}], ids=['wall', 'no_clock'])
def test_stops_the_robot_when_upstream_falls_silent(probe, node, parameters):
    robot = Robot(probe)
    node(**parameters)
    robot.connect()
    for _ in range(2):
        robot.ask_until(lambda: robot.settled(0.2, 1.0), 0.2, 1.0)
        last = time.monotonic()
        probe.until(lambda: robot.settled(0.0, 0.0))
        assert 0.3 < time.monotonic() - last < BOUND_S
        probe.until(lambda: 'no fresh upstream' in robot.status('replanning').message)
        assert robot.status('replanning').level == DiagnosticStatus.WARN
        # It stays so, and is said again and again.
        robot.heard.clear()
        probe.until(lambda: len(robot.heard) > 3)
        assert set(robot.commands()) == {(0.0, 0.0)}


@pytest.mark.parametrize('bad', [(math.nan, 0.0), (0.1, math.inf)])
def test_a_command_that_is_not_finite_is_none(probe, node, bad):
    robot = Robot(probe)
    node()
    robot.connect()
    robot.ask_until(lambda: robot.settled(0.1, 0.5), 0.1, 0.5)
    robot.ask_until(lambda: robot.settled(0.0, 0.0), *bad)
    assert all(math.isfinite(speed) and math.isfinite(yaw_rate)
               for speed, yaw_rate in robot.commands())
    probe.until(lambda: ('nan' if bad[0] != 0.1 else 'inf') in robot.status('cmd_vel_in').message)
    assert 'cmd_vel_in' in robot.status('cmd_vel_in').message


def test_a_command_to_the_side_is_left_out_and_said(probe, node):
    robot = Robot(probe)
    node()
    robot.connect()
    aside = velocity(TwistStamped, 0.1, 0.5)
    aside.twist.linear.y = 0.3
    probe.until(lambda: robot.settled(0.1, 0.5), busy=lambda: robot.upstream.publish(aside))
    probe.until(lambda: 'linear.y of 0.30 m/s is ignored' in robot.status('cmd_vel_in').message,
                busy=lambda: robot.upstream.publish(aside))
    assert robot.status('cmd_vel_in').level == DiagnosticStatus.WARN


@pytest.fixture
def other(probe):
    """Return a function that adds who speaks Twist on the topics of commands."""
    context, made = rclpy.Context(), []  # a participant of DDS has one type on a topic

    def make():
        rclpy.init(context=context)
        node = rclpy.create_node('other', context=context)
        node.create_subscription(Twist, 'cmd_vel', print, 10)
        node.create_publisher(Twist, 'cmd_vel_in', 10)
        made.append(node)

    yield make
    for node in made:
        node.destroy_node()
    context.try_shutdown()


def test_who_wants_another_type_is_named(probe, node, other):
    robot = Robot(probe, upstream=TwistStamped, downstream=TwistStamped)
    node()
    robot.connect()
    robot.ask_until(lambda: robot.settled(0.1, 0.5), 0.1, 0.5)
    other()
    words = '/other subscribes to geometry_msgs/msg/Twist'
    probe.until(lambda: words in robot.status('cmd_vel').message)
    assert robot.status('cmd_vel').level == DiagnosticStatus.ERROR
    probe.until(lambda: 'of different types' in robot.status('cmd_vel_in').message)


def test_what_was_heard_before_a_pause_is_not_missed_after_it(probe, node):
    robot = Robot(probe)
    node()
    robot.connect()
    robot.ask_until(lambda: robot.settled(0.2, 0.0), 0.2, 0.0)
    for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE):
        assert probe.call(ChangeState, 'replanner/change_state', ChangeState.Request(
            transition=Transition(id=transition))).success
    probe.until(lambda: 'nothing received' in robot.status('cmd_vel_in').message)
    assert robot.status('cmd_vel_in').level == DiagnosticStatus.OK


def drive_and_leave(probe, robot, transition):
    """Leave the active state while driving: the robot is stopped and nothing is sent after."""
    robot.connect()
    robot.ask_until(lambda: robot.settled(0.2, 0.0), 0.2, 0.0)
    assert probe.call(ChangeState, 'replanner/change_state', ChangeState.Request(
        transition=Transition(id=transition))).success
    probe.until(lambda: robot.settled(0.0, 0.0))
    robot.heard.clear()
    robot.ask(0.2, 0.0)
    probe.spin(0.3)
    assert robot.heard == []


def test_deactivation_stops_the_robot(probe, node):
    robot = Robot(probe)
    node()
    drive_and_leave(probe, robot, Transition.TRANSITION_DEACTIVATE)
    for transition in (Transition.TRANSITION_CLEANUP, Transition.TRANSITION_CONFIGURE,
                       Transition.TRANSITION_ACTIVATE):
        assert probe.call(ChangeState, 'replanner/change_state', ChangeState.Request(
            transition=Transition(id=transition))).success
    robot.connect()
    robot.ask_until(lambda: robot.settled(0.1, 0.0), 0.1, 0.0)


def test_a_shutdown_while_driving_stops_the_robot(probe, node):
    robot = Robot(probe)
    node()
    drive_and_leave(probe, robot, Transition.TRANSITION_ACTIVE_SHUTDOWN)


# The prediction.

@pytest.mark.parametrize('left', [0.05, -0.05])
def test_steers_against_a_predicted_drift_until_the_prediction_is_stale(probe, node, left):
    robot = Robot(probe)
    node()
    robot.connect()
    robot.ask_until(
        lambda: robot.heard and math.copysign(1.0, left) * robot.commands()[-1][1] < -1e-3,
        0.1, 0.0, also=Prediction(robot, left=left))
    probe.until(lambda: 'corrected from' in robot.status('replanning').message, busy=lambda:
                robot.ask_until(lambda: True, 0.1, 0.0, also=Prediction(robot, left=left)))
    # No more predictions: back to what upstream asks for.
    robot.ask_until(lambda: robot.settled(0.1, 0.0), 0.1, 0.0)
    robot.ask_until(
        lambda: 'no fresh prediction' in robot.status('replanning').message, 0.1, 0.0)
    assert robot.status('replanning').level == DiagnosticStatus.WARN


def turns_late(path):
    """Make a path straight for 0.6 s, the least horizon and a little; after that it is beside."""
    for pose in path.poses[:12]:
        pose.pose.position.y = 0.0


@pytest.mark.parametrize('effect, given, corrects, path_first', [
    (0.0, 0.0, False, True), (0.05, 0.0, False, True), (0.8, 0.0, True, False),
    (0.8, 0.0, True, True), (5.0, 0.0, True, True), (0.8, 0.2, False, False),
    (0.05, 0.8, True, False)])
def test_corrects_where_a_command_takes_effect_unless_a_horizon_is_given(
        probe, node, effect, given, corrects, path_first):
    robot = Robot(probe)
    node(correction_horizon=given)
    robot.connect()
    prediction = Prediction(robot, spoil=turns_late, effect=effect, path_first=path_first)
    robot.ask_until(lambda: 'corrected from' in robot.status('replanning').message,
                    0.1, 0.0, also=prediction)
    if corrects:
        robot.ask_until(lambda: robot.commands()[-1][1] < -1e-3, 0.1, 0.0, also=prediction)
    else:
        heard = len(robot.heard)
        robot.ask_until(lambda: len(robot.heard) > heard + 20, 0.1, 0.0, also=prediction)
        assert max(abs(yaw_rate) for _, yaw_rate in robot.commands()) < 1e-6


def test_an_unsure_prediction_slows_the_upstream_command_and_says_so(probe, node):
    robot = Robot(probe)
    node(min_speed_scale=0.4, max_relative_correction=0.0)
    robot.connect()
    robot.ask_until(lambda: robot.settled(0.2 * 0.4, 0.5 * 0.4), 0.2, 0.5,
                    also=Prediction(robot, effect=0.2, spread=1.0))
    robot.ask_until(lambda: 'slowed to 40 %' in robot.status('replanning').message, 0.2, 0.5,
                    also=Prediction(robot, effect=0.2, spread=1.0))
    assert robot.status('replanning').level == DiagnosticStatus.WARN
    robot.ask_until(lambda: robot.commands()[-1] == pytest.approx((0.2, 0.5), rel=1e-2), 0.2, 0.5,
                    also=Prediction(robot, effect=0.2, spread=0.001))


def test_a_prediction_that_disagrees_with_the_odometry_corrects_nothing(probe, node):
    robot = Robot(probe)
    node()
    robot.connect()
    far = Prediction(robot, left=100.0)
    robot.ask_until(lambda: robot.settled(0.1, 0.5), 0.1, 0.5, also=far)
    robot.ask_until(lambda: 'disagrees' in robot.status('replanning').message, 0.1, 0.5, also=far)
    assert robot.status('replanning').level == DiagnosticStatus.WARN
    assert robot.settled(0.1, 0.5)


def no_poses(path):
    path.poses = []


def nan_position(path):
    for pose in path.poses:
        pose.pose.position.y = math.nan


def no_rotation(path):
    for pose in path.poses:
        pose.pose.orientation.w = 0.0


def no_stamp(path):
    set_stamp(path, 0)


@pytest.mark.parametrize('spoil, word', [
    (nan_position, 'nan'), (no_poses, 'no poses'), (no_rotation, 'orientation'),
    (no_stamp, 'stamp')])
def test_bad_prediction_is_refused_and_commands_pass(probe, node, spoil, word):
    robot = Robot(probe)
    node()
    robot.connect()
    good = Prediction(robot)
    robot.ask_until(lambda: robot.heard and robot.commands()[-1][1] < -1e-3, 0.1, 0.0, also=good)
    bad = Prediction(robot, spoil=spoil)
    robot.ask_until(lambda: robot.settled(0.1, 0.0), 0.1, 0.0, also=bad)
    robot.ask_until(
        lambda: word in robot.status('predicted_path').message, 0.1, 0.0, also=bad)
    assert 'predicted_path' in robot.status('predicted_path').message
    assert robot.settled(0.1, 0.0)
    assert all(map(math.isfinite, sum(robot.commands(), ())))


def test_bad_odometry_is_refused_and_named(probe, node):
    robot = Robot(probe)
    node()
    robot.connect()
    odometry = drive(1, 0.0)[0]
    odometry.pose.pose.position.x = math.nan
    robot.odometry.publish(odometry)
    probe.until(lambda: 'nan' in robot.status('odom').message)
    robot.ask_until(lambda: robot.settled(0.1, 0.0), 0.1, 0.0)


# As a process.

@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_process_stops_the_robot_when_it_is_told_to_end(probe, start, number):
    process = start('replanner', diagnostics_period=0.05)
    robot = Robot(probe)
    robot.connect()
    robot.ask_until(lambda: robot.settled(0.2, 0.5), 0.2, 0.5)
    assert 'torch' not in FilePath(f'/proc/{process.process.pid}/maps').read_text()
    process.process.send_signal(number)
    robot.ask_until(lambda: process.process.poll() is not None, 0.2, 0.5)
    probe.until(lambda: robot.settled(0.0, 0.0), 'a last command of zero')
    assert process.wait() == 0
    assert process.said == ''


def test_topics_can_be_renamed_into_a_chain(probe, start):
    """Its input has the name that its output has by default: it must not hear itself."""
    start('replanner', '-r', 'cmd_vel_in:=cmd_vel', '-r', 'cmd_vel:=cmd_vel_safe',
          diagnostics_period=0.05)
    robot = Robot(probe, commands='cmd_vel', obeys='cmd_vel_safe')
    robot.connect()
    robot.ask_until(lambda: robot.settled(0.1, 0.2), 0.1, 0.2)
    heard = len(robot.heard)
    probe.until(lambda: robot.settled(0.0, 0.0), 'a stop when upstream falls silent')
    assert len(robot.heard) < heard + 1000


def test_one_name_for_both_ways_is_refused(domain, start):
    process = start('replanner', '-r', 'cmd_vel_in:=cmd_vel_both', '-r', 'cmd_vel:=cmd_vel_both')
    assert_one_error_line(process, 'cmd_vel_both')


@pytest.fixture(scope='module')
def bad_starts(start):
    """Return processes that cannot start."""
    with own_domain():
        yield {'k_x': start('replanner', k_x=-1.0),
               'k_xx': start('replanner', k_xx=1.0)}


@pytest.mark.parametrize('name', ['k_x', 'k_xx'])
def test_bad_start_is_one_line(bad_starts, name):
    assert_one_error_line(bad_starts[name], name)


@pytest.mark.parametrize('name, value', [
    ('control_frequency', '0.0'), ('control_frequency', '.nan'), ('control_frequency', '.inf'),
    ('correction_horizon', '-1.0'), ('correction_horizon', '.inf'), ('max_velocity', '[0.2]'),
    ('max_accel', '[-1.0, 0.0, 1.0]'), ('max_decel', '2.5'), ('velocity_timeout', '.inf'),
    ('max_relative_correction', '1.5'), ('autostart', '1'), ('diagnostics_period', '.inf'),
    ('mode', 'fly'), ('min_speed_scale', '0.0'), ('speed_scale_time_constant', '.nan'),
    ('odometry_timeout', '0.0'), ('lookahead_time', '.inf'), ('min_lookahead_dist', '1.0'),
    ('xy_goal_tolerance', '-1.0'), ('batch_size', '0'), ('knots', '1'), ('path_weight', '-1.0')])
def test_bad_parameter_is_named(refusal, name, value):
    assert name in refusal(replanner_node.main, **{name: value})
