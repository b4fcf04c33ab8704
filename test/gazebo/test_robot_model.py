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

from lstm_predictor import robot_profiles
from lstm_predictor.gazebo.robot_model import slippery
from lstm_predictor.gazebo.sdf import Model
from lstm_predictor.simulation.robot_config import RobotConfig

import pytest

import yaml

CONFIG = Path(__file__).parents[2] / 'config'
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
    'JointStatePublisher': ('joint-state-publisher', dict.fromkeys((
        'topic', 'joint_name', 'update_rate'))),
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
# Robots in the shape of turtlebot3_gazebo's: links that only stand for a place, wheels rolled by
# not quite a quarter turn, casters that hang 1 mm above the floor, all poses within the links.
# By size: body [kg], its pose, its box; where the wheels are and their mass; where the casters are
# and their mass; further links.
CAMERA = """<link name="camera_link"/>
  <link name="camera_rgb_frame"><pose>{0}</pose><inertial><pose>{0}</pose>
    <mass>0.035</mass></inertial></link>"""
SHAPES = {
    'burger': (0.82573504, '-0.064 0 0.070', '0.14 0.14 0.14', '-0.020 0 0.161',
               0.08, 0.1, ((-0.081, 0.0),), 0.005, ''),
    'waffle': (1.3729096, '-0.064 0 0.048', '0.265 0.265 0.089', '-0.052 0 0.111',
               0.144, 0.1, ((-0.177, -0.064), (-0.177, 0.064)), 0.001,
               CAMERA.format('0.069 -0.047 0.107 0 0 0')),
    'waffle_pi': (1.3729096, '-0.064 0 0.048', '0.265 0.265 0.089', '-0.052 0 0.111',
                  0.144, 0.02849894, ((-0.177, -0.064), (-0.177, 0.064)), 0.001,
                  CAMERA.format('0.076 0.0 0.093 0 0 0')),
}
# What each wheel carries [N], worked out by hand in test_wheels_carry_what_is_not_on_the_casters.
LOADS = {'burger': (2.2597, 2.2597), 'waffle': (5.8957, 6.0827), 'waffle_pi': (5.3021, 5.3021)}


def stock_sdf(size):
    """Return a robot with the names, the shape and the weight of one of turtlebot3_gazebo's."""
    body, at, box, lidar, beside, wheel_mass, casters, caster_mass, more = SHAPES[size]
    wheels = ''.join(f"""
  <link name="wheel_{side}_link">
    <inertial><pose>0 {y} 0.023 -1.57 0 0</pose><mass>{wheel_mass}</mass></inertial>
    <collision name="wheel"><pose>0 {y} 0.023 -1.57 0 0</pose><geometry>
      <cylinder><radius>0.033</radius><length>0.018</length></cylinder></geometry></collision>
  </link>
  <joint name="wheel_{side}_joint" type="revolute">
    <parent>base_link</parent><child>wheel_{side}_link</child>
    <pose>0.0 {y} 0.023 -1.57 0 0</pose><axis><xyz>0 0 1</xyz></axis></joint>"""
                     for side, y in (('left', beside), ('right', -beside)))
    props = ''.join(f"""
  <link name="caster_{index}_link"><pose>{x} {y} -0.004 -1.57 0 0</pose>
    <inertial><mass>{caster_mass}</mass></inertial>
    <collision name="ball"><geometry><sphere><radius>0.005</radius></sphere></geometry></collision>
  </link>""" for index, (x, y) in enumerate(casters))
    return f"""<?xml version="1.0"?>
<sdf version="1.8"><model name="turtlebot3_{size}">
  <link name="base_footprint"/>
  <link name="base_link"><inertial><pose>{at} 0 0 0</pose><mass>{body}</mass>
      <inertia><ixx>0.02</ixx><iyy>0.02</iyy><izz>0.03</izz></inertia></inertial>
    <collision name="base"><pose>{at} 0 0 0</pose><geometry><box><size>{box}</size></box>
    </geometry></collision></link>
  <link name="imu_link"><sensor name="tb3_imu" type="imu">
    <update_rate>200</update_rate><topic>imu</topic></sensor></link>
  <link name="base_scan"><inertial><pose>{lidar} 0 0 0</pose><mass>0.114</mass></inertial>
    <collision name="lidar"><pose>{lidar} 0 0 0</pose><geometry><cylinder>
      <radius>0.05</radius><length>0.05</length></cylinder></geometry></collision></link>{wheels}
  {props}{more}
  <joint name="base_joint" type="fixed"><parent>base_footprint</parent><child>base_link</child>
    <pose>0.0 0.0 0.010 0 0 0</pose></joint>
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
  <plugin filename="gz-sim-joint-state-publisher-system"
      name="gz::sim::systems::JointStatePublisher">
    <topic>joint_states</topic>
    <joint_name>wheel_left_joint</joint_name>
    <joint_name>wheel_right_joint</joint_name>
  </plugin>
</model></sdf>"""


