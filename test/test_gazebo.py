"""
The world, the robot and the bridge for Gazebo, as far as they can be checked without it.

The tables hold what sdformat 1.8 (sdf/1.8/*.sdf), the systems of gz-sim 8 to 10 (the
documentation in their headers and what they read) and ros_gz_bridge (bridge_config.cpp, the table
in its README) accept, of that what is used here. An SDF element or a plugin's parameter that
Gazebo does not know is ignored in silence, which is why they are written down.
"""

from importlib.util import find_spec
from itertools import combinations
import math
from pathlib import Path
from xml.etree import ElementTree

from lstm_predictor import profiles
from lstm_predictor.gazebo import slippery
from lstm_predictor.sim.robot_config import RobotConfig

import pytest

import yaml

CONFIG = Path(__file__).parents[1] / 'config'
WORLD = CONFIG / 'worlds' / 'slippery.sdf'
PLUGINS = CONFIG / 'worlds' / 'robot_plugins.sdf'
BRIDGE = yaml.safe_load((CONFIG / 'gazebo_bridge.yaml').read_text())
TURTLEBOT3 = ('burger', 'waffle', 'waffle_pi')

# An element, its attributes, and the children it may have; one without children holds a value.
ELEMENTS = {
    'sdf': ({'version'}, {'world', 'model'}),
    'world': ({'name'}, {'physics', 'plugin', 'light', 'model'}),
    'physics': ({'name', 'type'}, {'max_step_size', 'real_time_factor'}),
    'light': ({'name', 'type'}, {'pose', 'cast_shadows', 'diffuse', 'direction'}),
    'model': ({'name'}, {'static', 'link', 'plugin'}),
    'link': ({'name'}, {'pose', 'collision', 'visual'}),
    'collision': ({'name'}, {'geometry', 'surface'}),
    'visual': ({'name'}, {'geometry', 'material'}),
    'geometry': (set(), {'plane', 'box'}),
    'plane': (set(), {'normal', 'size'}),
    'box': (set(), {'size'}),
    'surface': (set(), {'friction'}),
    'friction': (set(), {'ode'}),
    'ode': (set(), {'mu', 'mu2'}),
    'material': (set(), {'ambient', 'diffuse'}),
    'plugin': ({'filename', 'name'}, None),  # by the table below
}
# A system: its library, and the parameters it reads, where one has parameters of its own.
SYSTEMS = {
    'Physics': ('physics', {}),
    'UserCommands': ('user-commands', {}),
    'SceneBroadcaster': ('scene-broadcaster', {}),
    'Sensors': ('sensors', {'render_engine': None}),
    'Imu': ('imu', {}),
    'WheelSlip': ('wheel-slip', {'wheel': {
        'slip_compliance_lateral', 'slip_compliance_longitudinal', 'wheel_normal_force',
        'wheel_radius'}}),
    'OdometryPublisher': ('odometry-publisher', dict.fromkeys((
        'odom_topic', 'odom_frame', 'robot_base_frame', 'odom_publish_frequency', 'dimensions'))),
    'DiffDrive': ('diff-drive', dict.fromkeys((
        'left_joint', 'right_joint', 'wheel_separation', 'wheel_radius', 'topic', 'odom_topic',
        'tf_topic', 'frame_id', 'child_frame_id', 'odom_publish_frequency',
        *(f'{bound}_{axis}_{what}' for bound in ('min', 'max') for axis in ('linear', 'angular')
          for what in ('velocity', 'acceleration'))))),
}
# What the bridge carries, by its own table.
BRIDGED = {
    'rosgraph_msgs/msg/Clock': {'gz.msgs.Clock'},
    'geometry_msgs/msg/TwistStamped': {'gz.msgs.Twist'},
    'nav_msgs/msg/Odometry': {'gz.msgs.Odometry', 'gz.msgs.OdometryWithCovariance'},
    'tf2_msgs/msg/TFMessage': {'gz.msgs.Pose_V'},
    'sensor_msgs/msg/JointState': {'gz.msgs.Model'},
    'sensor_msgs/msg/Imu': {'gz.msgs.IMU'},
    'sensor_msgs/msg/LaserScan': {'gz.msgs.LaserScan'},
}
KEYS = {'ros_topic_name', 'gz_topic_name', 'ros_type_name', 'gz_type_name', 'direction'}
# A robot with the names that turtlebot3_gazebo's have.
STOCK = """<?xml version="1.0"?>
<sdf version="1.8"><model name="turtlebot3_burger">
  <link name="base_link"><inertial><mass>0.8</mass></inertial></link>
  <link name="imu_link"><sensor name="tb3_imu" type="imu">
    <update_rate>200</update_rate><topic>imu</topic></sensor></link>
  <link name="wheel_left_link"><inertial><mass>0.1</mass></inertial></link>
  <link name="wheel_right_link"><inertial><mass>0.1</mass></inertial></link>
  <plugin filename="gz-sim-diff-drive-system" name="gz::sim::systems::DiffDrive">
    <left_joint>wheel_left_joint</left_joint>
    <right_joint>wheel_right_joint</right_joint>
    <max_linear_acceleration>1.0</max_linear_acceleration>
    <topic>cmd_vel</topic>
    <odom_topic>odom</odom_topic>
    <frame_id>odom</frame_id>
    <child_frame_id>base_footprint</child_frame_id>
    <tf_topic>/tf</tf_topic>
  </plugin>
</model></sdf>"""


