"""
Start the predictor, the replanner and the command guard for a TurtleBot3.

The robot's own ``ros2 launch turtlebot3_bringup robot.launch.py`` runs already, or comes with
``robot_bringup:=true``. Drive through the replanner; no other node may command the robot::

    ros2 run turtlebot3_teleop teleop_keyboard --ros-args -r cmd_vel:=cmd_vel_in
"""

import os

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from lstm_predictor.launch_utils import (
    BOOLEANS, guard_argument, include, is_true, model_argument, robot_argument, share_of,
    turtlebot3_model)


def check(context):
    """Refuse a wrong model, and a robot's bringup that cannot start, before anything runs."""
    turtlebot3_model(context)
    if is_true(context, 'robot_bringup'):
        share_of('turtlebot3_bringup')
        if not os.environ.get('LDS_MODEL'):
            raise RuntimeError(
                'robot_bringup needs the lidar: set LDS_MODEL to LDS-01, LDS-02 or LDS-03')


def robot(context):
    """Return the robot's own launch file where requested."""
    if not is_true(context, 'robot_bringup'):
        return []
    return [
        SetEnvironmentVariable('TURTLEBOT3_MODEL', turtlebot3_model(context)),
        include('turtlebot3_bringup', 'robot.launch.py',
                namespace=LaunchConfiguration('namespace'),
                usb_port=LaunchConfiguration('usb_port')),
    ]


def generate_launch_description():
    """Return the arguments, the bringup with its own arguments, and the robot on request."""
    return LaunchDescription([
        model_argument(),
        # these are declared before the bringup declares them, so that their defaults count
        robot_argument(['turtlebot3_', LaunchConfiguration('model')]),
        guard_argument('true', '; a TurtleBot3 does not stop by itself'),
        DeclareLaunchArgument(
            'robot_bringup', default_value='false', choices=BOOLEANS,
            description='Start turtlebot3_bringup too, on the robot; it needs LDS_MODEL'),
        DeclareLaunchArgument(
            'usb_port', default_value='/dev/ttyACM0',
            description='Port of the OpenCR board, for robot_bringup'),
        OpaqueFunction(function=check),
        include('lstm_predictor', 'bringup.launch.py'),
        OpaqueFunction(function=robot),
    ])
