"""The command guard as who commands the robot, the robot and the operator see it."""

import math
import signal
import time

from helpers.messages import velocity
from helpers.processes import assert_one_error_line
import pytest

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from geometry_msgs.msg import Twist, TwistStamped  # noqa: E402
from lstm_predictor.nodes.command_guard_node import CommandGuard  # noqa: E402
from lstm_predictor.nodes.replanner_node import ReplannerNode  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402

pytestmark = pytest.mark.ros

PERIOD_S = 0.05  # of the commands


class Chain:
    """Who commands, and what the robot gets."""

    def __init__(self, probe, upstream=TwistStamped, commands='cmd_vel_in'):
        self.probe = probe
        self.diagnostics = probe.hear(DiagnosticArray, '/diagnostics')
        self.heard = probe.hear(TwistStamped, 'cmd_vel', reliable=True)
        self.upstream = probe.talk(upstream, commands)
        self._kind, self._sent_at = upstream, 0.0

    def ask_until(self, condition, speed, yaw_rate):
        """Send a command again and again until something is true."""
        def busy():
            if time.monotonic() - self._sent_at < PERIOD_S:
                return
            self._sent_at = time.monotonic()
            self.upstream.publish(velocity(self._kind, speed, yaw_rate))

        self.probe.until(condition, f'the answer to {speed}, {yaw_rate}', busy)

    def told(self):
        """Return the newest command of the robot, None before the first."""
        twist = self.heard[-1].twist if self.heard else None
        return None if twist is None else (twist.linear.x, twist.angular.z)

    def says(self, name, words, level=DiagnosticStatus.OK):
        """Return whether the newest diagnostics of the guard have the words, and the level."""
        statuses = [entry for message in self.diagnostics[-20:] for entry in message.status
                    if entry.name == f'command_guard: {name}']
        return bool(statuses) and words in statuses[-1].message and statuses[-1].level == level


@pytest.fixture
def node(probe):
    """Return a function that makes an active guard in this process."""

    def make(**parameters):
        return probe.activate(CommandGuard, **{'diagnostics_period': 0.05, **parameters})

    return make


def test_the_robot_is_told_to_stand_until_somebody_asks(probe, node):
    node()
    chain = Chain(probe)
    probe.until(lambda: len(chain.heard) > 5)
    assert {(m.twist.linear.x, m.twist.angular.z) for m in chain.heard} == {(0.0, 0.0)}
    probe.until(lambda: chain.says('guarding', 'idle') and chain.says('summary', 'all is well'))


@pytest.mark.parametrize('kind', [Twist, TwistStamped])
def test_commands_pass_within_limits_and_silence_stops_the_robot(probe, node, kind):
    node()
    chain = Chain(probe, kind)
    chain.ask_until(lambda: chain.told() == (0.1, -0.5), 0.1, -0.5)
    chain.ask_until(lambda: chain.told() == (0.22, 2.84), 5.0, 5.0)
    probe.until(lambda: chain.told() == (0.0, 0.0), 'a stop')
    probe.until(lambda: chain.says('cmd_vel_in', 'cmd_vel_in stopped 1.', DiagnosticStatus.ERROR))


@pytest.mark.parametrize('bad', [math.nan, math.inf])
def test_a_command_that_is_no_number_is_silence(probe, node, bad):
    node()
    chain = Chain(probe)
    chain.ask_until(lambda: chain.told() == (0.1, 0.0), 0.1, 0.0)
    chain.ask_until(lambda: chain.told() == (0.0, 0.0), bad, 0.0)
    chain.ask_until(
        lambda: any(chain.says('cmd_vel_in', f'last: speed is {bad}', level) for level in (
            DiagnosticStatus.WARN, DiagnosticStatus.ERROR)), bad, 0.0)


def test_replanner_and_guard_find_each_other_without_being_told_a_type(probe, node, start):
    start('command_guard', '-r', 'cmd_vel_in:=cmd_vel_replanned')
    start('replanner', '-r', 'cmd_vel:=cmd_vel_replanned')
    chain = Chain(probe)
    chain.ask_until(lambda: chain.told() == (0.15, 0.0), 0.15, 0.0)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_process_stops_the_robot_when_it_is_told_to_end(probe, start, number):
    process = start('command_guard')
    chain = Chain(probe)
    chain.ask_until(lambda: chain.told() == (0.15, 0.0), 0.15, 0.0)
    process.process.send_signal(number)
    probe.until(lambda: chain.told() == (0.0, 0.0))
    assert process.wait() == 0 and process.said == ''


def test_one_name_for_both_ways_is_refused(domain, start):
    process = start('command_guard', '-r', 'cmd_vel_in:=cmd_vel')
    assert_one_error_line(process, 'cmd_vel_in', 'receive its own commands')


def test_limits_change_while_driving_and_wrong_ones_do_not(probe, node):
    made = node()
    chain = Chain(probe)
    chain.ask_until(lambda: chain.told() == (0.2, 0.0), 0.2, 0.0)
    wrong = made.set_parameters([Parameter('max_velocity', value=[-1.0, 0.0, 1.0])])[0]
    assert not wrong.successful and 'max_velocity' in wrong.reason
    fixed = made.set_parameters([Parameter('control_frequency', value=5.0)])[0]
    assert not fixed.successful and 'control_frequency' in fixed.reason
    assert made.set_parameters([Parameter('max_velocity', value=[0.1, 0.0, 1.0])])[0].successful
    chain.ask_until(lambda: chain.told() == (0.1, 0.0), 0.2, 0.0)


def test_a_robot_that_cannot_hear_is_named(probe, node):
    node()
    chain = Chain(probe)
    probe.node.create_subscription(
        TwistStamped, 'cmd_vel', chain.heard.append,
        QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
    probe.until(lambda: chain.says(
        'cmd_vel', '/probe subscribes to it with incompatible QoS',
        DiagnosticStatus.ERROR))


def test_two_who_command_are_named_and_the_replanner_says_it_too(probe, node):
    node()
    probe.activate(ReplannerNode, diagnostics_period=0.05)
    chain = Chain(probe)
    chain.ask_until(lambda: chain.told() == (0.1, 0.0), 0.1, 0.0)
    probe.add(lambda **options: _other(chain.upstream.msg_type, **options))
    chain.ask_until(lambda: chain.says(
        'cmd_vel_in', '2 nodes publish on cmd_vel_in (/other, /probe)', DiagnosticStatus.WARN),
        0.1, 0.0)


def _other(kind, **options):
    import rclpy
    node = rclpy.create_node('other', **options)
    node.create_publisher(kind, 'cmd_vel_in', 10)
    return node
