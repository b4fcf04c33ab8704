"""The replanner node that plans with the model, on the simulated robot."""

from pathlib import Path as FilePath
import shutil
import time

from helpers.messages import drive
import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('mujoco')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from geometry_msgs.msg import TwistStamped  # noqa: E402
from helpers.plan_messages import plan_through  # noqa: E402
from lstm_predictor.common import readings  # noqa: E402
from lstm_predictor.model.model_file import file_sha256  # noqa: E402
from lstm_predictor.nodes import replanner_node  # noqa: E402
from lstm_predictor.nodes.replanner_node import ReplannerNode  # noqa: E402
from lstm_predictor.nodes.sim_node import SimNode  # noqa: E402
from nav_msgs.msg import Odometry, Path  # noqa: E402
from sensor_msgs.msg import Imu  # noqa: E402

pytestmark = [pytest.mark.ros, pytest.mark.usefixtures('one_thread')]

CALM_S = 1.5  # without odometry, longer than commands are put on its clock


class Planner:
    """Gives plans and sees what comes of them."""

    def __init__(self, probe):
        self.probe = probe
        self.diagnostics = probe.hear(DiagnosticArray, '/diagnostics')
        self.heard = probe.hear(TwistStamped, 'cmd_vel', reliable=True)
        self.odometry = probe.hear(Odometry, 'odom')
        self.plans = probe.talk(Path, 'plan')

    def connect(self):
        """Wait until the replanner hears plans and is heard."""
        self.probe.until(
            lambda: self.plans.get_subscription_count() and self.diagnostics
            and self.probe.node.count_publishers('cmd_vel'), 'the replanner')

    def status(self, name='replanning'):
        """Return what the newest diagnostics say of a topic or the replanning."""
        return next(entry for entry in self.diagnostics[-1].status
                    if entry.name == f'replanner: {name}')

    def says(self, words):
        """Return whether the newest diagnostics have the words."""
        return words in self.status().message

    def commands(self):
        """Return what was heard as [speed, yaw rate]."""
        return np.array([(message.twist.linear.x, message.twist.angular.z)
                         for message in self.heard]).reshape(-1, 2)


@pytest.fixture
def node(probe):
    """Return a function that makes an active replanner in this process."""

    def make(kind=ReplannerNode, **parameters):
        if kind is ReplannerNode:
            parameters = {'mode': 'mppi', 'diagnostics_period': 0.05, **parameters}
        return probe.activate(kind, **parameters)

    return make


def test_the_shipped_model_plans_a_straight_metre(probe, node):
    node(SimNode, imu_rate=50.0, command_delay=0.2)
    node()
    planner = Planner(probe)
    planner.connect()
    probe.until(lambda: len(planner.odometry) > 30, 'a second of odometry')
    assert planner.heard == [] and planner.says('idle')
    planner.plans.publish(plan_through((0.0, 0.0), (1.0, 0.0)))
    probe.until(lambda: planner.says('following'))
    probe.until(lambda: planner.says('at the goal'), 'the goal')
    probe.until(lambda: planner.commands()[-1].tolist() == [0.0, 0.0])
    path = np.array([readings.read_pose(message.pose.pose) for message in planner.odometry])
    assert path[-1, :2] == pytest.approx([1.0, 0.0], abs=0.1)
    assert np.abs(path[:, 1]).max() < 0.2  # 0.02 where the machine has nothing else to do
    assert (np.abs(planner.commands()) <= [0.22, 2.84]).all()
    # What is slow for a moment on a busy machine stays named for two seconds.
    probe.until(lambda: planner.status().level == DiagnosticStatus.OK)
    values = {item.key: item.value for item in planner.status().values}
    assert values['mode'] == 'mppi'
    for topic in ('odom', 'imu', 'plan'):
        probe.until(lambda: planner.status(topic).level == DiagnosticStatus.OK, topic)


def with_odometry(probe, node):
    """Return a planner and the publisher of its odometry, connected."""
    node()
    planner, odometry = Planner(probe), probe.talk(Odometry, 'odom')
    planner.connect()
    probe.until(odometry.get_subscription_count)
    return planner, odometry


def test_stops_without_odometry_and_goes_on_with_it(probe, node):
    planner, odometry = with_odometry(probe, node)
    sent_at = [0.0]

    def stand():
        if time.monotonic() - sent_at[-1] > 0.05:
            sent_at.append(time.monotonic())
            odometry.publish(drive(1, 0.0, time.time_ns())[0])

    planner.plans.publish(plan_through((0.0, 0.0), (1.0, 0.0)))
    for _ in range(2):
        probe.until(lambda: len(planner.heard) and planner.commands()[-1, 0] > 0.05, busy=stand)
        probe.until(lambda: planner.says('no fresh odometry'))
        probe.until(lambda: planner.commands()[-1].tolist() == [0.0, 0.0])
        probe.spin(CALM_S)
        planner.heard.clear()
        probe.until(lambda: len(planner.heard) > 3, 'a stop that is said again')
        assert (planner.commands() == 0.0).all()


