"""The slow link as who drives and the simulated robot see it."""

import time

from helpers.messages import velocity
from helpers.processes import assert_one_error_line
import pytest

pytest.importorskip('rclpy')

from geometry_msgs.msg import Twist, TwistStamped  # noqa: E402
from lstm_predictor.nodes.slow_link_node import SlowLink  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402

pytestmark = pytest.mark.ros


class Ends:
    """Who drives, and the robot."""

    def __init__(self, probe, upstream=TwistStamped):
        self.probe = probe
        self.heard = probe.hear(TwistStamped, 'cmd_vel', reliable=True)
        self._kind, self._upstream = upstream, probe.talk(upstream, 'cmd_vel_in')

    def connect(self):
        """Wait until both ends are connected."""
        self.probe.until(lambda: self._upstream.get_subscription_count()
                         and self.probe.node.count_publishers('cmd_vel'), 'the link')

    def ask(self, speed, yaw_rate):
        """Send one command."""
        self._upstream.publish(velocity(self._kind, speed, yaw_rate))

    def told(self):
        """Return what the robot was told."""
        return [(message.twist.linear.x, message.twist.angular.z) for message in self.heard]


@pytest.mark.parametrize('upstream', [Twist, TwistStamped])
def test_every_command_comes_once_in_order_and_no_sooner_than_the_dead_time(probe, upstream):
    probe.activate(SlowLink, command_delay=0.3)
    ends = Ends(probe, upstream)
    ends.connect()
    asked = [(0.01 * number, -0.1 * number) for number in range(1, 11)]
    began = time.monotonic()
    for command in asked:
        ends.ask(*command)
    probe.until(lambda: ends.told(), 'the first command')
    assert time.monotonic() - began >= 0.3
    probe.until(lambda: len(ends.told()) == len(asked), 'all commands')
    assert ends.told() == asked


def test_the_dead_time_is_one_of_the_simulation_which_may_begin_anew(probe):
    clock = probe.talk(Clock, '/clock')
    node = probe.activate(SlowLink, command_delay=0.3, use_sim_time=True)
    ends = Ends(probe)
    ends.connect()

    def set_clock(tenths):
        message = Clock()
        message.clock.sec, message.clock.nanosec = tenths // 10, tenths % 10 * 100_000_000
        probe.until(lambda: node.get_clock().now().nanoseconds == tenths * 100_000_000,
                    busy=lambda: clock.publish(message))
        probe.turn(30)

    set_clock(100)
    ends.ask(0.1, 0.0)
    probe.turn(30)
    set_clock(102)
    assert ends.told() == []
    set_clock(104)
    probe.until(lambda: ends.told() == [(0.1, 0.0)])
    ends.ask(0.2, 0.0)
    probe.turn(30)
    set_clock(10)
    ends.ask(0.05, 0.0)
    probe.turn(30)
    set_clock(15)
    probe.until(lambda: len(ends.told()) > 1)
    assert ends.told() == [(0.1, 0.0), (0.05, 0.0)]


def test_who_leaves_stops_the_robot(probe):
    node = probe.activate(SlowLink, command_delay=0.05)
    ends = Ends(probe)
    ends.connect()
    ends.ask(0.2, 0.0)
    probe.until(lambda: ends.told() == [(0.2, 0.0)])
    node.trigger_deactivate()
    probe.until(lambda: ends.told() == [(0.2, 0.0), (0.0, 0.0)])


@pytest.mark.parametrize('parameter', ['command_delay:=-0.1', 'command_delay:=.inf'])
def test_a_dead_time_that_cannot_be_ends_with_one_line(probe, start, parameter):
    process = start('slow_link', '-p', parameter)
    assert_one_error_line(process, 'command_delay must be 0 or positive')
