"""
Start a simulated TurtleBot3 Burger with the predictor and the replanner.

``robot:=turtlebot4`` gives it the limits, rates, frames and commands of another robot.
The robot executes the output of the replanner; drive it by publishing ``cmd_vel_in``::

    ros2 topic pub -r 20 cmd_vel_in geometry_msgs/msg/Twist "{linear: {x: 0.15}}"
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from lstm_predictor.launch_utils import (
    boolean, BOOLEANS, distro, include, layers, number, profile_of, robot_argument, topic)

ROBOT = {
    'real_time_factor': float, 'command_delay': float, 'slip_patch_share': float, 'seed': int}


def numbers(context):
    """Return the robot's parameters that are given as arguments; the file has the others."""
    values = {name: number(context, name, kind) for name, kind in ROBOT.items()}
    return {name: value for name, value in values.items() if value is not None}


def parameters(context):
    """Return the parameters of the robot; later ones override earlier ones."""
    return [
        *layers(context, 'simulation.yaml', profile_of(context).sim_parameters(distro()),
                'sim_params_file'),
        {
            **numbers(context),
            'autostart': boolean('autostart'),
            # not use_sim_time: the node that publishes the clock cannot wait for it
            'publish_clock': boolean('use_sim_time'),
        },
    ]


def check(context):
    """Refuse what the robot cannot use; once a node runs, launch would leave it behind."""
    parameters(context)


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
            parameters=parameters(context),
            remappings=[
                ('odom', topic(context, 'odom_topic')),
                ('imu', topic(context, 'imu_topic')),
                ('cmd_vel', topic(context, 'cmd_vel_topic')),
                # as Nav2 has it: several robots share no transforms
                ('/tf', 'tf'),
            ],
            on_exit=Shutdown(reason='the simulated robot is gone'),
        ),
    ]


def generate_launch_description():
    """Return the arguments, the bringup with its own arguments, and the simulated robot."""
    return LaunchDescription([
        robot_argument('turtlebot3_burger'),
        DeclareLaunchArgument(
            'sim_params_file', default_value='',
            description='YAML file with parameters of sim that override those of '
                        'config/simulation.yaml and of the robot'),
        DeclareLaunchArgument(
            'real_time_factor', default_value='',
            description='Simulated seconds per second; other than 1.0 needs use_sim_time. '
                        'Empty: the value in sim_params_file, else 1.0'),
        DeclareLaunchArgument(
            'command_delay', default_value='',
            description='Input delay between cmd_vel and the motors [s]. '
                        'Empty: the value in sim_params_file, else 0.0'),
        DeclareLaunchArgument(
            'slip_patch_share', default_value='',
            description='Fraction of the floor that is slippery, 0 to 0.95. '
                        'Empty: the value in sim_params_file, else 0.0'),
        DeclareLaunchArgument(
            'seed', default_value='',
            description='Seed of the noise, an integer. '
                        'Empty: the value in sim_params_file, else 0'),
        OpaqueFunction(function=check),
        # declared before the bringup declares it, so that this default counts
        DeclareLaunchArgument(
            'use_sim_time', default_value='true', choices=BOOLEANS,
            description='The simulation publishes /clock, and the nodes use it'),
        include('lstm_predictor', 'bringup.launch.py'),
        OpaqueFunction(function=sim),
    ])
