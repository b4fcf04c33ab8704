"""
Record the topics for training: odometry, IMU and commands, and the ground truth where published.

``./dev train`` and ``./dev evaluate`` read the folder. Drive as in normal use, with turns, stops
and changes of speed; start with ten minutes. Ctrl-C ends the recording.
"""

from datetime import datetime

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, Shutdown
from lstm_predictor.launch_utils import (
    BOOLEANS, distro, given, is_true, profile_of, robot_argument, share_of)


def record(context):
    """Return the recorder; the arguments are known by now."""
    share_of('ros2bag')
    storage = given(context, 'storage')
    if storage == 'mcap':  # which Humble has not from the start
        share_of('rosbag2_storage_mcap')
    profile = profile_of(context)
    namespace = given(context, 'namespace').strip('/')
    relative = [profile.odom_topic, profile.imu_topic, profile.cmd_vel_topic, 'cmd_vel_in',
                'joint_states', 'ground_truth', *given(context, 'topics').split()]
    names = [name if name.startswith('/') else '/'.join(['', *filter(None, [namespace, name])])
             for name in relative]
    output = given(context, 'output') or datetime.now().strftime('recording_%Y%m%d-%H%M%S')
    return [ExecuteProcess(
        cmd=[
            'ros2', 'bag', 'record', '--output', output,
            *(['--storage', storage] if storage else []),
            *(['--use-sim-time'] if is_true(context, 'use_sim_time') else []),
            # what Humble has no name for is deprecated without it in the others
            *([] if distro() == 'humble' else ['--topics']), *dict.fromkeys(names),
        ],
        output='screen',
        on_exit=Shutdown(reason='the recording has ended'),
    )]


def generate_launch_description():
    """Return the arguments and the recorder."""
    return LaunchDescription([
        robot_argument('turtlebot3_burger'),
        DeclareLaunchArgument(
            'namespace', default_value='', description='Namespace of the robot, such as robot1'),
        DeclareLaunchArgument(
            'output', default_value='',
            description='New folder for the recording. '
                        'Empty: recording_ and the time, in the current folder'),
        DeclareLaunchArgument(
            'storage', default_value='', choices=['', 'mcap', 'sqlite3'],
            description='File format. Empty: that of the ROS distribution, which is sqlite3 in '
                        'Humble and mcap later'),
        DeclareLaunchArgument(
            'topics', default_value='tf tf_static',
            description='Further topics, separated by spaces'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='false', choices=BOOLEANS,
            description='Stamp with the time from /clock'),
        OpaqueFunction(function=record),
    ])
