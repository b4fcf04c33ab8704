"""A node that had no time: what waited is taken at once, the newest counts, and it is named."""

import time

from helpers.messages import drive, SECOND, set_stamp, stamp_of, velocity
import pytest

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from geometry_msgs.msg import TwistStamped  # noqa: E402
from helpers.predictor_feed import (  # noqa: E402
    assert_same, Feed, offline, OFTEN, TRUSTED_S, with_imu_and_commands)
from lstm_predictor.common import readings  # noqa: E402
from lstm_predictor.model import model_file  # noqa: E402
from lstm_predictor.nodes.clock_diagnostics import ClockMonitor  # noqa: E402
from lstm_predictor.nodes.command_guard_node import CommandGuard  # noqa: E402
from lstm_predictor.nodes.executor import make_executor, spin  # noqa: E402
from lstm_predictor.nodes.predictor_node import PredictorNode  # noqa: E402
from lstm_predictor.nodes.queued_messages import span, waiting  # noqa: E402
from lstm_predictor.nodes.replanner_node import ReplannerNode  # noqa: E402
from lstm_predictor.prediction.predictor import Predictor, PredictorConfig  # noqa: E402
from nav_msgs.msg import Odometry  # noqa: E402
import rclpy  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from sensor_msgs.msg import Imu  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

pytestmark = [pytest.mark.ros, pytest.mark.usefixtures('one_thread')]

BUSY_S = 1.0  # that a node has no time
ARRIVING_S = 0.1  # that a message takes on a busy machine, within it


def keep_busy(probe, node, work):
    """Have a callback in a node's own executor do some work, once, as long as it takes."""
    done = []

    def once():
        node.destroy_timer(timer)
        work()
        done.append(True)

    timer = node.create_timer(0.001, once)
    probe.until(lambda: done, 'the work')


def in_time(messages, begin_ns, publish):
    """Publish messages when their stamps [ns] are due after a beginning, and let them arrive."""
    begin = time.monotonic()
    for message in messages:
        time.sleep(max(0.0, 1e-9 * (stamp_of(message) - begin_ns) - time.monotonic() + begin))
        publish(message)
    time.sleep(ARRIVING_S)


def when_asked(path, messages, anchors):
    """Return what the core predicts that is given all messages and is asked at some stamps."""
    predictor = Predictor(model_file.load(path), PredictorConfig())
    read = {Odometry: readings.read_odometry, Imu: readings.read_imu,
            TwistStamped: lambda message: readings.read_command(message, 0)}
    predictions = []
    for message in messages:
        predictor.add(read[type(message)](message))
        if isinstance(message, Odometry) and stamp_of(message) in anchors:
            predictions.append(predictor.predict_if_due())
    return predictions


@pytest.mark.parametrize('rate', [20, 50])
def test_predictor_goes_on_from_the_newest_of_everything(probe, model_path, rate):
    feed = Feed(probe)
    node = probe.activate(PredictorNode, model_path=str(model_path), diagnostics_period=OFTEN)
    feed.connect()
    drove = drive(rate, TRUSTED_S + BUSY_S)
    messages = with_imu_and_commands(drove)
    busy_ns = stamp_of(drove[0]) + round(SECOND * TRUSTED_S)
    before = [message for message in messages if stamp_of(message) <= busy_ns]
    during = messages[len(before):]
    feed.send(before)
    published = len(offline(model_path, before))
    feed.until_published(published)
    keep_busy(probe, node, lambda: in_time(
        during, busy_ns, lambda message: feed.publishers[type(message)].publish(message)))
    probe.until(lambda: len(feed.paths) > published, 'a prediction')
    probe.until(lambda: 'odom waited' in feed.status('timing').message)
    status = feed.status('timing')
    # one, from the newest odometry, with the window as if nothing had happened
    anchors = [stamp_of(path) for path in feed.paths]
    assert anchors[published:] == [stamp_of(drove[-1])]
    assert status.level == DiagnosticStatus.WARN
    values = {item.key: item.value for item in status.values}
    waited = float(values['odom had to wait for this node by [s]'])
    assert 0.8 * BUSY_S < waited < 1.2 * BUSY_S
    assert f'odom waited {waited:.2f} s for this node' in status.message
    assert_same(feed, when_asked(model_path, messages, anchors))
    for topic in ('odom', 'imu', 'cmd_vel'):  # all of it was read
        probe.until(lambda: feed.taken(topic) == sum(
            isinstance(message, kind) for message in messages for kind in (
                {'odom': Odometry, 'imu': Imu, 'cmd_vel': TwistStamped}[topic],)))


