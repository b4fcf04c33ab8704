"""turtlebot3_gazebo's robot, made to slip, to report and to move as its profile says."""

from copy import deepcopy
import math
from pathlib import Path
from xml.etree import ElementTree

from lstm_predictor.gazebo.sdf import Model
from lstm_predictor.gazebo.wheel_loads import wheel_loads
from lstm_predictor.paths import share
from lstm_predictor.robot_profiles import Profile

_GRAVITY = 9.8  # of a world without a value of its own [m/s^2]
_SMALL_MASS = 0.001  # of a link that stands for a place alone [kg]
_GYRATION = 0.001  # moment of inertia over mass, where a link has none [m^2]
_NEAR = 0.001  # by which a written angle misses a quarter turn [rad]
_DIFF_DRIVE = 'gz::sim::systems::DiffDrive'
_ODOMETRY = 'gz::sim::systems::OdometryPublisher'
_JOINT_STATES = 'gz::sim::systems::JointStatePublisher'


def slippery(model: Path, profile: Profile) -> str:
    """
    Return the SDF of a model with this package's plugins and the profile's limits and rates.

    The stock robot cannot slip, and its true pose is not published. Raise ValueError for a model
    that Gazebo's DiffDrive does not drive.
    """
    tree = ElementTree.parse(model).getroot()
    robot = tree.find('model')
    drive = None if robot is None else robot.find(f"plugin[@name='{_DIFF_DRIVE}']")
    if robot is None or drive is None:
        raise ValueError(f'{model} has no DiffDrive of Gazebo Harmonic or newer: '
                         f'turtlebot3_gazebo has such models from ROS 2 Jazzy on')
    wheels = _wheels(robot, drive)  # none where DiffDrive has no joints: it then drives nothing
    _weigh(robot)
    for wheel in wheels:
        _square(robot, wheel)
    _report_as(profile, robot)
    _drive_as(profile, drive)
    try:
        loads = dict(zip(wheels, wheel_loads(Model(robot), wheels, _GRAVITY))) if wheels else {}
    except ValueError as error:
        raise ValueError(f'{model}: {error}') from None
    ours = ElementTree.parse(share() / 'config' / 'worlds' / 'robot_plugins.sdf').getroot()
    for plugin in ours.iterfind('model/plugin'):
        _load(plugin, loads, profile.wheel_radius)
        if plugin.get('name') == _ODOMETRY:
            _set(plugin, 'robot_base_frame', profile.base_frame)
            _set(plugin, 'odom_publish_frequency', profile.odom_rate)
        robot.append(plugin)
    return ElementTree.tostring(tree, encoding='unicode')


def _wheels(robot: ElementTree.Element, drive: ElementTree.Element) -> list[str]:
    """Return the links that the joints of DiffDrive turn."""
    wheels = []
    for name in [(item.text or '').strip() for side in ('left_joint', 'right_joint')
                 for item in drive.iterfind(side)]:
        child = robot.findtext(f"joint[@name='{name}']/child", '').strip()
        if robot.find(f"link[@name='{child}']") is None:
            raise ValueError(f'{robot.get("name")} has no wheel on the joint {name}')
        wheels.append(child)
    return wheels


def _weigh(robot: ElementTree.Element) -> None:
    """Give every link without mass or inertia a small one: the defaults of SDF are 1 and 1."""
    for model in (robot, *robot.iterfind('.//model')):
        for link in model.iterfind('link'):
            inertial = _child(link, 'inertial')
            if inertial.find('mass') is None:
                _set(inertial, 'mass', _SMALL_MASS)
            mass = float(inertial.findtext('mass') or 0.0)
            inertia = _child(inertial, 'inertia')
            for axis in ('ixx', 'iyy', 'izz'):
                if inertia.find(axis) is None:
                    _set(inertia, axis, mass * _GYRATION)


def _square(robot: ElementTree.Element, wheel: str) -> None:
    """
    Set what is nearly a quarter turn right in the poses of a wheel and of its joint.

    A wheel that is rolled by -1.57 touches the floor with one rim, so that the robot turns about
    a point half a wheel's width beside its middle.
    """
    link = robot.find(f"link[@name='{wheel}']")
    joint = next(item for item in robot.iterfind('joint')
                 if item.findtext('child', '').strip() == wheel)
    for pose in (*link.iter('pose'), *joint.iter('pose')):  # type: ignore[union-attr]
        words = (pose.text or '').split()
        quarter = 90.0 if pose.get('degrees') in ('true', '1') else 0.5 * math.pi
        near = _NEAR * quarter / (0.5 * math.pi)
        if len(words) == 6:  # x y z roll pitch yaw
            for index, angle in enumerate(map(float, words[3:]), 3):
                exact = quarter * round(angle / quarter)
                if exact and abs(angle - exact) <= near:
                    words[index] = repr(exact)
            pose.text = ' '.join(words)


def _report_as(profile: Profile, robot: ElementTree.Element) -> None:
    for sensor in robot.iterfind(".//sensor[@type='imu']"):
        _set(sensor, 'update_rate', profile.imu_rate)
        _set(sensor, 'gz_frame_id', profile.imu_frame)
    for plugin in robot.iterfind(f"plugin[@name='{_JOINT_STATES}']"):
        # the driver has one timer for both; without it they come with every step of the physics
        _set(plugin, 'update_rate', profile.odom_rate)


def _load(plugin: ElementTree.Element, loads: dict[str, float], radius: float) -> None:
    """Say of each wheel what it carries [N], where a plugin asks for it."""
    wheels = plugin.findall('wheel')
    for wheel in wheels:
        plugin.remove(wheel)
    for name, load in loads.items() if wheels else ():
        wheel = deepcopy(wheels[0])
        wheel.set('link_name', name)
        _set(wheel, 'wheel_normal_force', load)
        _set(wheel, 'wheel_radius', radius)
        plugin.append(wheel)


def _drive_as(profile: Profile, drive: ElementTree.Element) -> None:
    # the name that turtlebot3_gazebo has is not DiffDrive's, which then takes 50 Hz
    _set(drive, 'odom_publish_frequency', profile.odom_rate)
    _set(drive, 'frame_id', profile.odom_frame)
    _set(drive, 'child_frame_id', profile.base_frame)
    for axis, name in ((0, 'linear'), (2, 'angular')):
        _set(drive, f'max_{name}_velocity', profile.max_velocity[axis])
        _set(drive, f'min_{name}_velocity', profile.min_velocity[axis])
        _set(drive, f'max_{name}_acceleration', profile.max_accel[axis])
        _set(drive, f'min_{name}_acceleration', profile.max_decel[axis])


def _set(parent: ElementTree.Element, name: str, value: float | str) -> None:
    """Give the child of that name a value, and make it where there is none."""
    _child(parent, name).text = value if isinstance(value, str) else f'{value:g}'


def _child(parent: ElementTree.Element, name: str) -> ElementTree.Element:
    """Return the child of that name, a new one where there is none."""
    child = parent.find(name)
    return ElementTree.SubElement(parent, name) if child is None else child
