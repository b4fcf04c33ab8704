"""
Start a simulated TurtleBot3 Burger with the predictor and the replanner.

The robot obeys the replanner; drive it by publishing ``cmd_vel_in``::

    ros2 topic pub -r 20 cmd_vel_in geometry_msgs/msg/Twist "{linear: {x: 0.15}}"
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction, Shutdown)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

ROBOT = {'real_time_factor': float, 'command_delay': float, 'seed': int}


def given(context):
    """Return the robot's parameters that are given as arguments; the file has the others."""
    values = {}
    for name, number in ROBOT.items():
        text = LaunchConfiguration(name).perform(context)
        try:
            if text:
                values[name] = number(text)
        except ValueError:
            raise RuntimeError(f'{name} "{text}" is not a number ({number.__name__})') from None
    return values


def check(context):
    """Refuse what the robot cannot use; once a node runs, launch would leave it behind."""
    given(context)
    params_file = LaunchConfiguration('sim_params_file').perform(context)
    if not os.path.isfile(params_file):
        raise RuntimeError(f'sim_params_file "{params_file}" is not a file')


def sim(context):
    """Return the simulated robot; the arguments are known by now."""
    return [
        Node(
            package='lstm_predictor',
            executable='sim',
            name='sim',
            namespace=LaunchConfiguration('namespace'),
            output='screen',
            ros_arguments=['--log-level', LaunchConfiguration('log_level')],
            parameters=[LaunchConfiguration('sim_params_file'), {
                'autostart': ParameterValue(LaunchConfiguration('autostart'), value_type=bool),
                # not use_sim_time: whoever makes the clock cannot wait for it
                'publish_clock': ParameterValue(
                    LaunchConfiguration('use_sim_time'), value_type=bool),
                **given(context),
            }],
            remappings=[
                ('odom', LaunchConfiguration('odom_topic')),
                ('imu', LaunchConfiguration('imu_topic')),
                ('cmd_vel', LaunchConfiguration('cmd_vel_topic')),
                # as Nav2 has it: several robots share no transforms
                ('/tf', 'tf'),
            ],
            on_exit=Shutdown(reason='the simulated robot is gone'),
        ),
    ]


def generate_launch_description():
    """Return the arguments, the bringup with its own arguments, and the simulated robot."""
    share = get_package_share_directory('lstm_predictor')
    return LaunchDescription([
        DeclareLaunchArgument(
            'sim_params_file', default_value=os.path.join(share, 'config', 'simulation.yaml'),
            description='YAML file with the parameters of sim'),
        DeclareLaunchArgument(
            'real_time_factor', default_value='',
            description='Simulated seconds per second; other than 1.0 needs use_sim_time. '
                        'Empty: the value in sim_params_file'),
        DeclareLaunchArgument(
            'command_delay', default_value='',
            description='Dead time between cmd_vel and the motors [s]. '
                        'Empty: the value in sim_params_file'),
        DeclareLaunchArgument(
            'seed', default_value='',
            description='Seed of the noise, an integer. Empty: the value in sim_params_file'),
        OpaqueFunction(function=check),
        # declared before the bringup declares it, so that this default counts
        DeclareLaunchArgument(
            'use_sim_time', default_value='true', choices=['true', 'false', 'True', 'False'],
            description='Let the simulation publish /clock, and the nodes take the time from it'),
        IncludeLaunchDescription(PythonLaunchDescriptionSource(
            os.path.join(share, 'launch', 'bringup.launch.py'))),
        OpaqueFunction(function=sim),
    ])
