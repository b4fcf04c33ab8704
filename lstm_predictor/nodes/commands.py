"""
Velocity commands as Twist or TwistStamped, whichever the other side speaks.

A subscription follows the publishers of its topic, a publisher the subscribers; both look at the
graph until they know. Until then nothing is received or sent, as nobody would have sent or heard.
"""

from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import Twist, TwistStamped

from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

_TYPES = {'geometry_msgs/msg/Twist': Twist, 'geometry_msgs/msg/TwistStamped': TwistStamped}
_LOOK_PERIOD = 0.2  # [s]
BEST_EFFORT = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)


class CommandSubscription:
    """Hears a topic in the type that its publishers have."""

    def __init__(self, node: Node, topic: str, callback: Callable[[Any], None]) -> None:
        """Call `callback` with every message, once a publisher is there."""
        self._node = node
        self._topic = topic
        self._callback = callback
        self._subscription: Any = None
        self._type: type | None = None
        self._timer = node.create_timer(
            _LOOK_PERIOD, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._look()

    def destroy(self) -> None:
        """Stop hearing."""
        self._node.destroy_timer(self._timer)
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)

    def _look(self) -> None:
        offered = _types(self._node.get_publishers_info_by_topic(self._topic))
        if not offered or self._type in offered:
            return
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
        self._type = offered[0]
        self._subscription = self._node.create_subscription(
            self._type, self._topic, self._callback, BEST_EFFORT)


class CommandPublisher:
    """Sends on a topic in the type that its subscribers have."""

    def __init__(self, node: Node, topic: str, frame_id: str = 'base_link') -> None:
        """Send nothing until a subscriber is there; `frame_id` goes into stamped commands."""
        self._node = node
        self._topic = topic
        self._frame_id = frame_id
        self._publisher: Any = None
        self._type: Any = None
        self._timer = node.create_timer(
            _LOOK_PERIOD, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._look()

    def publish(self, speed: float, yaw_rate: float) -> None:
        """Send a command [m/s], [rad/s], stamped with the time of the node's clock."""
        if self._type is None:
            return
        message = self._type()
        twist = message
        if isinstance(message, TwistStamped):
            message.header.stamp = self._node.get_clock().now().to_msg()
            message.header.frame_id = self._frame_id
            twist = message.twist
        twist.linear.x = speed
        twist.angular.z = yaw_rate
        self._publisher.publish(message)

    def flush(self) -> None:
        """Wait a little until reliable subscribers have what was sent."""
        if self._publisher is not None:
            self._publisher.wait_for_all_acked(Duration(seconds=0.2))

    def destroy(self) -> None:
        """Stop sending."""
        self._node.destroy_timer(self._timer)
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)

    def _look(self) -> None:
        wanted = _types(self._node.get_subscriptions_info_by_topic(self._topic))
        if not wanted or self._type in wanted:
            return
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)
        self._type = wanted[0]
        self._publisher = self._node.create_publisher(self._type, self._topic, 10)


def _types(endpoints: list[Any]) -> list[type]:
    """Return the command types among the endpoints of a topic, the stamped one first."""
    found = {endpoint.topic_type for endpoint in endpoints}
    return [_TYPES[name] for name in sorted(found & set(_TYPES), reverse=True)]