@pytest.fixture(params=TURTLEBOT3)
def size(request):
    """Return the name of each TurtleBot3."""
    return request.param


@pytest.fixture
def stock(tmp_path, size):
    """Return the file of a robot like turtlebot3_gazebo's."""
    file = tmp_path / 'model.sdf'
    file.write_text(stock_sdf(size))
    return file


@pytest.fixture
def profile(size):
    """Return the profile of each TurtleBot3."""
    return robot_profiles.load(str(CONFIG / 'robots' / f'turtlebot3_{size}.yaml'))


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


def test_robot_slips_and_says_where_it_is(robot, profile, size):
    slip, truth = system(robot, 'WheelSlip'), system(robot, 'OdometryPublisher')
    for plugin in (slip, truth):
        assert_system(plugin)
    wheels = slip.findall('wheel')
    assert [wheel.get('link_name') for wheel in wheels] == ['wheel_left_link', 'wheel_right_link']
    for wheel, load in zip(wheels, LOADS[size]):
        assert value(wheel, 'wheel_radius') == profile.wheel_radius
        assert value(wheel, 'wheel_normal_force') == pytest.approx(load, abs=1e-4)
        assert value(wheel, 'slip_compliance_longitudinal') > 0.0
    assert truth.findtext('robot_base_frame') == profile.base_frame
    assert value(truth, 'odom_publish_frequency') == profile.odom_rate


def test_wheels_carry_what_is_not_on_the_casters(size):
    body, at, _, lidar, beside, wheel, casters, caster, more = SHAPES[size]
    aside = 0.0  # moment of the camera about the middle [kg m]
    parts = [(body, float(at.split()[0])), (0.114, float(lidar.split()[0])), (2.0 * wheel, 0.0),
             (0.002, 0.0), *((caster, x) for x, _ in casters)]
    if more:  # its pose is said twice, of the link and within the link
        x, y = map(float, more.split('<pose>')[1].split()[:2])
        parts += [(0.001, 0.0), (0.035, 2.0 * x)]
        aside = 0.035 * 2.0 * y
    reach = casters[0][0]
    both = 9.8 * sum(mass * (x - reach) for mass, x in parts) / -reach  # about the casters [N]
    # sideways all that touch share as equal springs
    stiffness = 2.0 * beside**2 + sum(y**2 for _, y in casters)
    tilt = 9.8 * aside / stiffness * beside
    assert LOADS[size] == pytest.approx((both / 2.0 + tilt, both / 2.0 - tilt), abs=1e-4)


def test_no_link_weighs_what_nobody_wrote(stock, robot):
    before = ElementTree.parse(stock).getroot().find('model')
    light = 0
    for link, stock_link in zip(robot.iterfind('link'), before.iterfind('link')):
        mass = value(link, 'inertial/mass')
        if stock_link.find('inertial') is None:
            assert mass == 0.001
            light += 1
        else:
            assert mass == value(stock_link, 'inertial/mass')
        for axis in ('ixx', 'iyy', 'izz'):
            written = stock_link.findtext(f'inertial/inertia/{axis}')
            moment = value(link, f'inertial/inertia/{axis}')
            assert moment == (float(written) if written else pytest.approx(1e-3 * mass, 1e-4))
    assert light == 2 + ('camera' in stock.read_text())