@pytest.fixture
def stock(tmp_path):
    """Return the file of a robot like turtlebot3_gazebo's."""
    file = tmp_path / 'model.sdf'
    file.write_text(STOCK)
    return file


@pytest.fixture(params=TURTLEBOT3)
def profile(request):
    """Return the profile of each TurtleBot3."""
    return profiles.load(str(CONFIG / 'robots' / f'turtlebot3_{request.param}.yaml'))


@pytest.fixture
def robot(stock, profile):
    """Return the robot that slips."""
    return ElementTree.fromstring(slippery(stock, profile)).find('model')


def system(parent, name):
    """Return the one plugin of that name."""
    found, = parent.findall(f"plugin[@name='gz::sim::systems::{name}']")
    return found


def value(element, path):
    return float(element.findtext(path))


def assert_known(element):
    """Check an element, and all in it, against the tables."""
    attributes, children = ELEMENTS[element.tag]
    assert set(element.attrib) == attributes, element.tag
    if element.tag == 'plugin':
        assert_system(element)
        return
    for child in element:
        assert child.tag in children, f'{child.tag} in {element.tag}'
        if child.tag in ELEMENTS:
            assert_known(child)
        else:
            assert not child.attrib and not len(child) and child.text.strip(), child.tag


def assert_system(plugin):
    """Check the name, the library and the parameters of a plugin."""
    name = plugin.get('name').removeprefix('gz::sim::systems::')
    library, parameters = SYSTEMS[name]
    assert plugin.get('filename') == f'gz-sim-{library}-system'
    for child in plugin:
        assert child.tag in parameters, f'{child.tag} of {name}'
        if parameters[child.tag]:
            assert {item.tag for item in child} == parameters[child.tag]


@pytest.mark.parametrize('path', [WORLD, PLUGINS], ids=lambda path: path.stem)
def test_sdf_has_only_what_gazebo_knows(path):
    root = ElementTree.parse(path).getroot()
    assert_known(root)
    assert root.get('version') == '1.8'


def test_world_runs_what_its_robot_needs():
    world = ElementTree.parse(WORLD).getroot().find('world')
    for name in ('Physics', 'UserCommands', 'SceneBroadcaster', 'Sensors', 'Imu'):
        system(world, name)


def test_frictions_are_those_of_the_simulated_robot():
    world = ElementTree.parse(WORLD).getroot().find('world')
    for model, friction in (('floor', RobotConfig().friction),
                            ('patches', RobotConfig().slip_patch_friction)):
        found = world.findall(f"model[@name='{model}']//ode")
        assert found
        assert {value(item, name) for item in found for name in ('mu', 'mu2')} == {friction}
    assert {item.text for item in world.iterfind('model/static')} == {'true'}


def test_patches_lie_apart_flush_and_not_under_the_start():
    world = ElementTree.parse(WORLD).getroot().find('world')
    centres = []
    for link in world.iterfind("model[@name='patches']/link"):
        x, y, z, roll, pitch, _ = map(float, link.findtext('pose').split())
        size, = {item.text for item in link.iterfind('.//size')}
        length, width, height = map(float, size.split())
        assert roll == pitch == 0.0
        assert 0.0 < z + height / 2.0 < 0.001  # a wheel of 33 mm takes no notice of a millimetre
        centres.append((x, y))
    reach = math.hypot(length, width) / 2.0
    assert len(centres) >= 8
    assert all(math.hypot(*centre) > reach + 0.3 for centre in centres)
    assert all(math.dist(*pair) > 2.0 * reach for pair in combinations(centres, 2))


