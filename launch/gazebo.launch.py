"""
Start turtlebot3_gazebo's robot in a world where it slips, with predictor, replanner and guard.

Gazebo Harmonic or newer. The world has patches without grip, the wheels slip (WheelSlip) and
``ground_truth`` is its true pose (OdometryPublisher); topics, frames and rates are those
of the MuJoCo robot of ``simulation.launch.py``. Drive it by publishing ``cmd_vel_in``.

No system of Gazebo delays a command (TriggeredPublisher's ``delay_ms`` is for fixed messages). A
node before the bridge therefore makes the input delay, ``command_delay``. The truncation of
commands to steps of 0.01 is simulated by the MuJoCo robot only.
"""

import math
import os

from launch import LaunchDescription
from launch.actions import (
    AppendEnvironmentVariable, DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable,
    Shutdown)
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from lstm_predictor.gazebo.robot_model import slippery
from lstm_predictor.launch_utils import (
    boolean, BOOLEANS, given, guard_argument, include, is_true, model_argument, number, profile_of,
    robot_argument, share_of, topic, turtlebot3_model, written)

DELAYED = 'cmd_vel_delayed'  # the command to a robot with an input delay


def robot_file(context):
    """Return a file with the robot that slips."""
    model = f'turtlebot3_{turtlebot3_model(context)}'
    stock = share_of('turtlebot3_gazebo') / 'models' / model / 'model.sdf'
    return written(f'{model}.sdf', slippery(stock, profile_of(context)))


def check(context):
    """Refuse what cannot start; once a node runs, launch would leave it behind."""
    for package in ('ros_gz_sim', 'ros_gz_bridge', 'turtlebot3_gazebo', 'robot_state_publisher'):
        share_of(package)
    robot_file(context)
    delay(context)
    world = given(context, 'world')
    if not os.path.isfile(world):
        raise RuntimeError(f'world "{world}" is not a file')


def delay(context):
    """Return the input delay of the robot [s]."""
    seconds = number(context, 'command_delay') or 0.0
    if not 0.0 <= seconds < math.inf:
        raise RuntimeError(f'command_delay must be 0 or positive and finite [s], is {seconds}')
    return seconds


def link(context, common):
    """Return the node that delays commands on their way to the bridge."""
    return Node(
        package='lstm_predictor',
        executable='slow_link',
        name='slow_link',
        parameters=[{'command_delay': delay(context), 'use_sim_time': boolean('use_sim_time')}],
        remappings=[('cmd_vel_in', topic(context, 'cmd_vel_topic')), ('cmd_vel', DELAYED)],
        on_exit=Shutdown(reason='the link to the robot is gone'),
        **common,
    )


def gazebo(context):
    """Return Gazebo with the world, the robot in it, and the bridge to ROS."""
    server = '-r -s' if is_true(context, 'gui') else '-r -s --headless-rendering'
    common = {'namespace': LaunchConfiguration('namespace'), 'output': 'screen'}
    gui = include('ros_gz_sim', 'gz_sim.launch.py', gz_args='-g')
    delayed = delay(context) > 0.0
    obeyed = DELAYED if delayed else topic(context, 'cmd_vel_topic')
    return [
        AppendEnvironmentVariable(
            'GZ_SIM_RESOURCE_PATH', str(share_of('turtlebot3_gazebo') / 'models')),
        SetEnvironmentVariable('TURTLEBOT3_MODEL', turtlebot3_model(context)),
        include('ros_gz_sim', 'gz_sim.launch.py', on_exit_shutdown='true',
                gz_args=f'{server} -v2 {given(context, "world")}'),
        *([gui] if is_true(context, 'gui') else []),
        *([link(context, common)] if delayed else []),
        Node(
            package='ros_gz_sim',
            executable='create',
            arguments=['-name', 'robot', '-file', robot_file(context),
                       '-x', '0.0', '-y', '0.0', '-z', '0.01'],
            **common,
        ),
        Node(
            package='ros_gz_bridge',
            executable='parameter_bridge',
            name='gazebo_bridge',
            parameters=[{'config_file': str(
                share_of('lstm_predictor') / 'config' / 'gazebo_bridge.yaml')}],
            remappings=[('odom', topic(context, 'odom_topic')),
                        ('imu', topic(context, 'imu_topic')), ('cmd_vel', obeyed)],
            on_exit=Shutdown(reason='the bridge to Gazebo is gone'),
            **common,
        ),
        include('turtlebot3_gazebo', 'robot_state_publisher.launch.py',
                use_sim_time=LaunchConfiguration('use_sim_time')),
    ]


def generate_launch_description():
    """Return the arguments, the bringup with its own arguments, and Gazebo."""
    return LaunchDescription([
        model_argument(),
        # these are declared before the bringup declares them, so that their defaults count
        robot_argument(['turtlebot3_', LaunchConfiguration('model')]),
        guard_argument('true', '; the robot does not stop by itself'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='true', choices=BOOLEANS,
            description="Take the time from Gazebo's /clock"),
        DeclareLaunchArgument(
            'world',
            default_value=str(share_of('lstm_predictor') / 'config' / 'worlds' / 'slippery.sdf'),
            description='SDF file of the world'),
        DeclareLaunchArgument(
            'command_delay', default_value='0.2',
            description='Input delay of the robot [s]; the nodes are not given it'),
        DeclareLaunchArgument(
            'gui', default_value='true', choices=BOOLEANS,
            description="Show Gazebo's window; false needs no screen"),
        OpaqueFunction(function=check),
        include('lstm_predictor', 'bringup.launch.py'),
        OpaqueFunction(function=gazebo),
    ])
