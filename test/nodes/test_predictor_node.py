"""The predictor node as others on the network see it, in this process and as one of its own."""

import itertools
import math
import signal
import sys
import time
from types import SimpleNamespace

from helpers.messages import drive, SECOND, set_stamp, stamp_of
from helpers.models import golden_inputs, motion_model, small_contract
from helpers.probe import own_domain
from helpers.processes import assert_one_error_line
import numpy as np
import pytest

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticStatus  # noqa: E402
from geometry_msgs.msg import TransformStamped, Twist, TwistStamped  # noqa: E402
from helpers.predictor_feed import (  # noqa: E402
    assert_same, command_message, Feed, imu_message, offline, OFTEN, PLANAR, planar, TRUSTED_S,
    with_imu_and_commands)
from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState  # noqa: E402
from lstm_predictor.common import readings  # noqa: E402
from lstm_predictor.model import model_file  # noqa: E402
from lstm_predictor.nodes import predictor_node  # noqa: E402
from lstm_predictor.nodes.predictor_node import PredictorNode, PredictorNodeConfig  # noqa: E402
from lstm_predictor.prediction.mixture_report import MixtureReport  # noqa: E402
from nav_msgs.msg import Odometry  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import Imu  # noqa: E402
import torch  # noqa: E402

pytestmark = pytest.mark.ros

WINDOW_S = 2.05  # of odometry that the first prediction needs


@pytest.fixture
def node(probe, model_path):
    """Return a function that makes an active predictor in this process."""

    def make(active=True, **parameters):
        add = probe.activate if active else probe.add
        return add(PredictorNode, **{
            'model_path': str(model_path), 'diagnostics_period': OFTEN, **parameters})

    return make


def assert_well_formed(feed):
    """Assert what the contract says of every message."""
    for path, pose, odometry in zip(feed.paths, feed.poses, feed.odometry):
        stamps = [stamp_of(step) for step in path.poses]
        assert stamps[0] > stamp_of(path) and stamps == sorted(set(stamps))
        assert {step.header.frame_id for step in path.poses} == {path.header.frame_id}
        for message in (pose, odometry):
            assert stamp_of(path) < stamp_of(message) <= stamps[-1]
            assert message.header.frame_id == path.header.frame_id == 'odom'
            covariance = np.reshape(message.pose.covariance, (6, 6))
            assert np.isfinite(covariance).all()
            np.testing.assert_array_equal(covariance, covariance.T)
            assert np.linalg.eigvalsh(covariance[PLANAR]).min() > 0.0
        assert odometry.child_frame_id == 'base_footprint'
        twist = np.reshape(odometry.twist.covariance, (6, 6))
        assert np.isfinite(twist).all() and np.linalg.eigvalsh(twist[PLANAR]).min() > 0.0


# What is published.

@pytest.mark.parametrize('rate, reliable', [(20, False), (50, True)])
def test_publishes_what_the_core_predicts(probe, node, model_path, rate, reliable):
    feed = Feed(probe, reliable)
    node()
    feed.connect()
    messages = with_imu_and_commands(drive(rate, TRUSTED_S))
    feed.send(messages)
    assert_same(feed, offline(model_path, messages))
    assert_well_formed(feed)
    feed.until_well('prediction')


def test_a_node_that_fell_behind_hears_what_waits_before_it_predicts(probe, node, model_path):
    feed = Feed(probe)
    node(diagnostics_period=0.5)  # what reports often falls behind by itself
    feed.connect()
    sent, route = [], iter(drive(20, 60.0))

    def send():
        if not sent or time.time_ns() - sent[-1] >= SECOND // 20:
            sent.append(time.time_ns())
            set_stamp(message := next(route), sent[-1])
            feed.publishers[Odometry].publish(message)

    def newest():
        return stamp_of(feed.paths[-1]) if feed.paths else 0

    probe.until(lambda: sent and newest() > sent[-1] - SECOND, busy=send)
    asleep_ns, predicted = sent[-1], len(feed.paths)
    while sent[-1] < asleep_ns + SECOND:  # in which the node gets no time at all
        send()
    awake_ns, awake = sent[-1], time.monotonic()
    probe.until(lambda: newest() > awake_ns, busy=send)
    late = sum(stamp_of(path) <= awake_ns for path in feed.paths[predicted:])
    # One in half a step at most: what a slow machine makes of 20 is no fixed number.
    assert late <= 2 + (time.monotonic() - awake) / (0.5 * 0.05)