def test_robot_slips_and_says_where_it_is(robot, profile):
    slip, truth = system(robot, 'WheelSlip'), system(robot, 'OdometryPublisher')
    for plugin in (slip, truth):
        assert_system(plugin)
    wheels = slip.findall('wheel')
    links = {link.get('name') for link in robot.iterfind('link')}
    assert {wheel.get('link_name') for wheel in wheels} == {
        'wheel_left_link', 'wheel_right_link'} <= links
    for wheel in wheels:
        assert value(wheel, 'wheel_radius') == profile.wheel_radius
        assert value(wheel, 'wheel_normal_force') == pytest.approx(1.0 * 9.8 / 2.0)
        assert value(wheel, 'slip_compliance_longitudinal') > 0.0
    assert truth.findtext('robot_base_frame') == profile.base_frame
    assert value(truth, 'odom_publish_frequency') == profile.odom_rate


def test_robot_has_limits_rates_and_frames_of_its_profile(robot, profile):
    drive = system(robot, 'DiffDrive')
    assert_system(drive)
    for axis, name in ((0, 'linear'), (2, 'angular')):
        assert value(drive, f'max_{name}_velocity') == profile.max_velocity[axis]
        assert value(drive, f'min_{name}_velocity') == profile.min_velocity[axis]
        assert value(drive, f'max_{name}_acceleration') == profile.max_accel[axis]
        assert value(drive, f'min_{name}_acceleration') == profile.max_decel[axis]
    assert value(drive, 'odom_publish_frequency') == profile.odom_rate
    assert drive.findtext('frame_id') == profile.odom_frame
    assert drive.findtext('child_frame_id') == profile.base_frame
    imu = robot.find(".//sensor[@type='imu']")
    assert value(imu, 'update_rate') == profile.imu_rate
    assert imu.findtext('gz_frame_id') == profile.imu_frame
    assert len(drive.findall('max_linear_acceleration')) == 1


def test_robot_for_gazebo_classic_is_refused(stock, profile):
    stock.write_text(STOCK.replace('gz::sim::systems::DiffDrive', 'turtlebot3_diff_drive'))
    with pytest.raises(ValueError, match=r'model\.sdf has no DiffDrive .* from ROS 2 Jazzy on$'):
        slippery(stock, profile)


def test_bridge_has_only_what_it_accepts():
    for entry in BRIDGE:
        assert set(entry) == KEYS
        assert entry['gz_type_name'] in BRIDGED[entry['ros_type_name']]
        assert entry['direction'] == (
            'ROS_TO_GZ' if entry['ros_topic_name'] == 'cmd_vel' else 'GZ_TO_ROS')


def test_bridge_hears_the_topics_of_the_robot(robot):
    carried = {entry['gz_topic_name'] for entry in BRIDGE}
    drive = system(robot, 'DiffDrive')
    for topic in (drive.findtext('topic'), drive.findtext('odom_topic'),
                  drive.findtext('tf_topic'), robot.findtext('.//sensor/topic'),
                  system(robot, 'OdometryPublisher').findtext('odom_topic')):
        assert topic.lstrip('/') in carried


@pytest.mark.ros
def test_bridge_is_what_the_sim_node_is(probe):
    pytest.importorskip('rclpy')
    pytest.importorskip('mujoco')
    from lstm_predictor.nodes.sim_node import SimNode
    node = probe.activate(SimNode, publish_clock=True)
    published = dict(node.get_publisher_names_and_types_by_node('sim', '/'))
    heard = dict(node.get_subscriber_names_and_types_by_node('sim', '/'))
    # the robot in MuJoCo has no lidar, and without tf2_msgs no transform
    bridged = {'/' + entry['ros_topic_name'].lstrip('/'): entry for entry in BRIDGE}
    assert bridged.pop('/scan')
    if not find_spec('tf2_msgs'):
        assert bridged.pop('/tf')
    for name, entry in bridged.items():
        side = published if entry['direction'] == 'GZ_TO_ROS' else heard
        assert side[name] == [entry['ros_type_name']]
    of_node = {name for name in published if not name.startswith(('/sim/', '/ros', '/param'))}
    assert of_node == set(bridged) - {'/cmd_vel'}


@pytest.mark.ros
def test_frames_are_those_of_the_sim_node(robot, profile):
    pytest.importorskip('rclpy')
    pytest.importorskip('mujoco')
    from lstm_predictor.nodes.sim_node import SimNodeConfig
    config = SimNodeConfig()
    assert (profile.odom_frame, profile.base_frame, profile.imu_frame) == (
        config.odom_frame, config.base_frame, config.imu_frame)
    truth = system(robot, 'OdometryPublisher')
    assert truth.findtext('odom_frame') == 'world'
    assert truth.findtext('odom_topic') == 'ground_truth'
