"""Start RViz with the robot, its past and its predicted path."""

import os

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from lstm_predictor.launch_utils import boolean, BOOLEANS, given, share_of


def rviz(context):
    """Return RViz; the arguments are known by now."""
    share_of('rviz2')
    file = given(context, 'rviz_config')
    if not os.path.isfile(file):
        raise RuntimeError(f'rviz_config "{file}" is not a file')
    return [Node(
        package='rviz2',
        executable='rviz2',
        name='rviz2',
        namespace=LaunchConfiguration('namespace'),
        arguments=['-d', file],
        parameters=[{'use_sim_time': boolean('use_sim_time')}],
        # as Nav2 has it: several robots share no transforms
        remappings=[('/tf', 'tf'), ('/tf_static', 'tf_static')],
        output='screen',
        on_exit=Shutdown(reason='RViz was closed'),
    )]


def generate_launch_description():
    """Return the arguments and RViz."""
    share = share_of('lstm_predictor')
    return LaunchDescription([
        DeclareLaunchArgument(
            'rviz_config', default_value=str(share / 'config' / 'rviz' / 'lstm_predictor.rviz'),
            description='Configuration file of RViz'),
        DeclareLaunchArgument(
            'namespace', default_value='', description='Namespace of the robot, such as robot1'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='false', choices=BOOLEANS,
            description='Take the time from /clock instead of the system clock'),
        OpaqueFunction(function=rviz),
    ])
