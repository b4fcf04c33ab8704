"""turtlebot3_gazebo's robot, made to slip, to report and to move as its profile says."""

from pathlib import Path
from xml.etree import ElementTree

from lstm_predictor.paths import share
from lstm_predictor.profiles import Profile

_GRAVITY = 9.8  # [m/s^2]
_DIFF_DRIVE = 'gz::sim::systems::DiffDrive'
_ODOMETRY = 'gz::sim::systems::OdometryPublisher'


def slippery(model: Path, profile: Profile) -> str:
    """
    Return the SDF of a model with this package's plugins and the profile's limits and rates.

    The stock robot cannot slip, and nobody says where it really is. Raise ValueError for a model
    that Gazebo's DiffDrive does not drive.
    """
    tree = ElementTree.parse(model).getroot()
    robot = tree.find('model')
    drive = None if robot is None else robot.find(f"plugin[@name='{_DIFF_DRIVE}']")
    if robot is None or drive is None:
        raise ValueError(f'{model} has no DiffDrive of Gazebo Harmonic or newer: '
                         f'turtlebot3_gazebo has such models from ROS 2 Jazzy on')
    _drive_as(profile, drive)
    for sensor in robot.iterfind(".//sensor[@type='imu']"):
        _set(sensor, 'update_rate', profile.imu_rate)
        _set(sensor, 'gz_frame_id', profile.imu_frame)
    ours = ElementTree.parse(share() / 'config' / 'worlds' / 'robot_plugins.sdf').getroot()
    weight = _GRAVITY * sum(float(mass.text or 0.0) for mass in robot.iter('mass'))  # [N]
    for plugin in ours.iterfind('model/plugin'):
        for wheel in plugin.iterfind('wheel'):
            _set(wheel, 'wheel_normal_force', weight / len(plugin.findall('wheel')))
            _set(wheel, 'wheel_radius', profile.wheel_radius)
        if plugin.get('name') == _ODOMETRY:
            _set(plugin, 'robot_base_frame', profile.base_frame)
            _set(plugin, 'odom_publish_frequency', profile.odom_rate)
        robot.append(plugin)
    return ElementTree.tostring(tree, encoding='unicode')


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
    child = parent.find(name)
    if child is None:
        child = ElementTree.SubElement(parent, name)
    child.text = value if isinstance(value, str) else f'{value:g}'
