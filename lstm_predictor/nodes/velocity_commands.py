"""
Velocity commands as Twist or TwistStamped, whichever the other side uses.

A subscription takes the type of the topic's publishers, a publisher that of the subscribers; both
look at the graph until they know it. Until then there is no other side.
"""

from collections.abc import Callable
import time
from typing import Any

from geometry_msgs.msg import Twist, TwistStamped

from lstm_predictor.nodes.queued_messages import waiting
from lstm_predictor.nodes.topic_endpoints import subscribers_problem, type_name

from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration, Infinite
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

COMMANDS = (Twist, TwistStamped)
_TYPES = {type_name(kind): kind for kind in COMMANDS}
_LOOK_PERIOD = 0.2  # [s]
_LEAVING = 0.03  # time that the last message has to leave this process [s]
# The durations are given outright, as the graph gives those of others.
_SENT = QoSProfile(depth=10, deadline=Infinite, liveliness_lease_duration=Infinite)
# Of a history all counts: a node that is behind takes the whole queue (queued_messages.py).
BEST_EFFORT = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
# The same of an IMU, which comes more often: a second of it at 200 Hz.
OFTEN = QoSProfile(depth=200, reliability=ReliabilityPolicy.BEST_EFFORT)
# Of commands and predictions only the newest counts: nothing older may be handed over first.
NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class CommandSubscription:
    """Subscribes to a topic in the type that its publishers have."""

    def __init__(self, node: Node, topic: str, callback: Callable[[Any], None],
                 before: type | None = None, qos: QoSProfile = BEST_EFFORT) -> None:
        """
        Call `callback` with the messages, once a publisher is there.

        A publisher that follows its subscribers, as the one below, would never come: `before` is
        the type of the subscription until there is one.
        """
        self._node = node
        self._topic = topic
        self._callback = callback
        self._qos = qos
        self._subscription: Any = None
        self._type: type | None = None
        self._timer = node.create_timer(
            _LOOK_PERIOD, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._look()
        if self._type is None and before is not None:
            self._subscribe(before)

    def destroy(self) -> None:
        """Unsubscribe."""
        self._node.destroy_timer(self._timer)
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)

    def catch_up(self) -> None:
        """Call back with every message in the queue."""
        for message in waiting(self._node, self._subscription) if self._subscription else ():
            self._callback(message)

    def _look(self) -> None:
        offered = _types(self._node.get_publishers_info_by_topic(self._topic))
        if not offered or self._type in offered:
            return
        if self._subscription is not None:
            # It goes once the executor has released it. Until then DDS rejects another type.
            self._node.destroy_subscription(self._subscription)
            self._subscription = self._type = None
            return
        self._subscribe(offered[0])

    def _subscribe(self, kind: type) -> None:
        self._subscription = self._node.create_subscription(
            kind, self._topic, self._callback, self._qos)
        self._type = kind


class CommandPublisher:
    """Publishes on a topic in the type that its subscribers have."""

    def __init__(self, node: Node, topic: str, frame_id: str = 'base_link') -> None:
        """Publish nothing until there is a subscriber; `frame_id` is that of stamped commands."""
        self._node = node
        self._topic = topic
        self._frame_id = frame_id
        self._publisher: Any = None
        self._type: Any = None
        self.problem = ''  # why a subscriber gets nothing
        self._timer = node.create_timer(
            _LOOK_PERIOD, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._look()

    def publish(self, speed: float, yaw_rate: float) -> None:
        """Publish a command [m/s], [rad/s], stamped with the time of the node's clock."""
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
        """Wait a little until the subscribers have what was sent."""
        if self._publisher is not None:
            self._publisher.wait_for_all_acked(Duration(seconds=0.2))
            # Best effort acknowledges nothing, and what is sent goes out a little later.
            time.sleep(_LEAVING)

    def stop(self) -> None:
        """Publish zero velocity, and wait until it was received."""
        self.publish(0.0, 0.0)
        self.flush()

    def destroy(self) -> None:
        """Stop publishing."""
        self._node.destroy_timer(self._timer)
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)

    def _look(self) -> None:
        subscribers = self._node.get_subscriptions_info_by_topic(self._topic)
        wanted = _types(subscribers)
        # Of two types one is published: that the other gets nothing must be reported.
        kinds = (self._type,) if self._type in wanted else COMMANDS
        problem = subscribers_problem(subscribers, kinds, _SENT)
        self.problem = f'{self._topic}: {problem}' if problem else ''
        if not wanted or self._type in wanted:
            return
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)
        self._type = wanted[0]
        self._publisher = self._node.create_publisher(self._type, self._topic, _SENT)


def _types(endpoints: list[Any]) -> list[type]:
    """Return the command types among the endpoints of a topic, the stamped one first."""
    found = {endpoint.topic_type for endpoint in endpoints}
    return [_TYPES[name] for name in sorted(found & set(_TYPES), reverse=True)]


def check_distinct_topics(node: Node) -> None:
    """Raise ValueError where the command that comes in and the one that goes out are one topic."""
    names = [node.resolve_topic_name(name) for name in ('cmd_vel_in', 'cmd_vel')]
    if names[0] == names[1]:
        raise ValueError(f'cmd_vel_in and cmd_vel are both {names[0]}: the {node.get_name()} '
                         f'would receive its own commands')
