"""
Start the predictor and the replanner, and on request the command guard.

The profile of the robot, ``robot:=turtlebot3_burger``, has its limits and topics; a file of your
own, ``params_file:=FILE``, overrides it.

In a Nav2 chain the replanner stands between the velocity smoother and the collision monitor, see
``nav2.launch.py``. The robot and the predictor subscribe to its output ``cmd_vel``.

Without a collision monitor, ``command_guard:=true`` puts a process between the replanner and the
robot that stops the robot when commands cease. No other node may then command the robot.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from lstm_predictor.launch_utils import (
    boolean, BOOLEANS, given, guard_argument, is_true, layers, profile_of, robot_argument, topic)


def nodes(context):
    """Return the nodes; the arguments are known by now."""
    profile = profile_of(context)

    def parameters(node):
        return layers(context, 'bringup.yaml', profile.parameters(node), 'params_file')

    common = {
        'package': 'lstm_predictor',
        'namespace': LaunchConfiguration('namespace'),
        'output': 'screen',
        'ros_arguments': ['--log-level', LaunchConfiguration('log_level')],
    }
    overrides = {name: boolean(name) for name in ('use_sim_time', 'autostart')}
    model = {}
    if given(context, 'model_path'):
        model['model_path'] = ParameterValue(LaunchConfiguration('model_path'), value_type=str)
    subscribed = [
        ('odom', topic(context, 'odom_topic')),
        # as Nav2 has it: several robots share no transforms
        ('/tf', 'tf'),
        ('/tf_static', 'tf_static'),
    ]
    out = topic(context, 'cmd_vel_out_topic')
    guarded = is_true(context, 'command_guard')
    replanned = 'cmd_vel_unguarded' if guarded else out
    guard = [
        Node(
            executable='command_guard',
            name='command_guard',
            parameters=[*parameters('command_guard'), overrides],
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
            parameters=[*parameters('predictor'), {**overrides, **model}],
            remappings=[
                *subscribed,
                ('imu', topic(context, 'imu_topic')),
                ('cmd_vel', topic(context, 'cmd_vel_topic')),
            ],
            **common,
        ),
        Node(
            executable='replanner',
            name='replanner',
            # the final command to the robot: the replanner learns from no other
            parameters=[*parameters('replanner'), {
                **overrides, 'robot_command_topic': topic(context, 'cmd_vel_topic')}],
            remappings=[
                *subscribed,
                ('cmd_vel_in', LaunchConfiguration('cmd_vel_in_topic')),
                ('cmd_vel', replanned),
            ],
            **common,
        ),
    ]


def generate_launch_description():
    """Return the arguments and the nodes that they are for."""
    return LaunchDescription([
        robot_argument('turtlebot3_burger'),
        DeclareLaunchArgument(
            'namespace', default_value='',
            description='Namespace of the nodes and of every relative topic, such as robot1'),
        DeclareLaunchArgument(
            'params_file', default_value='',
            description='YAML file with parameters that override those of config/bringup.yaml and '
                        'of the robot. '
                        'The key /**/predictor holds in any namespace, predictor in none only'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='false', choices=BOOLEANS,
            description='Take the time from /clock instead of the system clock'),
        DeclareLaunchArgument(
            'model_path', default_value='',
            description='TorchScript model file of the predictor. Empty: that of params_file, '
                        'otherwise that of the robot'),
        DeclareLaunchArgument(
            'autostart', default_value='true', choices=BOOLEANS,
            description='Configure and activate the nodes on start-up; '
                        'false: a lifecycle manager does'),
        guard_argument('false', ''),
        DeclareLaunchArgument(
            'log_level', default_value='info',
            choices=['debug', 'info', 'warn', 'error', 'fatal'],
            description='Lowest severity that is logged'),
        DeclareLaunchArgument(
            'odom_topic', default_value='',
            description='nav_msgs/Odometry of the robot. Empty: as in its profile'),
        DeclareLaunchArgument(
            'imu_topic', default_value='',
            description='sensor_msgs/Imu of the robot. Empty: as in its profile'),
        DeclareLaunchArgument(
            'cmd_vel_topic', default_value='',
            description='Velocity command to the robot, which the predictor subscribes to. '
                        'Empty: as in its profile'),
        DeclareLaunchArgument(
            'cmd_vel_in_topic', default_value='cmd_vel_in',
            description='Velocity command into the replanner, from a controller or a joystick'),
        DeclareLaunchArgument(
            'cmd_vel_out_topic', default_value='',
            description='Velocity command out of the replanner, or of the guard behind it. '
                        'Empty: the topic of the robot, as in its profile'),
        OpaqueFunction(function=nodes),
    ])