def test_the_executor_of_a_process_hands_over_nothing_twice(probe, model_path):
    feed = Feed(probe, inputs=(Odometry,))
    rclpy.init()
    try:
        node = PredictorNode(parameter_overrides=[
            Parameter('model_path', value=str(model_path)),
            Parameter('diagnostics_period', value=0.05)])
        executor = make_executor()
        executor.add_node(node)
        node.trigger_configure()
        node.trigger_activate()

        def until(condition):
            probe.until(condition, busy=lambda: spin(executor, 0.005))

        until(lambda: feed.publishers[Odometry].get_subscription_count() and feed.diagnostics)
        drove = drive(20, 3.0 + BUSY_S)
        for count, message in enumerate(drove[:60], 1):
            feed.publishers[Odometry].publish(message)
            until(lambda: feed.taken('odom') == count)
        until(lambda: feed.paths and stamp_of(feed.paths[-1]) == stamp_of(drove[59]))
        published = len(feed.paths)
        in_time(drove[60:], stamp_of(drove[59]), feed.publishers[Odometry].publish)
        until(lambda: len(feed.paths) > published)
        assert stamp_of(feed.paths[published]) == stamp_of(drove[-1])
        until(lambda: feed.taken('odom') == len(drove))
        spin(executor, 0.1)
        probe.turn(20)
        assert feed.taken('odom') == len(drove) and len(feed.paths) == published + 1
        node.on_shutdown(None)
        node.destroy_node()
    finally:
        rclpy.try_shutdown()


class Chain:
    """Commands a node and hears what it makes of them."""

    def __init__(self, probe):
        self.probe = probe
        self.heard = probe.hear(TwistStamped, 'cmd_vel', reliable=True)
        self.diagnostics = probe.hear(DiagnosticArray, '/diagnostics')
        self.upstream = probe.talk(TwistStamped, 'cmd_vel_in')
        self.odometry = probe.talk(Odometry, 'odom')

    def commands(self):
        return [(message.twist.linear.x, message.twist.angular.z) for message in self.heard]

    def timing(self):
        """Return what the newest diagnostics say of the timing."""
        return next(entry for entry in self.diagnostics[-1].status
                    if entry.name == 'replanner: timing')


