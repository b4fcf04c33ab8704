"""The replanner knows the command as the robot gets it, and names who replaces it."""

from hypothesis import given, strategies as st
from lstm_predictor.control.command_delivery import Delivery, DeliveryWatch
import pytest

PERIOD = 0.05  # of commands [s]


def watched(passed_on, commands, trusted=False, late=4):
    """Return the states while commands are sent; `passed_on` makes of each what arrives."""
    watch, states = DeliveryWatch(), []
    watch.trusted = trusted
    for index, command in enumerate(commands):
        steady = index * PERIOD
        watch.send(*command, steady)
        if index >= late:
            arrived = passed_on(index, *commands[index - late])
            if arrived is not None:
                watch.arrive(*arrived, steady)
        states.append(watch.state(steady))
    return states


def passed(index, *command):
    return command


WINDING = [(0.1 + 0.001 * (i % 50), 0.3 - 0.01 * (i % 40)) for i in range(200)]
STEADY = [(0.12, 0.3)] * 200


@pytest.mark.parametrize('commands', [WINDING, STEADY])
@pytest.mark.parametrize('late', [0, 1, 8])
def test_what_is_passed_on_arrives_however_late(commands, late):
    states = watched(passed, commands, late=late)
    assert states[-1] is Delivery.ARRIVES
    assert set(states) <= {Delivery.UNKNOWN, Delivery.ARRIVES}


@pytest.mark.parametrize('change', [
    lambda index, speed, yaw_rate: (0.0, 0.0), lambda index, speed, yaw_rate: (0.7 * speed, 0.0),
    lambda index, speed, yaw_rate: (-0.1, 0.8)])
def test_what_is_replaced_is_seen_at_once_and_so_is_its_end(change):
    states = watched(lambda index, *command: change(index, *command)
                     if 100 <= index < 150 else command, WINDING)
    assert set(states[100:150]) == {Delivery.REPLACED}
    assert set(states[60:100]) | set(states[150:]) == {Delivery.ARRIVES}


def test_a_monitor_that_falls_silent_is_seen_while_the_robot_is_to_move():
    states = watched(lambda index, *command: command if index < 100 else None, STEADY)
    assert states[105] is Delivery.ARRIVES and states[-1] is Delivery.SILENT
    stopped = watched(lambda index, *command: command if index < 100 else None,
                      STEADY[:100] + [(0.0, 0.0)] * 100)
    assert stopped[-1] is Delivery.ARRIVES


def test_a_topic_is_the_robots_once_it_passes_commands_on_or_where_the_user_says_so():
    """A tool that subscribes to the commands may publish others that no robot gets."""
    def foreign(index, *command):
        return (0.0, 0.0)
    assert set(watched(foreign, STEADY)) == {Delivery.UNKNOWN}
    assert watched(foreign, STEADY, trusted=True)[-1] is Delivery.REPLACED
    assert set(watched(lambda *_: None, STEADY)) == {Delivery.UNKNOWN}


@given(st.lists(st.tuples(st.floats(-0.3, 0.3), st.floats(-3.0, 3.0)), min_size=20, max_size=60),
       st.integers(0, 12))
def test_no_stream_of_commands_that_arrives_is_taken_for_another(commands, late):
    assert Delivery.REPLACED not in watched(passed, commands, trusted=True, late=late)


@pytest.mark.ros
def test_the_node_finds_the_topic_behind_a_monitor_and_names_who_replaces_the_command(
        probe, start):
    """Its own `cmd_vel` is remapped; the robot's topic is the plain one."""
    pytest.importorskip('rclpy')
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
    from geometry_msgs.msg import TwistStamped
    import rclpy

    share, said = [1.0], []
    monitor = probe.add(lambda **options: rclpy.create_node('monitor', **options))
    to_robot = monitor.create_publisher(TwistStamped, 'cmd_vel', 10)

    def pass_on(message):
        message.twist.linear.x *= share[0]
        if share[0] >= 0.0:
            to_robot.publish(message)

    monitor.create_subscription(TwistStamped, 'cmd_vel_replanned', pass_on, 10)
    robot = probe.hear(TwistStamped, 'cmd_vel')
    upstream = probe.talk(TwistStamped, 'cmd_vel_in')
    diagnostics = probe.hear(DiagnosticArray, '/diagnostics')
    start('replanner', '-r', 'cmd_vel:=cmd_vel_replanned', diagnostics_period=0.1)
    asked = TwistStamped()
    asked.twist.linear.x = 0.15

    def status():
        entries = [entry for message in diagnostics[-3:] for entry in message.status
                   if entry.name == 'replanner: robot_command']
        return entries[-1] if entries else DiagnosticStatus()

    def ask_until(words):
        def busy():
            upstream.publish(asked)
            probe.spin(0.03)
        try:
            probe.until(lambda: words in status().message, words, busy)
        except AssertionError:
            raise AssertionError(str(status()))
        said.append((status().level, status().message))

    ask_until('commands arrive on /cmd_vel')
    share[0] = 0.3
    ask_until('/monitor commands the robot: 0.0')
    assert 'in place of 0.15 m/s' in said[-1][1]
    share[0] = 1.0
    ask_until('commands arrive on /cmd_vel')
    share[0] = -1.0
    ask_until('no command arrives on /cmd_vel, which /monitor publishes')
    assert said[-1][0] == said[1][0] == DiagnosticStatus.WARN
    assert robot