@pytest.mark.parametrize('rate, reliable, number', [
    (20, True, signal.SIGTERM), (50, False, signal.SIGINT)])
def test_process_publishes_the_same_until_it_is_told_to_end(
        probe, start, model_path, rate, reliable, number):
    process = start('predictor', model_path=model_path, diagnostics_period=OFTEN)
    feed = Feed(probe, reliable)
    feed.connect()
    messages = with_imu_and_commands(drive(rate, WINDOW_S + 0.5))
    feed.send(messages)
    assert_same(feed, offline(model_path, messages))
    assert_well_formed(feed)
    assert process.stop(number) == 0, process.said
    assert process.errors == '' and process.output == ''


def test_frame_and_horizon_are_the_callers(probe, node, model_path):
    feed = Feed(probe)
    node(pose_horizon=1.0, max_velocity=[0.1, 0.0, 1.0])
    feed.connect()
    odometry = drive(20, 3.0)
    for message in odometry:
        message.header.frame_id, message.child_frame_id = 'robot1/odom', 'robot1/base'
    messages = with_imu_and_commands(odometry)
    feed.send(messages)
    assert_same(feed, offline(model_path, messages, max_velocity=(0.1, 0.0, 1.0)), horizon=1.0)
    for message in (*feed.paths, *feed.poses, *feed.odometry, *feed.paths[-1].poses):
        assert message.header.frame_id == 'robot1/odom'
    assert {message.child_frame_id for message in feed.odometry} == {'robot1/base'}