def test_links_without_inertial_in_a_nested_model_are_light_too(stock, profile):
    stock.write_text(stock.read_text().replace(
        '</model>', '<model name="arm"><link name="hand"/></model></model>'))
    arm = ElementTree.fromstring(slippery(stock, profile)).find('model/model')
    assert value(arm, 'link/inertial/mass') == 0.001
    assert value(arm, 'link/inertial/inertia/izz') == 1e-6


def test_wheels_stand_upright_and_the_robot_turns_about_its_middle(stock, robot):
    before = Model(ElementTree.parse(stock).getroot().find('model'))
    wheels = ('wheel_left_link', 'wheel_right_link')
    middle = [sum(model.lowest_points(wheel)[0][1] for wheel in wheels) / 2.0
              for model in (before, Model(robot))]
    assert abs(middle[0]) == pytest.approx(0.009, abs=1e-4)  # half the width of a wheel
    assert middle[1] == 0.0
    for wheel in wheels:
        for path in (f"link[@name='{wheel}']/inertial/pose",
                     f"link[@name='{wheel}']/collision/pose",
                     f"joint[child='{wheel}']/pose"):
            assert float(robot.findtext(path).split()[3]) == -0.5 * math.pi
    # and nothing else was moved
    assert 'caster_0_link"><pose>-0' in ElementTree.tostring(robot, encoding='unicode')
    assert robot.findtext("link[@name='caster_0_link']/pose").split()[3] == '-1.57'


@pytest.mark.parametrize('written, meant', [
    ('1.57 0 0', (0.5 * math.pi, 0.0, 0.0)), ('-1.5708 0 3.1416', (-0.5 * math.pi, 0.0, math.pi)),
    ('-1.56 0 0.0005', (-1.56, 0.0, 0.0005)), ('-1.5 0 0', (-1.5, 0.0, 0.0))])
def test_only_what_is_nearly_a_quarter_turn_is_set_right(stock, profile, written, meant):
    stock.write_text(stock.read_text().replace('0.023 -1.57 0 0', f'0.023 {written}'))
    robot = ElementTree.fromstring(slippery(stock, profile))
    for pose in robot.findall(".//link[@name='wheel_left_link']/*/pose"):
        assert tuple(map(float, pose.text.split()[3:])) == meant


def test_joint_states_come_at_the_rate_of_the_odometry(robot, profile):
    publisher = system(robot, 'JointStatePublisher')
    assert_system(publisher)
    assert value(publisher, 'update_rate') == profile.odom_rate
    assert len(publisher.findall('update_rate')) == 1


def test_step_of_the_world_is_that_of_the_simulated_robot():
    pytest.importorskip('mujoco')
    from lstm_predictor.simulation.plant import STEP_NS
    # the clock comes with every step, and nothing in Gazebo or in its bridge can thin it out
    world = ElementTree.parse(WORLD).getroot().find('world')
    step = value(world, 'physics/max_step_size')
    assert step == STEP_NS * 1e-9
    for size in TURTLEBOT3:
        profile = robot_profiles.load(str(CONFIG / 'robots' / f'turtlebot3_{size}.yaml'))
        for rate in (profile.odom_rate, profile.imu_rate):
            assert (1.0 / rate / step) == pytest.approx(round(1.0 / rate / step))


def test_joint_without_a_wheel_is_named(stock, profile):
    stock.write_text(stock.read_text().replace('<child>wheel_left_link<', '<child>wheel<'))
    with pytest.raises(ValueError, match='has no wheel on the joint wheel_left_joint'):
        slippery(stock, profile)


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
    stock.write_text(
        stock.read_text().replace('gz::sim::systems::DiffDrive', 'turtlebot3_diff_drive'))
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
