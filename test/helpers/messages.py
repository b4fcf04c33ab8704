"""ROS messages: the odometry of a drive, stamps and commands."""

import math

try:
    from nav_msgs.msg import Odometry
except ImportError:
    pass  # the tests that call for messages are skipped

SECOND = 1_000_000_000  # [ns]


def drive(rate, seconds, begin_ns=1_000 * SECOND):
    """Return odometry at `rate` [Hz] of a robot that goes along a winding line."""
    x = y = yaw = 0.0
    messages = []
    for index in range(round(rate * seconds) + 1):
        elapsed = index / rate
        speed, yaw_rate = 0.15 + 0.05 * math.sin(elapsed), 0.8 * math.cos(1.3 * elapsed)
        message = Odometry()
        message.header.frame_id, message.child_frame_id = 'odom', 'base_footprint'
        set_stamp(message, begin_ns + round(SECOND * elapsed))
        message.pose.pose.position.x, message.pose.pose.position.y = x, y
        message.pose.pose.orientation.z = math.sin(yaw / 2.0)
        message.pose.pose.orientation.w = math.cos(yaw / 2.0)
        message.twist.twist.linear.x, message.twist.twist.angular.z = speed, yaw_rate
        messages.append(message)
        x += math.cos(yaw) * speed / rate
        y += math.sin(yaw) * speed / rate
        yaw += yaw_rate / rate
    return messages


def stamp_of(message):
    """Return the stamp of a message [ns]."""
    return message.header.stamp.sec * SECOND + message.header.stamp.nanosec


def set_stamp(message, stamp_ns):
    """Give a message its stamp [ns]."""
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, SECOND)


def velocity(kind, speed, yaw_rate):
    """Return a command [m/s], [rad/s] as a message: Twist or TwistStamped."""
    message = kind()
    twist = getattr(message, 'twist', message)
    twist.linear.x, twist.angular.z = speed, yaw_rate
    return message