@pytest.mark.parametrize('horizon', [0.0, 0.5])
def test_pose_is_of_when_a_command_takes_effect_unless_a_horizon_is_given(
        probe, node, model_path, horizon):
    feed = Feed(probe)
    node(pose_horizon=horizon)
    feed.connect()
    messages = with_imu_and_commands(drive(20, 3.0))
    feed.send(messages)
    predictions = offline(model_path, messages)
    feed.until_published(len(predictions))
    effects = [prediction.actuation_latency for prediction in predictions]
    assert min(effects) > 0.0
    for heard in (feed.poses, feed.odometry):
        ahead = [stamp_of(message) - prediction.anchor_ns
                 for message, prediction in zip(heard, predictions)]
        if horizon:
            assert set(ahead) == {SECOND // 2}
        else:
            assert ahead == pytest.approx([SECOND * effect for effect in effects], abs=1.0)
    values = values_of(feed.status('prediction'))
    assert values['a command takes effect after [s]'] == f'{effects[-1]:.3f}'
    assert values['pose_horizon [s]'] == f'{horizon or effects[-1]:.3f}'


@pytest.mark.parametrize('rate', [30, 50])
def test_predicts_once_per_step_of_the_grid(probe, node, rate):
    feed = Feed(probe)
    node()
    feed.connect()
    feed.send(drive(rate, WINDOW_S + 2.0))
    probe.spin(0.1)
    anchors = [stamp_of(path) for path in feed.paths]
    assert len(anchors) == pytest.approx(40, abs=2)
    # Each belongs to the step of its own number, by a message's distance.
    late = np.subtract(anchors, anchors[0]) / (SECOND / 20) - np.arange(len(anchors))
    assert -0.5 < late.min() and late.max() < 1.0


def test_gap_and_jump_back_start_a_new_window(probe, node, model_path):
    feed = Feed(probe)
    node()
    feed.connect()
    messages = [*drive(20, 2.5), *drive(20, 2.5, 1_010 * SECOND), *drive(20, 2.5, 500 * SECOND)]
    feed.send(messages)
    expected = offline(model_path, messages)
    assert_same(feed, expected)
    assert len(expected) == pytest.approx(3 * 10, abs=3)


# The transform. The real tf2_ros comes with ROS alone, not with its wheels.

class Broadcaster:
    """Publishes as tf2_ros does, of which it stands in for the part that is used."""

    def __init__(self, node):
        self.pub_tf = node.create_publisher(TransformStamped, '/tf', 100)

    def sendTransform(self, transform):  # noqa: N802
        self.pub_tf.publish(transform)


def test_transform_of_now_leads_to_the_predicted_pose(probe, node, model_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'tf2_ros', SimpleNamespace(TransformBroadcaster=Broadcaster))
    feed = Feed(probe)
    transforms = probe.hear(TransformStamped, '/tf')
    node(publish_tf=True, predicted_frame='base_soon')
    feed.connect()
    probe.until(lambda: probe.node.count_publishers('/tf'))
    messages = with_imu_and_commands(drive(20, 3.0))
    feed.send(messages)
    expected = offline(model_path, messages)
    assert_same(feed, expected)
    probe.until(lambda: len(transforms) == len(expected))
    for message, pose, prediction in zip(transforms, feed.poses, expected):
        assert stamp_of(message) == prediction.anchor_ns
        assert (message.header.frame_id, message.child_frame_id) == ('odom', 'base_soon')
        moved = message.transform
        assert [moved.translation.x, moved.translation.y, moved.translation.z,
                readings.yaw_of(moved.rotation)] == pytest.approx(
            [*planar(pose.pose.pose)[:2], 0.0, planar(pose.pose.pose)[2]], abs=1e-9)
    for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
        assert change(probe, transition)
    probe.until(lambda: not probe.node.count_publishers('/tf'))


def test_transform_without_tf2_ros_is_refused(domain, model_path, refusal, monkeypatch):
    monkeypatch.setitem(sys.modules, 'tf2_ros', None)
    line = refusal(predictor_node.main, model_path=model_path, publish_tf='true')
    assert 'publish_tf' in line and 'tf2_ros' in line


def test_transform_without_a_frame_is_refused():
    with pytest.raises(ValueError, match='predicted_frame'):
        PredictorNodeConfig(publish_tf=True, predicted_frame='')


# Who is published.

def values_of(status):
    return {item.key: item.value for item in status.values}


def test_diagnostics_say_who_is_published_and_how_good_everyone_is(probe, node, model_path):
    feed = Feed(probe)
    node(pose_horizon=0.5)
    feed.connect()
    messages = with_imu_and_commands(drive(20, 7.0))
    feed.send(messages)
    status = feed.status('prediction')
    values = values_of(status)
    expected = offline(model_path, messages)
    assert_same(feed, expected, horizon=0.5)
    assert expected[0].source == 'lstm' != expected[-1].source
    assert status.level == DiagnosticStatus.WARN
    assert status.message.startswith(f'{expected[-1].source} has the largest weight: lstm is ')
    assert expected[-1].reason in status.message and values['source'] == expected[-1].source
    rmse = {name: float(values[f'{name}: position RMSE after 0.5 s [m]'])
            for name in ('lstm', 'constant_turn', 'arx_online')}
    assert 0.0 < rmse[expected[-1].source] < rmse['lstm']
    report = MixtureReport.parse(values)
    assert list(report.weights) == list(rmse)
    assert sum(report.weights.values()) == pytest.approx(1.0, abs=0.002)
    assert report.weights['lstm'] < 0.5
    assert values['status'] == 'FALLBACK'
    for name in (*rmse, 'published'):
        assert 0.0 <= float(values[f'{name}: inside the 90 % region after 0.5 s [%]']) <= 100.0
        assert len(values[f'{name}: heading RMSE [rad]'].split(', ')) == 5
    assert values['scored after [s]'] == '0.1, 0.2, 0.5, 1, 2'


def test_a_robot_that_the_model_was_not_trained_for_is_named(probe, node, tmp_path):
    contract = small_contract(max_speed=0.05)
    model_file.save(tmp_path / 'slow.pt', motion_model(), contract, *golden_inputs(contract))
    feed = Feed(probe)
    node(model_path=str(tmp_path / 'slow.pt'))
    feed.connect()
    feed.send(drive(20, 2.5))
    probe.until(lambda: 'trained up to 0.05 m/s' in feed.status('prediction').message)
    status = feed.status('prediction')
    assert status.level == DiagnosticStatus.WARN
    assert status.message.startswith(('constant_turn has', 'arx_online has'))


def test_without_handover_by_parameter(probe, node, model_path):
    feed = Feed(probe)
    node(use_fallback_predictors=False)
    feed.connect()
    messages = with_imu_and_commands(drive(20, 7.0))
    feed.send(messages)
    status = feed.status('prediction')
    assert_same(feed, offline(model_path, messages, use_fallback_predictors=False))
    assert values_of(status)['source'] == 'lstm' and 'weight' not in status.message
    feed.until_well('prediction')


# Inputs that are missing or bad.

def test_without_imu_by_parameter(probe, node, model_path):
    feed = Feed(probe, inputs=(Odometry, TwistStamped))
    node(use_imu=False)
    imu = probe.talk(Imu, 'imu')
    feed.connect()
    messages = with_imu_and_commands(drive(20, TRUSTED_S))
    for message in messages:
        if isinstance(message, Imu):
            imu.publish(message)
        else:
            feed.send([message])
    assert_same(feed, offline(model_path, messages, use_imu=False))
    feed.until_well('prediction')


def test_goes_on_when_imu_stops_and_says_so(probe, node, model_path):
    feed = Feed(probe)
    node()
    feed.connect()
    messages = with_imu_and_commands(drive(20, 4.0))
    stop_ns = stamp_of(messages[-1]) - SECOND
    messages = [message for message in messages
                if not isinstance(message, Imu) or stamp_of(message) < stop_ns]
    feed.send(messages)
    status = feed.status('prediction')
    assert 'without IMU' in status.message and status.level == DiagnosticStatus.WARN
    assert_same(feed, offline(model_path, messages))
    probe.until(lambda: 'imu stopped' in feed.status('imu').message)


def test_sensors_that_are_wrong_are_named_in_the_entry_of_their_topic(probe, node):
    feed = Feed(probe)
    node()
    feed.connect()
    messages = with_imu_and_commands(drive(20, 8.0))
    for message in messages:
        if isinstance(message, Odometry):
            message.twist.twist.linear.x = 0.0
        elif isinstance(message, Imu):
            message.linear_acceleration.x += 2.0
    feed.send(messages)
    for topic, words in (('odom', 'odom twist.linear.x is left at zero: speeds are taken from'),
                         ('imu', 'imu linear_acceleration.x holds 2.0')):
        status = feed.status(topic)
        assert status.level == DiagnosticStatus.WARN and words in status.message


def with_pose(name, value):
    def spoil(message):
        setattr(message.pose.pose.position, name, value)
    return spoil


def with_twist(value):
    def spoil(message):
        message.twist.twist.angular.z = value
    return spoil


def without_stamp(message):
    set_stamp(message, 0)


def without_rotation(message):
    message.pose.pose.orientation.z = message.pose.pose.orientation.w = 0.0


# By a word that the reason must have.
BAD_ODOMETRY = {
    'nan': with_pose('x', math.nan),
    'inf': with_pose('y', math.inf),
    'yaw_rate': with_twist(-math.inf),
    'stamp': without_stamp,
    'orientation': without_rotation,
}


def test_bad_odometry_is_named_and_never_used(probe, node, model_path):
    feed = Feed(probe)
    node()
    feed.connect()
    good, messages = iter(drive(20, 3.0)), []
    for count, (reason, spoil) in enumerate(BAD_ODOMETRY.items(), 1):
        bad = drive(20, 3.0)[10 * count - 1]
        set_stamp(bad, stamp_of(bad) + 20_000_000)
        spoil(bad)
        several = [*itertools.islice(good, 10), bad]
        feed.send(several)
        messages += several
        status = feed.status('odom')
        assert status.level == DiagnosticStatus.WARN
        assert f'odom: rejected {count}' in status.message and reason in status.message
    rest = list(good)
    feed.send(rest)
    assert_same(feed, offline(model_path, [*messages, *rest]))
    assert_well_formed(feed)


def test_bad_imu_and_commands_are_named_and_never_used(probe, node, model_path):
    feed = Feed(probe)
    node()
    feed.connect()
    messages = with_imu_and_commands(drive(20, 3.0))
    for place in (20, 120, len(messages) - 3):
        stamp_ns = stamp_of(messages[place]) - 1_000_000
        messages.insert(place, imu_message(stamp_ns, math.nan, 0.0))
        messages.insert(place, imu_message(0, 5.0, 5.0))
        messages.insert(place, command_message(stamp_ns, math.inf, 0.0))
    feed.send(messages)
    for topic, reason in (('imu', 'yaw_rate is nan'), ('cmd_vel', 'speed is inf')):
        assert topic in feed.status(topic).message and reason in feed.status(topic).message
    assert_same(feed, offline(model_path, messages))
    assert_well_formed(feed)


@pytest.mark.parametrize('topic, made', [('imu', imu_message), ('cmd_vel', command_message)])
def test_what_is_far_ahead_of_the_odometry_is_refused_by_name(probe, node, topic, made):
    feed = Feed(probe)
    node()
    feed.connect()
    odometry = drive(20, 0.2)
    feed.send([*odometry, made(stamp_of(odometry[-1]) + 5 * SECOND, 0.1, 0.1)])
    status = feed.status(topic)
    assert status.level == DiagnosticStatus.WARN and '5.0 s ahead of odom' in status.message


# Commands: which type, and when.

@pytest.mark.parametrize('kind', [Twist, TwistStamped])
@pytest.mark.parametrize('node_first', [True, False])
def test_hears_both_types_of_command(probe, node, kind, node_first):
    if node_first:
        node()
        probe.spin(0.5)
    feed = Feed(probe, inputs=(Odometry, kind))
    if not node_first:
        probe.until(lambda: probe.node.count_publishers('cmd_vel'))
        node()
    feed.connect()
    feed.send([kind()] * 3)
    probe.until(lambda: feed.status('cmd_vel').level == DiagnosticStatus.OK)


def test_hears_a_publisher_that_comes_back_with_the_other_type(probe, node):
    node()
    for kind in (Twist, TwistStamped, Twist):
        feed = Feed(probe, inputs=(kind,))
        feed.connect()
        before = feed.taken('cmd_vel')
        feed.publishers[kind].publish(kind())
        probe.until(lambda: feed.taken('cmd_vel') == before + 1)
        probe.node.destroy_publisher(feed.publishers[kind])
        probe.until(lambda: not probe.node.count_publishers('cmd_vel'))


def test_command_without_stamp_is_put_on_the_clock_of_the_odometry(probe, node, model_path):
    feed = Feed(probe, inputs=(Odometry, Twist))
    clock = probe.talk(Clock, '/clock')
    made = node(use_sim_time=True)
    feed.connect()
    probe.until(clock.get_subscription_count)
    ahead_ns = 77 * SECOND  # the clock here, and 30 ms on the way from the robot
    stamped = []
    for index, message in enumerate(drive(20, 3.0)):
        now_ns = stamp_of(message) + ahead_ns
        tick = Clock()
        tick.clock.sec, tick.clock.nanosec = divmod(now_ns, SECOND)
        clock.publish(tick)
        probe.until(lambda: made.get_clock().now().nanoseconds == now_ns)
        feed.send([message])
        stamped.append(message)
        if index % 5 == 0:
            command = Twist()
            command.linear.x, command.angular.z = 0.1, math.sin(index)
            feed.send([command])
            stamped.append(command_message(stamp_of(message), 0.1, math.sin(index)))
    assert_same(feed, offline(model_path, stamped))


# Lifecycle.

def state(probe):
    return probe.state('predictor')


def change(probe, transition):
    request = ChangeState.Request(transition=Transition(id=transition))
    return probe.call(ChangeState, 'predictor/change_state', request).success


def test_lifecycle_goes_round_and_round(probe, node):
    feed = Feed(probe)
    node(active=False, autostart=False)
    assert state(probe) == 'unconfigured'
    assert probe.node.count_publishers('predicted_path') == 0
    begins = iter(range(1_000 * SECOND, 2_000 * SECOND, 3 * SECOND))
    for _ in range(3):
        assert change(probe, Transition.TRANSITION_CONFIGURE)
        assert state(probe) == 'inactive'
        for _ in range(2):
            feed.connect()
            for message in drive(2, 2.5, next(begins)):
                feed.publishers[Odometry].publish(message)
            probe.turn(50)
            assert feed.paths == feed.poses == feed.odometry == []
            assert 'not active' in feed.status('prediction').message
            assert change(probe, Transition.TRANSITION_ACTIVATE)
            assert state(probe) == 'active'
            # Nothing from before counts: the window fills anew.
            feed.sent['odom'] = feed.taken('odom')
            odometry = drive(20, 2.5, next(begins))
            feed.send(odometry[:40])
            assert feed.paths == []
            feed.send(odometry[40:])
            feed.until_published(5)
            assert change(probe, Transition.TRANSITION_DEACTIVATE)
            assert state(probe) == 'inactive'
            probe.turn(20)
            for heard in (feed.paths, feed.poses, feed.odometry):
                heard.clear()
        assert change(probe, Transition.TRANSITION_CLEANUP)
        assert state(probe) == 'unconfigured'
        probe.until(lambda: not probe.node.count_publishers('predicted_path'))
        probe.until(lambda: not feed.publishers[Odometry].get_subscription_count())
        feed.diagnostics.clear()


def test_configuring_with_a_bad_model_fails_and_can_be_repeated(probe, node, model_path):
    made = node(active=False, autostart=False, model_path='/nowhere/model.pt')
    assert not change(probe, Transition.TRANSITION_CONFIGURE)
    assert state(probe) == 'unconfigured'
    made.set_parameters([Parameter('model_path', value=str(model_path))])
    assert change(probe, Transition.TRANSITION_CONFIGURE)
    assert change(probe, Transition.TRANSITION_ACTIVATE)
    assert state(probe) == 'active'


@pytest.mark.parametrize('name', ['predictor', 'replanner', 'sim'])
def test_process_waits_without_autostart_and_ends_quietly(probe, start, name):
    process = start(name, autostart='false')
    assert probe.state(name) == 'unconfigured'
    before = process.said
    # rclpy warns where an answer comes before the node has found who asked.
    assert not before or 'failed to send response' in before
    assert process.stop(signal.SIGINT) == 0
    assert process.said == before


def test_told_to_end_again_and_again_it_ends_well(probe, start):
    """Ctrl-C goes to every node and to `ros2 launch`, which says it to them once more."""
    process = start('predictor')
    assert probe.state('predictor') == 'active'
    while process.process.poll() is None:
        process.process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    assert process.wait() == 0 and process.said == ''


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signal_during_the_imports_ends_quietly(domain, probe, start, model_path, number):
    process = start('predictor', model_path=model_path)
    probe.until(lambda: process.catches(signal.SIGTERM))
    assert process.stop(number) == 0
    assert process.said == ''


# Bad starts.

@pytest.fixture(scope='module')
def models(model_path, tmp_path_factory):
    """Return a folder of model files that cannot be used."""
    folder = tmp_path_factory.mktemp('bad_models')
    whole = model_path.read_bytes()
    (folder / 'truncated.pt').write_bytes(whole[:len(whole) // 2])
    (folder / 'empty.pt').touch()
    (folder / 'text.pt').write_text('not a model\n')
    (folder / 'folder.pt').mkdir()
    torch.save({'weight': torch.zeros(3)}, folder / 'weights.pt')
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(folder / 'foreign.pt'))
    (folder / 'writable.pt').write_bytes(whole)
    (folder / 'writable.pt').chmod(0o666)
    return folder


@pytest.fixture(scope='module')
def bad_starts(start, models):
    """Return processes that cannot start, all at once, since each of them imports torch."""
    with own_domain():
        yield {'missing.pt': start('predictor', model_path=models / 'missing.pt'),
               'pose_horizont': start('predictor', pose_horizont=0.5)}


@pytest.mark.parametrize('name', ['missing.pt', 'pose_horizont'])
def test_bad_start_is_one_line(bad_starts, name):
    assert_one_error_line(bad_starts[name], name)


@pytest.mark.parametrize('name', [
    'missing.pt', 'truncated.pt', 'empty.pt', 'text.pt', 'folder.pt', 'weights.pt', 'foreign.pt'])
def test_bad_model_file_is_named(domain, models, refusal, name):
    assert name in refusal(predictor_node.main, model_path=models / name)


def test_a_model_that_anyone_can_change_is_refused_with_the_remedy(domain, models, refusal):
    line = refusal(predictor_node.main, model_path=models / 'writable.pt')
    assert '0666' in line and f'chmod o-w {models / "writable.pt"}' in line


@pytest.mark.parametrize('how', ['model_sha256', 'allow_writable_model'])
def test_a_model_that_anyone_can_change_is_taken_where_it_is_meant(probe, node, models, how):
    path = models / 'writable.pt'
    meant = {'model_sha256': model_file.file_sha256(path), 'allow_writable_model': True}
    node(model_path=str(path), **{how: meant[how]})
    assert state(probe) == 'active'


@pytest.mark.parametrize('name, value', [
    ('pose_horizon', '9.0'), ('pose_horizon', '-0.5'), ('pose_horizon', '.nan'),
    ('pose_horizon', '1'), ('pose_horizon', 'far'), ('max_velocity', '[0.2]'),
    ('max_velocity', '[0.0, 0.0, 1.0]'), ('max_velocity', '[.nan, 0.0, 1.0]'),
    ('max_backward_time_jump', '0.0'), ('use_fallback_predictors', '7'),
    ('score_time_constant', '0.0'), ('prior_score_count', '-0.1'),
    ('fallback_error_penalty', '0.0'), ('weight_exponent', '.nan'),
    ('min_covariance_scale', '2.0'), ('diagnostics_period', '.inf'), ('use_imu', '7'),
    ('model_sha256', 'abc'), ('allow_writable_model', '1'), ('model_path', '7'),
    ('autostart', 'maybe')])
def test_bad_parameter_is_named(domain, model_path, refusal, name, value):
    parameters = {'model_path': model_path, name: value}
    assert name in refusal(predictor_node.main, **parameters)
