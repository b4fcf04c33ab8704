"""What RViz and Foxglove show: markers that agree with the predictions, and files that name us."""

import json
import math
from pathlib import Path
import re

from helpers.messages import drive, SECOND, stamp_of
import numpy as np
import pytest

pytest.importorskip('rclpy')

from geometry_msgs.msg import TwistStamped  # noqa: E402
from helpers.predictor_feed import Feed, OFTEN, with_imu_and_commands  # noqa: E402
from helpers.replanned_robot import Robot  # noqa: E402
from helpers.trajectories import prediction  # noqa: E402
from lstm_predictor.common import readings, se2  # noqa: E402
from lstm_predictor.common.uncertainty import CHI2_2_90  # noqa: E402
from lstm_predictor.nodes import predictor_node, replanner_node  # noqa: E402
from lstm_predictor.nodes.markers import command_markers, region_markers  # noqa: E402
from lstm_predictor.nodes.sim_node import SimNodeConfig  # noqa: E402
from nav_msgs.msg import Odometry, Path as PathMessage  # noqa: E402
from visualization_msgs.msg import Marker, MarkerArray  # noqa: E402
import yaml  # noqa: E402

pytestmark = pytest.mark.ros

ROOT = Path(__file__).parents[2]
RVIZ = ROOT / 'config' / 'rviz' / 'lstm_predictor.rviz'
FOXGLOVE = ROOT / 'config' / 'foxglove_layout.json'


def covariance_of(marker):
    """Return the covariance (2, 2) whose 90 % ellipse a disc is."""
    yaw = readings.yaw_of(marker.pose.orientation)
    axes = np.array([[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]])
    halves = np.array([marker.scale.x, marker.scale.y]) / 2.0
    return axes @ np.diag(halves ** 2 / CHI2_2_90) @ axes.T


# Markers.

@pytest.mark.parametrize('seed', range(3))
def test_discs_are_the_ellipses_of_the_path(seed):
    predicted = prediction(seed)
    markers = region_markers(predicted, 'robot/odom')
    assert len({marker.id for marker in markers}) == len(markers) == 8
    for marker in markers:
        assert marker.header.frame_id == 'robot/odom' and marker.type == Marker.CYLINDER
        assert stamp_of(marker) == predicted.anchor_ns
        place = [marker.pose.position.x, marker.pose.position.y]
        assert place == pytest.approx(predicted.poses[marker.id, :2])
        assert covariance_of(marker) == pytest.approx(predicted.covariances[marker.id, :2, :2])
        assert 0.0 < marker.lifetime.nanosec < SECOND and 0.0 < marker.color.a < 1.0
    assert markers[-1].id == len(predicted.poses) - 1


@pytest.mark.parametrize('speed, yaw_rate', [(0.2, 0.0), (0.0, 1.0), (-0.1, 0.5), (0.0, 0.0)])
def test_arrow_ends_where_the_command_leads_in_a_second(speed, yaw_rate):
    line, head = command_markers({'sent': (speed, yaw_rate)}, 'base')
    assert (line.points[0].x, line.points[0].y) == (0.0, 0.0)
    wanted = se2.exp(np.array([speed, 0.0, yaw_rate]))
    assert readings.read_pose(head.pose) == pytest.approx(wanted.tolist())
    assert (line.points[-1].x, line.points[-1].y) == pytest.approx(wanted[:2])
    assert {marker.header.frame_id for marker in (line, head)} == {'base'}
    assert {marker.header.stamp.sec for marker in (line, head)} == {0}


# Nodes.

@pytest.fixture
def predictor(probe, model_path):
    return probe.activate(predictor_node.PredictorNode, model_path=str(model_path),
                          diagnostics_period=OFTEN)


def test_no_disc_is_made_while_nobody_looks(probe, predictor, monkeypatch):
    made = []
    monkeypatch.setattr(predictor_node, 'region_markers', lambda *given: made.append(given) or [])
    feed = Feed(probe)
    feed.connect()
    feed.send(with_imu_and_commands(drive(20, 2.5)))
    feed.until_published(3)
    assert made == []


def test_discs_come_with_every_path(probe, predictor):
    heard = probe.hear(MarkerArray, 'predicted_markers')
    feed = Feed(probe)
    feed.connect()
    probe.until(lambda: probe.node.count_publishers('predicted_markers'), 'the markers')
    feed.send(with_imu_and_commands(drive(20, 2.5)))
    feed.until_published(3)
    probe.until(lambda: len(heard) == len(feed.paths), 'a marker for each path')
    for array, path in zip(heard, feed.paths):
        for marker in array.markers:
            assert stamp_of(marker) == stamp_of(path)
            step = path.poses[marker.id].pose.position
            assert (marker.pose.position.x, marker.pose.position.y) == (step.x, step.y)


