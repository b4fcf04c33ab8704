"""The replanner node on a plan, as a planner and a robot see it."""

import math
import sys
import time
from types import SimpleNamespace

from helpers.messages import set_stamp, stamp_of
from lstm_predictor.common import se2
import numpy as np
import pytest

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from geometry_msgs.msg import (  # noqa: E402
    PoseWithCovarianceStamped, TransformStamped, TwistStamped)
from helpers.plan_messages import plan_through  # noqa: E402
from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState  # noqa: E402
from lstm_predictor.nodes.conversions import covariance_36, set_pose  # noqa: E402
from lstm_predictor.nodes.replanner_node import ReplannerNode  # noqa: E402
from lstm_predictor.nodes.transforms import Frames  # noqa: E402
from nav_msgs.msg import Odometry, Path  # noqa: E402

pytestmark = pytest.mark.ros

BOUND_S = 5.0  # until a stop is due, on a machine that is busy with other things
PERIOD_S = 0.05  # of odometry and prediction
LATE = 2  # periods that pass until the robot obeys
SPEED = 0.2  # on a plan [m/s]
SLOWEST = 0.3  # share of it that is left


class Robot:
    """A robot that obeys late and knows where it will be then, and who tells it where to go."""

    def __init__(self, probe):
        self.probe = probe
        self.path = [np.zeros(3)] * (LATE + 1)  # up to where it will be [m], [m], [rad]
        self.misled = np.zeros(3)  # added to the predicted pose
        self.spread = 0.01  # its standard deviation [m], [rad]
        self.frame_id = 'odom'
        self.predicts = self.measures = True
        self._moved_at = time.monotonic()
        self.diagnostics = probe.hear(DiagnosticArray, '/diagnostics')
        self.heard = probe.hear(TwistStamped, 'cmd_vel', reliable=True)
        self.plans = probe.talk(Path, 'plan')
        self.odometry = probe.talk(Odometry, 'odom')
        self.poses = probe.talk(PoseWithCovarianceStamped, 'predicted_pose')

    def connect(self):
        """Wait until the replanner hears everything and is heard."""
        self.probe.until(
            lambda: all(publisher.get_subscription_count() for publisher in (
                self.plans, self.odometry, self.poses)), 'the replanner to hear')
        self.probe.until(lambda: self.probe.node.count_publishers('cmd_vel') and self.diagnostics,
                         'the replanner to be heard')

    def until(self, condition, what=''):
        """Obey and tell where it is until something is true."""
        self.probe.until(condition, what, self._live)

    def spin(self, seconds):
        """Obey and tell where it is for some time."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end)

    def follow(self, plan):
        """Get a plan and follow it until it stays at the end."""
        self.plans.publish(plan)
        self.until(lambda: self.command() != (0.0, 0.0), 'a start')
        self.heard.clear()
        self.until(lambda: len(self.heard) > 10 and set(self.commands()[-10:]) == {(0.0, 0.0)},
                   'a stop')
        self.until(lambda: self.says('at the goal'), 'the goal')

    @property
    def pose(self):
        """Return where it is."""
        return self.path[-1 - LATE]

    def commands(self):
        """Return what was heard as (speed, yaw rate)."""
        return [(message.twist.linear.x, message.twist.angular.z) for message in self.heard]

    def command(self):
        """Return the newest command."""
        return self.commands()[-1] if self.heard else (0.0, 0.0)

    @property
    def status(self):
        """Return what the newest diagnostics say of the replanning."""
        return next(entry for entry in self.diagnostics[-1].status
                    if entry.name == 'replanner: replanning')

    @property
    def reason(self):
        """Return why the command is what it is."""
        return self.status.message

    def says(self, *words):
        """Return whether the newest diagnostics have all of the words."""
        return all(word in self.reason for word in words)

    def _live(self):
        passed = time.monotonic() - self._moved_at
        if passed > PERIOD_S:
            self._moved_at += passed
            seconds = min(passed, 4.0 * PERIOD_S)  # on a busy machine it does not jump
            speed, yaw_rate = self.command()
            self.path.append(se2.compose(
                self.path[-1], se2.exp([speed * seconds, 0.0, yaw_rate * seconds])))
            self._tell()

    def _tell(self):
        now_ns = time.time_ns()
        odometry, soon = Odometry(), PoseWithCovarianceStamped()
        for message, stamp_ns, pose in (
                (odometry, now_ns, self.pose),
                (soon, now_ns + round(1e9 * LATE * PERIOD_S), self.path[-1] + self.misled)):
            message.header.frame_id = self.frame_id
            set_stamp(message, stamp_ns)
            set_pose(message.pose.pose, *pose.tolist())
        odometry.twist.twist.linear.x, odometry.twist.twist.angular.z = self.command()
        soon.pose.covariance = covariance_36(self.spread ** 2 * np.eye(3))
        if self.measures:
            self.odometry.publish(odometry)
        if self.predicts:
            self.poses.publish(soon)


@pytest.fixture
def robot(probe):
    """Return a robot that waits for commands."""
    return Robot(probe)


@pytest.fixture
def node(probe):
    """Return a function that makes an active replanner in this process."""

    def make(**parameters):
        return probe.activate(ReplannerNode, **{
            'mode': 'follow_path', 'diagnostics_period': 0.05, 'desired_linear_vel': SPEED,
            'min_speed_scale': SLOWEST, **parameters})

    return make


def ahead_of(pose, length=0.5):
    """Return a plan that leads straight on from a pose for some metres."""
    ends = se2.compose(pose, [[0.0, 0.0, 0.0], [length, 0.0, 0.0]])
    return plan_through(*ends[:, :2])


# Good plans.

def test_says_nothing_before_there_is_a_plan(robot, node):
    node()
    robot.connect()
    robot.spin(0.5)
    assert robot.heard == []
    robot.until(lambda: robot.says('idle: no plan') and robot.status.level == DiagnosticStatus.OK)


def test_follows_a_plan_to_its_goal_and_stops(robot, node):
    node(max_velocity=[SPEED, 0.0, 1.5])
    robot.connect()
    turn = np.linspace(0.0, 0.5 * math.pi, 20)
    robot.follow(plan_through(*np.stack([0.5 * np.sin(turn), 0.5 - 0.5 * np.cos(turn)], axis=1)))
    assert robot.pose == pytest.approx([0.5, 0.5, 0.5 * math.pi], abs=0.15)
    beside = np.hypot(*(np.array(robot.path)[:, :2] - [0.0, 0.5]).T) - 0.5
    assert np.abs(beside).max() < 0.05
    speeds, yaw_rates = np.array(robot.commands()).T
    assert 0.0 <= speeds.min() and speeds.max() <= SPEED and np.abs(yaw_rates).max() <= 1.5
    robot.until(lambda: robot.status.level == DiagnosticStatus.OK)
    robot.heard.clear()
    robot.until(lambda: len(robot.heard) > 3, 'a command that is said again')
    assert set(robot.commands()) == {(0.0, 0.0)}


def test_a_plan_that_replaces_another_is_followed_from_there(robot, node):
    node()
    robot.connect()
    robot.plans.publish(plan_through((0.0, 0.0), (0.3, 0.0), (0.3, 1.0)))
    robot.until(lambda: robot.pose[1] > 0.05, 'the middle of the corner')
    x, y = robot.pose[:2].tolist()
    robot.follow(plan_through((x, y), (x + 0.4, y)))
    assert robot.pose == pytest.approx([x + 0.4, y, 0.0], abs=0.12)


def test_the_next_plan_is_followed_from_the_goal_and_back(robot, node):
    node()
    robot.connect()
    robot.follow(plan_through((0.0, 0.0), (0.2, 0.0)))
    robot.follow(plan_through((0.2, 0.0), (0.0, 0.0)))
    assert robot.pose[:2] == pytest.approx([0.0, 0.0], abs=0.1)
    assert abs(se2.wrap(robot.pose[2] - math.pi)) < 0.2


# Bad plans.

def with_nan():
    plan = plan_through((0.0, 0.0), (1.0, 0.0))
    plan.poses[1].pose.position.y = math.nan
    return plan


BAD_PLANS = {
    'one pose': (plan_through((0.0, 0.0), (1.0, 0.0)), '1 different poses'),
    'repeated poses': (plan_through((0.3, 0.0), (0.3, 0.0), (0.3, 0.0)), '1 different poses'),
    'nan': (with_nan(), 'nan'),
    'no frame': (plan_through((0.0, 0.0), (1.0, 0.0), frame_id=''), 'frame_id'),
    'slash alone': (plan_through((0.0, 0.0), (1.0, 0.0), frame_id='/'), 'frame_id'),
    'far away': (plan_through((0.0, 10.0), (1.0, 10.0)), 'too far from the plan'),
    'unknown frame': (plan_through((0.0, 0.0), (1.0, 0.0), frame_id='map'), 'tf2_ros'),
}
BAD_PLANS['one pose'][0].poses.pop()


@pytest.mark.parametrize('drives', [False, True], ids=['standing', 'driving'])
def test_a_bad_plan_stops_the_robot_until_there_is_a_good_one(robot, node, monkeypatch, drives):
    monkeypatch.setitem(sys.modules, 'tf2_ros', None)
    node()
    robot.connect()
    robot.spin(0.2)
    for plan, reason in BAD_PLANS.values():
        if drives:
            robot.plans.publish(ahead_of(robot.pose, 2.0))
            robot.until(lambda: robot.command()[0] > 0.1, 'speed')
        robot.plans.publish(plan)
        robot.until(lambda: robot.says('stopped', reason), f'{reason}, is {robot.reason}')
        robot.until(lambda: robot.heard and robot.command() == (0.0, 0.0))
        assert robot.status.level == DiagnosticStatus.WARN
        robot.heard.clear()
        robot.until(lambda: len(robot.heard) > 3, 'a stop that is said again')
        assert set(robot.commands()) == {(0.0, 0.0)}
    robot.plans.publish(ahead_of(robot.pose, 1.0))
    robot.until(lambda: robot.command()[0] > 0.1 and robot.says('following'), 'the good plan')
    robot.until(lambda: robot.status.level == DiagnosticStatus.OK)


# An empty plan.

def cancelled(robot):
    """Return whether the diagnostics say of a cancelled plan that all is well."""
    return robot.says('idle: the plan was cancelled') \
        and robot.status.level == DiagnosticStatus.OK


@pytest.mark.parametrize('frame_id', ['', 'odom', 'map'])
def test_an_empty_plan_is_a_cancel(robot, node, frame_id):
    node()
    robot.connect()
    empty = plan_through((0.0, 0.0), (1.0, 0.0), frame_id=frame_id)
    empty.poses.clear()
    robot.plans.publish(ahead_of(robot.pose, 3.0))
    robot.until(lambda: robot.command()[0] > 0.1, 'speed')
    robot.until(lambda: robot.diagnostics[-1].status[0].level == DiagnosticStatus.OK, 'calm')
    robot.diagnostics.clear()
    robot.plans.publish(empty)
    robot.until(lambda: robot.diagnostics and cancelled(robot))
    robot.until(lambda: robot.command() == (0.0, 0.0), 'a stop')
    robot.heard.clear()
    robot.until(lambda: len(robot.heard) > 3, 'a stop that is said again')
    assert set(robot.commands()) == {(0.0, 0.0)}
    # no entry ever warned, that of the topic included
    assert {entry.level for message in robot.diagnostics for entry in message.status
            if 'plan' in entry.name} == {DiagnosticStatus.OK}
    robot.follow(ahead_of(robot.pose, 0.3))


def test_an_empty_plan_where_there_was_none_is_told_and_nothing_is_sent(robot, node):
    node()
    robot.connect()
    for _ in range(2):
        robot.plans.publish(Path())
        robot.until(lambda: cancelled(robot))
        robot.spin(0.2)
    assert robot.heard == []
    robot.follow(ahead_of(robot.pose, 0.3))


def test_an_empty_plan_after_a_refused_one_is_a_cancel(robot, node):
    node()
    robot.connect()
    robot.plans.publish(with_nan())
    robot.until(lambda: robot.says('stopped', 'nan'))
    robot.plans.publish(Path())
    robot.until(lambda: cancelled(robot))


# Other frames. The real tf2_ros comes with ROS alone, not with its wheels.

class Transforms(dict):
    """Transforms by (target, source), and who listens to them."""


@pytest.fixture
def transforms(monkeypatch):
    """Return what a stand-in for tf2_ros knows: the transform of each (target, source)."""
    known = Transforms()
    listeners = known.listeners = []

    class Buffer:
        """Knows transforms of now."""

        def lookup_transform(self, target, source, stamp):
            return TransformStamped(transform=known[target, source])

    class TransformListener:
        """Counts as listening until it is told not to."""

        def __init__(self, buffer, node):
            listeners.append(self)

        def unregister(self):
            listeners.remove(self)

    monkeypatch.setitem(sys.modules, 'tf2_ros', SimpleNamespace(
        Buffer=Buffer, TransformListener=TransformListener))
    yield known
    assert len(listeners) <= 1


def transform(x, y, yaw):
    """Return a pose [m], [m], [rad] as a transform."""
    made = TransformStamped().transform
    made.translation.x, made.translation.y = x, y
    made.rotation.z, made.rotation.w = math.sin(yaw / 2.0), math.cos(yaw / 2.0)
    return made


def test_transforms_are_heard_anew_once_they_are_forgotten(node, transforms):
    frames, transforms['map', 'odom'] = Frames(node()), transform(5.0, 3.0, 0.0)
    for _ in range(2):
        assert frames.pose('odom', 'map').tolist() == [5.0, 3.0, 0.0]
        assert transforms.listeners
        frames.forget()
        assert not transforms.listeners


@pytest.mark.parametrize('frame', ['odom', '/odom', '//odom'])
@pytest.mark.parametrize('within', ['map', '/map', 'odom', '/odom'])
def test_a_leading_slash_in_a_frame_changes_nothing(node, transforms, frame, within):
    transforms['map', 'odom'] = transform(5.0, 3.0, 0.0)
    found = Frames(node()).pose(frame, within)
    assert found.tolist() == ([5.0, 3.0, 0.0] if 'map' in within else [0.0, 0.0, 0.0])


@pytest.mark.parametrize('odometry, plan', [('/odom', 'odom'), ('odom', '/odom')])
def test_a_plan_in_the_frame_of_the_odometry_needs_no_transform(
        robot, node, monkeypatch, odometry, plan):
    monkeypatch.setitem(sys.modules, 'tf2_ros', None)
    node()
    robot.frame_id = odometry
    robot.connect()
    robot.follow(plan_through((0.0, 0.0), (0.3, 0.0), frame_id=plan))


def test_a_plan_in_another_frame_is_followed_from_where_that_is(robot, node, transforms):
    """The origin of the odometry lies at (5, 3) in the map, and looks along its y axis."""
    made = node()
    robot.connect()
    robot.plans.publish(plan_through((5.0, 3.0), (5.0, 3.5), frame_id='map'))
    robot.until(lambda: robot.says('stopped', 'no transform from map to odom'))
    assert robot.status.level == DiagnosticStatus.WARN and robot.command() == (0.0, 0.0)
    transforms['map', 'odom'] = transform(5.0, 3.0, 0.5 * math.pi)
    robot.until(lambda: robot.says('at the goal'))
    robot.until(lambda: robot.command() == (0.0, 0.0))
    assert robot.pose == pytest.approx([0.5, 0.0, 0.0], abs=0.12)
    # Nothing of it is left when the node is cleaned up.
    made.trigger_deactivate()
    made.trigger_cleanup()
    made.trigger_configure()
    made.trigger_activate()
    robot.connect()
    robot.follow(plan_through((5.0, 3.5), (5.0, 3.9), frame_id='map'))
    assert robot.pose[:2] == pytest.approx([0.9, 0.0], abs=0.12)


@pytest.mark.parametrize('spoil, word', [
    (lambda bad: setattr(bad.translation, 'x', math.nan), 'not finite'),
    (lambda bad: setattr(bad.rotation, 'w', 0.0), 'no rotation')])
def test_a_transform_that_is_none_stops_the_robot(robot, node, transforms, spoil, word):
    node()
    robot.connect()
    bad = transform(0.0, 0.0, 0.0)
    spoil(bad)
    transforms['map', 'odom'] = bad
    robot.plans.publish(plan_through((0.0, 0.0), (1.0, 0.0), frame_id='map'))
    robot.until(lambda: robot.says('stopped', word))
    transforms['map', 'odom'] = transform(0.0, 0.0, 0.0)
    robot.until(lambda: robot.command()[0] > 0.1)


# What it steers by.

def test_without_fresh_odometry_the_robot_stops(robot, node):
    node()
    robot.connect()
    for _ in range(2):
        robot.plans.publish(ahead_of(robot.pose, 2.0))
        robot.until(lambda: robot.command()[0] > 0.1, 'speed')
        robot.measures = False
        last = time.monotonic()
        robot.until(lambda: robot.command() == (0.0, 0.0), 'a stop')
        assert 0.3 < time.monotonic() - last < BOUND_S
        robot.until(lambda: robot.says('stopped: no fresh odometry'))
        assert robot.status.level == DiagnosticStatus.WARN
        robot.measures = True
        robot.until(lambda: robot.command()[0] > 0.1, 'speed')


def slow_and_steady(robot, reason):
    """Assert that it drives slowly for a reason, that it says so, and that no command jumps."""
    robot.until(lambda: robot.says('following', reason) and robot.command()[0] > 0.0)
    robot.until(lambda: robot.command()[0] < 1.01 * SLOWEST * SPEED, 'slowness')
    assert robot.status.level == DiagnosticStatus.WARN
    begin = len(robot.heard)
    robot.until(lambda: len(robot.heard) > begin + 10)
    assert all(0.0 < speed < 1.01 * SLOWEST * SPEED for speed, _ in robot.commands()[begin:])
    steps = np.abs(np.diff(robot.commands(), axis=0))
    seconds = 1e-9 * np.diff([stamp_of(message) for message in robot.heard])
    assert (steps <= (seconds + 0.1)[:, None] * [0.5, 3.0]).all()  # sent that much apart


@pytest.mark.parametrize('reason, spoil', [
    ('the prediction disagrees with the odometry',
     lambda robot: setattr(robot, 'misled', np.array([0.0, 10.0, 0.0]))),
    ('no fresh prediction', lambda robot: setattr(robot, 'misled', np.array([math.nan, 0, 0]))),
    ('no fresh prediction', lambda robot: setattr(robot, 'predicts', False)),
    (f'slowed to {100 * SLOWEST:.0f} %', lambda robot: setattr(robot, 'spread', 0.5)),
    (f'slowed to {100 * SLOWEST:.0f} %', lambda robot: setattr(robot, 'spread', math.nan)),
], ids=['contradicted', 'nan', 'none', 'unsure', 'unsure_nan'])
def test_who_does_not_know_where_it_will_be_drives_slowly_and_says_why(
        robot, node, reason, spoil):
    node(max_accel=[0.5, 0.0, 3.0], max_decel=[-0.5, 0.0, -3.0])
    robot.connect()
    robot.plans.publish(ahead_of(robot.pose, 3.0))
    robot.until(lambda: robot.command()[0] > 0.9 * SPEED, 'full speed')
    spoil(robot)
    slow_and_steady(robot, reason)
    robot.misled, robot.predicts, robot.spread = np.zeros(3), True, 0.01
    robot.until(lambda: robot.command()[0] > 0.9 * SPEED, 'full speed again')
    robot.until(lambda: robot.status.level == DiagnosticStatus.OK)
    assert np.abs(np.array(robot.path)[:, 1]).max() < 0.05


def test_twice_the_error_that_is_free_leaves_half_the_speed(robot, node):
    node(lateral_std_threshold=0.05)
    robot.connect()
    robot.spread = 0.1
    robot.plans.publish(ahead_of(robot.pose, 1.0))
    robot.until(lambda: robot.says('slowed to 50 %', '0.100 m'))
    robot.until(lambda: robot.command()[0] == pytest.approx(0.5 * SPEED, rel=0.01))


# Leaving.

@pytest.mark.parametrize('transition', [
    Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVE_SHUTDOWN])
def test_who_leaves_stops_the_robot_and_forgets_the_plan(probe, robot, node, transition):
    node()
    robot.connect()
    robot.plans.publish(ahead_of(robot.pose, 3.0))
    robot.until(lambda: robot.command()[0] > 0.1, 'speed')
    assert probe.call(ChangeState, 'replanner/change_state', ChangeState.Request(
        transition=Transition(id=transition))).success
    robot.until(lambda: robot.command() == (0.0, 0.0), 'a stop')
    robot.heard.clear()
    if transition == Transition.TRANSITION_DEACTIVATE:
        robot.plans.publish(ahead_of(robot.pose))
        robot.spin(0.3)
        assert probe.call(ChangeState, 'replanner/change_state', ChangeState.Request(
            transition=Transition(id=Transition.TRANSITION_ACTIVATE))).success
        robot.until(lambda: robot.says('idle'))
    robot.spin(0.3)
    assert robot.heard == []