def test_an_empty_plan_is_a_cancel(probe, node):
    node(SimNode, imu_rate=50.0)
    node()
    planner = Planner(probe)
    planner.connect()
    planner.plans.publish(Path())
    probe.until(lambda: planner.says('idle: the plan was cancelled'))
    assert planner.heard == []
    planner.plans.publish(plan_through((0.0, 0.0), (3.0, 0.0)))
    probe.until(lambda: len(planner.heard) and planner.commands()[-1, 0] > 0.05, 'speed')
    planner.plans.publish(Path())
    probe.until(lambda: planner.says('idle: the plan was cancelled'))
    probe.until(lambda: planner.commands()[-1].tolist() == [0.0, 0.0], 'a stop')
    assert planner.status().level == planner.status('plan').level == DiagnosticStatus.OK


def test_imu_is_counted_once_and_named_where_it_is_bad(probe, node):
    node()
    planner = Planner(probe)
    odometry, imu = probe.talk(Odometry, 'odom'), probe.talk(Imu, 'imu')
    planner.connect()
    probe.until(lambda: odometry.get_subscription_count() and imu.get_subscription_count())

    def counts():
        values = {item.key: item.value for item in planner.status('imu').values}
        return int(values['received']), int(values['rejected'])

    good = Imu(header=drive(1, 0.0, time.time_ns())[0].header)
    imu.publish(good)
    imu.publish(Imu())
    imu.publish(good)
    probe.until(lambda: counts() == (2, 1))
    probe.until(lambda: 'stamp' in planner.status('imu').message)


def test_odometry_of_a_velocity_that_no_robot_has_is_refused_by_name(probe, node):
    planner, odometry = with_odometry(probe, node)
    absurd = drive(1, 0.0, time.time_ns())[0]
    absurd.twist.twist.linear.x = 1e6
    odometry.publish(absurd)
    probe.until(lambda: 'rejected 1' in planner.status('odom').message)
    assert 'the largest of the robot is 0.22 m/s' in planner.status('odom').message
    assert planner.says('idle')


# As a process, and bad starts.

@pytest.mark.parametrize('mode', ['compensate', 'follow_path', 'mppi'])
def test_torch_is_there_only_to_plan_with_the_model(probe, start, mode):
    diagnostics = probe.hear(DiagnosticArray, '/diagnostics')
    process = start('replanner', mode=mode, diagnostics_period=0.05)
    probe.until(lambda: diagnostics and 'idle' in diagnostics[-1].status[-1].message)
    maps = FilePath(f'/proc/{process.process.pid}/maps').read_text()
    assert ('torch' in maps) == (mode == 'mppi')
    assert process.stop() == 0
    assert process.said == ''


@pytest.mark.parametrize('name, value, reason', [
    ('model_dt', 0.1, '0.05'), ('time_steps', 41, '40'), ('model_path', '/nowhere/model.pt', ''),
    ('model_path', __file__, ''), ('model_sha256', 64 * 'a', ''), ('knots', 1, '30'),
    ('batch_size', 0, 'positive')])
def test_a_model_that_does_not_fit_is_one_line(domain, refusal, name, value, reason):
    line = refusal(replanner_node.main, mode='mppi', **{name: value})
    assert reason in line
    assert name in line or FilePath(str(value)).name in line or 'sha256' in line


@pytest.fixture
def writable(model_path, tmp_path):
    """Return a good model file that anyone can change."""
    path = FilePath(shutil.copy(model_path, tmp_path / 'writable.pt'))
    path.chmod(0o666)
    return path


def test_a_model_that_anyone_can_change_is_one_line(domain, refusal, writable):
    line = refusal(replanner_node.main, mode='mppi', model_path=writable)
    assert '0666' in line and f'chmod o-w {writable}' in line


@pytest.mark.parametrize('how', ['model_sha256', 'allow_writable_model'])
def test_a_model_that_anyone_can_change_is_taken_where_it_is_meant(probe, node, writable, how):
    meant = {'model_sha256': file_sha256(writable), 'allow_writable_model': True}
    node(model_path=str(writable), **{how: meant[how]})
    assert probe.state('replanner') == 'active'
