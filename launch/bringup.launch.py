"""
Start the predictor and the replanner, and on request the command guard.

In a Nav2 chain the replanner stands between the velocity smoother and the collision monitor: give
``cmd_vel_in_topic:=cmd_vel_smoothed cmd_vel_out_topic:=cmd_vel_replanned`` and let the monitor
read ``cmd_vel_replanned``. Its output ``cmd_vel`` is what the robot gets and the predictor hears.

Where no monitor watches the last command, ``command_guard:=true`` puts a process between the
replanner and the robot that stops it when commands cease. It must be the only one that commands.
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

BOOLEANS = ['true', 'false', 'True', 'False']


def nodes(context):
    """Return the nodes; the arguments are known by now."""
    params_file = LaunchConfiguration('params_file').perform(context)
    if not os.path.isfile(params_file):
        # launch_ros itself would warn and go on with defaults that are not the user's
        raise RuntimeError(f'params_file "{params_file}" is not a file')
    common = {
        'package': 'lstm_predictor',
        'namespace': LaunchConfiguration('namespace'),
        'output': 'screen',
        'ros_arguments': ['--log-level', LaunchConfiguration('log_level')],
    }
    overrides = {
        name: ParameterValue(LaunchConfiguration(name), value_type=bool)
        for name in ('use_sim_time', 'autostart')
    }
    model = {}
    if LaunchConfiguration('model_path').perform(context):
        model['model_path'] = ParameterValue(LaunchConfiguration('model_path'), value_type=str)
    odom = ('odom', LaunchConfiguration('odom_topic'))
    out = LaunchConfiguration('cmd_vel_out_topic')
    guarded = LaunchConfiguration('command_guard').perform(context).lower() == 'true'
    replanned = 'cmd_vel_unguarded' if guarded else out
    guard = [
        Node(
            executable='command_guard',
            name='command_guard',
            parameters=[params_file, overrides],
            remappings=[('cmd_vel_in', replanned), ('cmd_vel', out)],
            # a guard that died would leave the robot with its last command
            respawn=True,
            **common,
        ),
    ]
    return [
        *(guard if guarded else []),
        Node(
            executable='predictor',
            name='predictor',
            parameters=[params_file, {**overrides, **model}],
            remappings=[
                odom,
                ('imu', LaunchConfiguration('imu_topic')),
                ('cmd_vel', LaunchConfiguration('cmd_vel_topic')),
            ],
            **common,
        ),
        Node(
            executable='replanner',
            name='replanner',
            parameters=[params_file, overrides],
            remappings=[
                odom,
                ('cmd_vel_in', LaunchConfiguration('cmd_vel_in_topic')),
                ('cmd_vel', replanned),
            ],
            **common,
        ),
    ]


def generate_launch_description():
    """Return the arguments and the nodes that they are for."""
    share = get_package_share_directory('lstm_predictor')
    return LaunchDescription([
        DeclareLaunchArgument(
            'namespace', default_value='',
            description='Namespace of the nodes and of every relative topic, such as robot1'),
        DeclareLaunchArgument(
            'params_file', default_value=os.path.join(share, 'config', 'bringup.yaml'),
            description='YAML file with the parameters of the nodes. '
                        'The key /**/predictor holds in any namespace, predictor in none only'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='false', choices=BOOLEANS,
            description='Take the time from /clock instead of the system clock'),
        DeclareLaunchArgument(
            'model_path', default_value='',
            description='TorchScript model file. Empty: the one that params_file names, '
                        'else models/turtlebot3.pt of this package'),
        DeclareLaunchArgument(
            'autostart', default_value='true', choices=BOOLEANS,
            description='Configure and activate the nodes at once; '
                        'false leaves that to a lifecycle manager'),
        DeclareLaunchArgument(
            'command_guard', default_value='false', choices=BOOLEANS,
            description='Put a process behind the replanner that stops the robot when commands '
                        'cease, whoever died'),
        DeclareLaunchArgument(
            'log_level', default_value='info',
            choices=['debug', 'info', 'warn', 'error', 'fatal'],
            description='Least severity that is logged'),
        DeclareLaunchArgument(
            'odom_topic', default_value='odom',
            description='nav_msgs/Odometry of the robot'),
        DeclareLaunchArgument(
            'imu_topic', default_value='imu',
            description='sensor_msgs/Imu of the robot'),
        DeclareLaunchArgument(
            'cmd_vel_topic', default_value='cmd_vel',
            description='Velocity command as the robot gets it, heard by the predictor'),
        DeclareLaunchArgument(
            'cmd_vel_in_topic', default_value='cmd_vel_in',
            description='Velocity command into the replanner, from a controller or a joystick; '
                        'cmd_vel_smoothed in a Nav2 chain'),
        DeclareLaunchArgument(
            'cmd_vel_out_topic', default_value='cmd_vel',
            description='Velocity command out of the replanner, or of the guard behind it; '
                        'in a Nav2 chain the collision monitor reads it'),
        OpaqueFunction(function=nodes),
    ])
