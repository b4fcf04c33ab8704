"""
Start Nav2 with the predictor and the replanner in its chain.

::

    controller -> cmd_vel_nav -> velocity_smoother -> cmd_vel_smoothed -> replanner
        -> cmd_vel_replanned -> collision_monitor -> cmd_vel

The output of the collision monitor is final. Humble's Nav2 has none: the command guard takes
its place, and the velocity smoother publishes ``cmd_vel_smoothed`` instead of ``cmd_vel``.
Of Nav2's own parameters only those in ``config/nav2_overlay.yaml`` are changed; arguments of
Nav2's launch file, such as ``map``, are passed on.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import SetRemap
from lstm_predictor.launch_utils import (
    BOOLEANS, distro, given, guard_argument, include, is_true, merged, read_yaml, share_of,
    written)
import yaml

# Nav2's launch files start a collision monitor in every distribution but this one.
MONITORED = distro() != 'humble'


def parameters(context):
    """Return Nav2's parameters with ours over them."""
    file = given(context, 'nav2_params_file') or str(
        share_of('nav2_bringup') / 'params' / 'nav2_params.yaml')
    stock = read_yaml(file, 'nav2_params_file')
    if not MONITORED:
        return stock
    if 'collision_monitor' not in stock:
        raise RuntimeError(f'nav2_params_file "{file}" has no collision_monitor at its top, so '
                           f'that it cannot subscribe to the replanner')
    overlay = share_of('lstm_predictor') / 'config' / 'nav2_overlay.yaml'
    return merged(stock, read_yaml(str(overlay), 'overlay'))


def check(context):
    """Refuse what cannot start; once a node runs, launch would leave it behind."""
    if is_true(context, 'nav2'):
        include('nav2_bringup', given(context, 'nav2_launch_file'))
        parameters(context)


def nav2(context):
    """Return Nav2, unless it is started elsewhere."""
    if not is_true(context, 'nav2'):
        return []
    arguments = {
        'params_file': written('nav2_params.yaml', yaml.safe_dump(parameters(context))),
        **{name: LaunchConfiguration(name) for name in ('namespace', 'use_sim_time', 'autostart')},
    }
    kept = []
    if not MONITORED:
        # A remapping of the launch file counts before one of the node, which sends the smoothed
        # command straight to the robot; but not in a container.
        kept = [SetRemap('cmd_vel_smoothed', 'cmd_vel_smoothed')]
        arguments['use_composition'] = 'False'
    return [GroupAction(
        [*kept, include('nav2_bringup', given(context, 'nav2_launch_file'), **arguments)])]


def generate_launch_description():
    """Return the arguments, the bringup with its own arguments, and Nav2."""
    return LaunchDescription([
        DeclareLaunchArgument(
            'nav2', default_value='true', choices=BOOLEANS,
            description='Start Nav2 too; false if it runs already, with '
                        'config/nav2_overlay.yaml in its parameters'),
        DeclareLaunchArgument(
            'nav2_launch_file', default_value='navigation_launch.py',
            description='Launch file of nav2_bringup: navigation_launch.py if another node '
                        'localises the robot, or bringup_launch.py with map:=FILE'),
        DeclareLaunchArgument(
            'nav2_params_file', default_value='',
            description="Nav2's own parameters. Empty: nav2_params.yaml of nav2_bringup"),
        # these are declared before the bringup declares them, so that their defaults count
        DeclareLaunchArgument(
            'cmd_vel_in_topic', default_value='cmd_vel_smoothed',
            description='Velocity command into the replanner, from the velocity smoother'),
        DeclareLaunchArgument(
            'cmd_vel_out_topic', default_value='cmd_vel_replanned' if MONITORED else '',
            description='Velocity command out of the replanner, for the collision monitor. '
                        'Empty, as in Humble, which has no monitor: the topic of the robot'),
        guard_argument('false' if MONITORED else 'true',
                       '; not needed behind a collision monitor'),
        OpaqueFunction(function=check),
        include('lstm_predictor', 'bringup.launch.py'),
        OpaqueFunction(function=nav2),
    ])
