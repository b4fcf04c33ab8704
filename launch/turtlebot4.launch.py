"""
Start the predictor and the replanner for a TurtleBot 4.

The robot's own bringup runs as a service on it, in the namespace that ``turtlebot4-setup`` gave
it. Its odometry and IMU are best effort, and so are these nodes' subscriptions; its commands are
TwistStamped from Jazzy on, which the nodes detect. Drive through the replanner; no other node may
command the robot::

    ros2 run teleop_twist_keyboard teleop_twist_keyboard --ros-args \
        -p stamped:=true -r cmd_vel:=cmd_vel_in
"""

import os

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from lstm_predictor.launch_utils import guard_argument, include, robot_argument


def generate_launch_description():
    """Return the arguments and the bringup with its own arguments."""
    return LaunchDescription([
        # these are declared before the bringup declares them, so that their defaults count
        robot_argument('turtlebot4'),
        DeclareLaunchArgument(
            'namespace', default_value=os.environ.get('ROBOT_NAMESPACE', '').strip('/'),
            description='Namespace of the robot, such as robot1. '
                        'Default: the environment variable ROBOT_NAMESPACE'),
        guard_argument('false', '; a TurtleBot 4 stops by itself after 0.5 s'),
        include('lstm_predictor', 'bringup.launch.py'),
    ])