def test_arrows_show_what_was_asked_for_and_what_is_sent(probe):
    probe.activate(replanner_node.ReplannerNode, diagnostics_period=0.05)
    heard = probe.hear(MarkerArray, 'command_markers')
    robot = Robot(probe)
    robot.connect()
    robot.odometry.publish(drive(20, 0.1)[0])
    # More than the robot can: it is limited.
    robot.ask_until(lambda: heard and robot.heard and {
        marker.ns for marker in heard[-1].markers} == {'asked', 'sent'}, 9.0, 0.0)
    ends = {marker.ns: marker.pose.position.x for marker in heard[-1].markers
            if marker.type == Marker.ARROW}
    assert ends['asked'] == pytest.approx(9.0) and 0.0 < ends['sent'] < 1.0
    assert {marker.header.frame_id for marker in heard[-1].markers} == {'base_footprint'}


# Files.

@pytest.fixture
def topics(probe, model_path):
    """Return the topics of the nodes with their types, as the graph has them."""
    probe.talk(TwistStamped, 'cmd_vel_in')
    probe.hear(TwistStamped, 'cmd_vel')
    probe.activate(predictor_node.PredictorNode, model_path=str(model_path))
    probe.activate(replanner_node.ReplannerNode)
    wanted = {'/predicted_markers', '/command_markers', '/odom', '/cmd_vel_in', '/cmd_vel'}

    def found():
        return dict(probe.node.get_topic_names_and_types())

    probe.until(lambda: wanted <= set(found()), 'the topics')
    # Of whoever knows how the robot looks, which the nodes do not ask.
    return {**found(), '/robot_description': ['std_msgs/msg/String']}


# The message of each display and panel that has a topic.
SHOWN = {
    'RobotModel': 'std_msgs/msg/String', 'Odometry': 'nav_msgs/msg/Odometry',
    'Path': 'nav_msgs/msg/Path', 'MarkerArray': 'visualization_msgs/msg/MarkerArray',
    'PoseWithCovariance': 'geometry_msgs/msg/PoseWithCovarianceStamped'}


def test_rviz_shows_topics_that_there_are(topics):
    manager = yaml.safe_load(RVIZ.read_text())['Visualization Manager']
    shown = []
    for display in manager['Displays']:
        topic = display.get('Topic') or display.get('Description Topic')
        if topic is None:
            assert display['Class'] == 'rviz_default_plugins/Grid'
            continue
        kind = SHOWN[display['Class'].removeprefix('rviz_default_plugins/')]
        assert kind in topics[f'/{topic["Value"]}'], display['Name']
        # Best effort matches every publisher; only who comes late asks for what was said before.
        late = topic['Durability Policy'] == 'Transient Local'
        assert late == (topic['Value'] == 'robot_description')
        assert (topic['Reliability Policy'] == 'Reliable') == late
        shown.append(topic['Value'])
    assert {'odom', 'predicted_path', 'predicted_pose', 'predicted_markers',
            'command_markers'} <= set(shown)
    assert not any('cmd_vel' == topic for topic in shown)  # hearing it would choose its type


def frames():
    return {SimNodeConfig.odom_frame, SimNodeConfig.base_frame}


def test_rviz_and_foxglove_look_at_frames_that_there_are():
    manager = yaml.safe_load(RVIZ.read_text())['Visualization Manager']
    assert manager['Global Options']['Fixed Frame'] in frames()
    assert manager['Views']['Current']['Target Frame'] in frames()
    assert json.loads(FOXGLOVE.read_text())['configById']['3D!robot']['followTf'] in frames()


def panels(part):
    return [part] if isinstance(part, str) else panels(part['first']) + panels(part['second'])


def test_foxglove_has_every_panel_once():
    layout = json.loads(FOXGLOVE.read_text())
    assert sorted(panels(layout['layout'])) == sorted(layout['configById'])


def test_foxglove_shows_topics_and_fields_that_there_are(topics):
    configs = json.loads(FOXGLOVE.read_text())['configById']
    assert set(configs['3D!robot']['topics']) <= set(topics)
    assert {config['topicToRender'] for config in configs.values()
            if 'topicToRender' in config} <= set(topics)
    kinds = {'nav_msgs/msg/Odometry': Odometry, 'geometry_msgs/msg/TwistStamped': TwistStamped,
             'nav_msgs/msg/Path': PathMessage}
    paths = [line['value'] for config in configs.values() for line in config.get('paths', ())]
    assert paths
    for path in paths:
        topic, fields = re.fullmatch(r'(/\w+)\.([\w.]+)', path).groups()
        value = kinds[topics[topic][0]]()
        for name in fields.split('.'):
            value = getattr(value, name)
        assert isinstance(value, float)
