"""The sim node has the topics, frames and rates of turtlebot3_gazebo, and moves when told to."""

import math
import signal
import time

from helpers.messages import SECOND, stamp_of, velocity
from helpers.probe import own_domain
from helpers.processes import assert_one_error_line
import numpy as np
import pytest

pytest.importorskip('rclpy')

from geometry_msgs.msg import PoseWithCovarianceStamped, Twist, TwistStamped  # noqa: E402
from lstm_predictor.nodes import sim_node  # noqa: E402
from lstm_predictor.nodes.sim_node import SimNode  # noqa: E402
from nav_msgs.msg import Odometry  # noqa: E402
from rclpy.time import Time  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import Imu, JointState  # noqa: E402

pytestmark = pytest.mark.ros

RATES = {'odom': 30.0, 'imu': 200.0, 'joint_states': 30.0, 'ground_truth': 30.0}  # [Hz]


class Robot:
    """What a controller sees of the robot."""

    def __init__(self, probe, command=TwistStamped):
        self.probe = probe
        self.kind = command
        self.heard = {
            'odom': probe.hear(Odometry, 'odom'), 'imu': probe.hear(Imu, 'imu'),
            'joint_states': probe.hear(JointState, 'joint_states'),
            'ground_truth': probe.hear(Odometry, 'ground_truth')}
        self.clocks = probe.hear(Clock, '/clock')
        self.publisher = probe.talk(command, 'cmd_vel')

    def connect(self):
        self.probe.until(lambda: self.publisher.get_subscription_count()
                         and all(self.heard.values()), 'the robot')

    def ask(self, speed, yaw_rate):
        self.publisher.publish(velocity(self.kind, speed, yaw_rate))

    def now_ns(self):
        """Return the newest simulated time."""
        return Time.from_msg(self.clocks[-1].clock).nanoseconds


@pytest.fixture
def node(probe):
    """Return a function that makes an active robot in this process."""

    def make(**parameters):
        return probe.activate(SimNode, **parameters)

    return make


def test_process_is_a_turtlebot3(probe, start):
    process = start('sim')
    robot = Robot(probe)
    robot.connect()
    assert abs(stamp_of(robot.heard['odom'][-1]) - time.time_ns()) < 30 * SECOND
    robot.ask(0.2, 0.5)
    robot.ask(math.nan, 0.0)  # is refused
    probe.until(lambda: robot.heard['odom'][-1].pose.pose.position.x > 0.15)

    odometry, imu = robot.heard['odom'][-1], robot.heard['imu'][-1]
    assert (odometry.header.frame_id, odometry.child_frame_id) == ('odom', 'base_footprint')
    assert imu.header.frame_id == 'imu_link'
    assert list(robot.heard['joint_states'][-1].name) == [
        'wheel_left_joint', 'wheel_right_joint']
    twist = odometry.twist.twist
    assert (twist.linear.x, twist.angular.z) == pytest.approx((0.2, 0.5), abs=0.02)
    assert imu.angular_velocity.z == pytest.approx(0.5, abs=0.02)
    assert imu.linear_acceleration.z == pytest.approx(9.81, abs=0.2)
    left, right = robot.heard['joint_states'][-1].velocity
    assert (left, right) == pytest.approx(
        ((0.2 - 0.04) / 0.033, (0.2 + 0.04) / 0.033), rel=0.1)
    truth = robot.heard['ground_truth'][-1].pose.pose.position
    assert math.hypot(truth.x - odometry.pose.pose.position.x,
                      truth.y - odometry.pose.pose.position.y) < 0.05
    for topic, rate in RATES.items():
        steps = np.diff([stamp_of(message) for message in robot.heard[topic]]) / SECOND * rate
        if topic == 'ground_truth':  # stamped when it was true, soon after the odometry
            assert np.mean(steps) == pytest.approx(1.0, rel=0.1)
        else:
            assert np.median(steps) == pytest.approx(1.0, rel=1e-3), topic
            assert steps.min() > 0.99, topic
    assert robot.clocks == []
    assert process.stop(signal.SIGINT) == 0
    assert len(process.said.splitlines()) == 1 and 'cmd_vel rejected' in process.said