@pytest.mark.parametrize('make', [ReplannerNode, CommandGuard])
def test_of_commands_that_waited_the_newest_counts(probe, make):
    node = probe.activate(make)
    chain = Chain(probe)
    probe.until(lambda: chain.upstream.get_subscription_count()
                and probe.node.count_publishers('cmd_vel'))
    probe.until(lambda: chain.commands()[-1:] == [(0.2, 0.0)], 'speed',
                lambda: chain.upstream.publish(velocity(TwistStamped, 0.2, 0.0)))

    heard = []  # before any of them can have been obeyed

    def work():
        begin_ns = time.time_ns()
        asked = [velocity(TwistStamped, 0.2, 1.0) for _ in range(30)]
        asked.append(velocity(TwistStamped, 0.0, 0.0))
        for index, message in enumerate(asked):
            set_stamp(message, begin_ns + index * SECOND // 1000)
        in_time(asked, begin_ns, chain.upstream.publish)
        heard.append(len(chain.heard))

    keep_busy(probe, node, work)
    probe.until(lambda: len(chain.heard) > heard[0] + 5, 'commands')
    turning = [command for command in chain.commands() if command[1] != 0.0]
    assert turning == [] and chain.commands()[-1] == (0.0, 0.0)


@pytest.mark.parametrize('mode', ['compensate', 'follow_path', 'mppi'])
def test_replanner_names_odometry_that_waited_and_takes_all_of_it(probe, mode):
    node = probe.activate(ReplannerNode, mode=mode, diagnostics_period=0.05)
    chain = Chain(probe)
    probe.until(lambda: chain.odometry.get_subscription_count() and chain.diagnostics)
    drove = drive(20, 1.0 + BUSY_S, time.time_ns())
    chain.odometry.publish(drove[0])
    in_time(drove[1:20], stamp_of(drove[0]), chain.odometry.publish)
    probe.spin(0.1)
    keep_busy(probe, node, lambda: in_time(
        drove[20:], stamp_of(drove[19]), chain.odometry.publish))
    probe.until(lambda: 'odom waited' in chain.timing().message)
    assert chain.timing().level == DiagnosticStatus.WARN

    def received():
        entry = next(entry for entry in chain.diagnostics[-1].status
                     if entry.name == 'replanner: odom')
        return next(int(item.value) for item in entry.values if item.key == 'received')

    probe.until(lambda: received() == len(drove))


# The parts.

@pytest.fixture
def receiver(probe):
    """Return a function that makes a node and its subscription, and who is heard by it."""

    def make(depth):
        node = probe.add(lambda **options: rclpy.create_node('receiver', **options))
        handed = []
        subscription = node.create_subscription(Odometry, 'odom', handed.append, depth)
        publisher = probe.talk(Odometry, 'odom')
        probe.until(lambda: handed, 'to be heard', lambda: publisher.publish(Odometry()))
        publisher.publish(Odometry(header=Header(frame_id='last')))
        probe.until(lambda: handed[-1].header.frame_id == 'last', 'the last of them')
        handed.clear()
        return node, subscription, publisher, handed

    return make


@pytest.mark.parametrize('depth', [100, 5])
def test_what_waits_is_taken_once_and_in_its_order(probe, receiver, depth):
    node, subscription, publisher, handed = receiver(depth)
    drove = drive(20, 1.0)
    in_time(drove, stamp_of(drove[-1]), publisher.publish)
    taken = waiting(node, subscription)
    newest = drove[-depth:]  # what the queue holds
    assert [stamp_of(message) for message in taken] == [stamp_of(message) for message in newest]
    probe.turn(5)
    assert handed == [] and waiting(node, subscription) == []


@pytest.mark.parametrize('step, behind', [(0.05, False), (-5.0, False), (5.0, False)])
def test_stamps_that_jump_are_no_wait(domain, step, behind):
    rclpy.init()
    try:
        timing = ClockMonitor(rclpy.create_node('timed'))
        pair = drive(20, 0.05)
        set_stamp(pair[1], stamp_of(pair[0]) + round(SECOND * step))
        assert span(pair) == pytest.approx(step)
        # they came right after each other
        assert timing.add_queued(pair) is behind
        assert 'waited' not in timing.status().message
    finally:
        rclpy.try_shutdown()


@pytest.mark.parametrize('late, named', [(0.5, True), (0.1, False)])
def test_odometry_that_comes_later_than_usual_is_named(domain, late, named):
    rclpy.init()
    try:
        timing = ClockMonitor(rclpy.create_node('timed'))
        for _ in range(20):
            stamp_ns = timing.now_ns()
            timing.add_odometry(stamp_ns)
        while timing.now_ns() < stamp_ns + round(SECOND * late):
            pass
        timing.add_odometry(stamp_ns + 1)  # and nothing waited in this node
        status = timing.status()
        assert (f'odom comes {late:.2f} s later than usual' in status.message) is named
        assert status.level == (DiagnosticStatus.WARN if named else DiagnosticStatus.OK)
    finally:
        rclpy.try_shutdown()


def test_a_wait_is_named_no_longer_than_two_seconds(domain):
    rclpy.init()
    try:
        timing = ClockMonitor(rclpy.create_node('timed'))
        timing._taken_at -= 1.0
        assert timing.add_queued(drive(20, 0.8))
        assert 'odom waited 0.80 s for this node (17 messages at once)' in timing.status().message
        timing._waited_at -= 2.1
        assert 'waited' not in timing.status().message
    finally:
        rclpy.try_shutdown()