@pytest.mark.parametrize('kind', [Twist, TwistStamped])
def test_type_of_the_command_is_a_parameter(probe, node, kind):
    robot = Robot(probe, kind)
    node(cmd_vel_type=kind.__name__)
    robot.connect()
    probe.until(lambda: robot.heard['odom'][-1].pose.pose.position.x > 0.02,
                busy=lambda: robot.ask(0.2, 0.0))


def test_command_delay_is_visible(probe, node):
    robot = Robot(probe)
    node(command_delay=0.4, publish_clock=True)
    robot.connect()
    probe.until(lambda: robot.clocks)
    sent_ns = robot.now_ns()
    robot.ask(0.2, 0.0)
    probe.until(lambda: robot.heard['odom'][-1].twist.twist.linear.x > 0.1)
    moved_ns = next(stamp_of(message) for message in robot.heard['odom']
                    if message.twist.twist.linear.x > 0.01)
    # A reading is of the time since the one before; the command itself was on its way for a while.
    assert 0.4 <= (moved_ns - sent_ns) / SECOND < 1.5


def test_deactivation_lets_time_stand_still(probe, node):
    robot = Robot(probe)
    made = node(publish_clock=True)
    robot.connect()
    made.trigger_deactivate()
    probe.turn(50)
    count = len(robot.heard['odom'])
    probe.spin(0.3)
    assert len(robot.heard['odom']) == count
    made.trigger_cleanup()
    probe.until(lambda: not probe.node.count_publishers('odom'))
    made.trigger_configure()
    made.trigger_activate()
    probe.until(lambda: len(robot.heard['odom']) > count)
    assert stamp_of(robot.heard['odom'][count]) < 1.5 * SECOND


def test_clock_runs_at_its_factor_and_the_predictor_follows(probe, start, model_path):
    predictor = start(
        'predictor', model_path=model_path, use_sim_time='true', pose_horizon=0.5)
    sim = start('sim', publish_clock='true', real_time_factor=4.0)
    robot = Robot(probe)
    predicted = probe.hear(PoseWithCovarianceStamped, 'predicted_pose')
    robot.connect()
    probe.until(lambda: robot.clocks)
    begin, begin_ns = time.monotonic(), robot.now_ns()
    # Simulated time gains on real time, however little a busy machine gives it.
    probe.until(lambda: (robot.now_ns() - begin_ns) / SECOND > time.monotonic() - begin + 3.0
                and len(predicted) > 10)
    # Up to 3 s may have waited when it began. Without a bound it runs 200 times as fast.
    assert (robot.now_ns() - begin_ns) / SECOND < 4.0 * (time.monotonic() - begin) + 3.0
    clocks = [Time.from_msg(message.clock).nanoseconds for message in robot.clocks]
    assert clocks == sorted(clocks)
    # Half a second after a reading of the robot, which are 1/30 s apart from 1 s on.
    anchors = [stamp_of(message) - SECOND // 2 for message in predicted]
    readings = [(anchor - SECOND) * 30 / SECOND for anchor in anchors]
    assert all(abs(reading - round(reading)) < 1e-3 for reading in readings)
    assert max(anchors) > SECOND
    # On a busy machine the clock is heard later than the predictions.
    probe.until(lambda: robot.now_ns() >= max(anchors), 'the clock to be where they were made')
    assert predictor.stop() == 0 and sim.stop() == 0
    assert predictor.said == sim.said == ''


@pytest.fixture(scope='module')
def bad_starts(start):
    """Return processes that cannot start."""
    with own_domain():
        yield {'command_delay': start('sim', command_delay=-1.0),
               'comand_delay': start('sim', comand_delay=1.0)}


@pytest.mark.parametrize('name', ['command_delay', 'comand_delay'])
def test_bad_start_is_one_line(bad_starts, name):
    assert_one_error_line(bad_starts[name], name)


@pytest.mark.parametrize('name, value', [
    ('command_delay', '.nan'), ('command_delay', '1'), ('cmd_vel_type', 'Tvist'),
    ('real_time_factor', '2.0'), ('real_time_factor', '.nan'), ('odometry_source', 'gps'),
    ('seed', '1.5'), ('seed', '-1'), ('odom_rate', '0.0'), ('publish_clock', 'maybe')])
def test_bad_parameter_is_named(refusal, name, value):
    assert name in refusal(sim_node.main, **{name: value})


def test_infinite_real_time_factor_is_named(refusal):
    assert 'real_time_factor' in refusal(
        sim_node.main, publish_clock='true', real_time_factor='.inf')
