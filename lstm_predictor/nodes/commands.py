"""
Velocity commands as Twist or TwistStamped, whichever the other side speaks.

A subscription follows the publishers of its topic, a publisher the subscribers; both look at the
graph until they know. Until then nothing is received or sent, as nobody would have sent or heard.
"""

from collections.abc import Callable
import time
from typing import Any

from geometry_msgs.msg import Twist, TwistStamped

from lstm_predictor.nodes.graph import hearers_problem, type_name

from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration, Infinite
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

COMMANDS = (Twist, TwistStamped)
_TYPES = {type_name(kind): kind for kind in COMMANDS}
_LOOK_PERIOD = 0.2  # [s]
_LEAVING = 0.03  # time that the last message has to leave this process [s]
# The durations are said outright, as the graph says those of others.
_SENT = QoSProfile(depth=10, deadline=Infinite, liveliness_lease_duration=Infinite)
BEST_EFFORT = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)


class CommandSubscription:
    """Hears a topic in the type that its publishers have."""

    def __init__(self, node: Node, topic: str, callback: Callable[[Any], None],
                 before: type | None = None) -> None:
        """
        Call `callback` with every message, once a publisher is there.

        A publisher that follows its subscribers, as the one below, would never come: `before` is
        the type that is heard until there is one.
        """
        self._node = node
        self._topic = topic
        self._callback = callback
        self._subscription: Any = None
        self._type: type | None = None
        self._timer = node.create_timer(
            _LOOK_PERIOD, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._look()
        if self._type is None and before is not None:
            self._hear(before)

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
            # It goes once the executor has let go of it. Until then DDS refuses another type.
            self._node.destroy_subscription(self._subscription)
            self._subscription = self._type = None
            return
        self._hear(offered[0])

    def _hear(self, kind: type) -> None:
        self._subscription = self._node.create_subscription(
            kind, self._topic, self._callback, BEST_EFFORT)
        self._type = kind


class CommandPublisher:
    """Sends on a topic in the type that its subscribers have."""

    def __init__(self, node: Node, topic: str, frame_id: str = 'base_link') -> None:
        """Send nothing until a subscriber is there; `frame_id` goes into stamped commands."""
        self._node = node
        self._topic = topic
        self._frame_id = frame_id
        self._publisher: Any = None
        self._type: Any = None
        self.problem = ''  # why those who hear the topic get nothing, in words
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
        """Wait a little until those who hear have what was sent."""
        if self._publisher is not None:
            self._publisher.wait_for_all_acked(Duration(seconds=0.2))
            # Hearers of best effort acknowledge nothing, and what is sent goes out a little later.
            time.sleep(_LEAVING)

    def stop(self) -> None:
        """Ask for no motion, and wait until that was heard."""
        self.publish(0.0, 0.0)
        self.flush()

    def destroy(self) -> None:
        """Stop sending."""
        self._node.destroy_timer(self._timer)
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)

    def _look(self) -> None:
        hearers = self._node.get_subscriptions_info_by_topic(self._topic)
        wanted = _types(hearers)
        # Of two types one is sent: who wants the other must not be left in the dark.
        kinds = (self._type,) if self._type in wanted else COMMANDS
        problem = hearers_problem(hearers, kinds, _SENT)
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


def refuse_a_loop(node: Node) -> None:
    """Raise ValueError where the command that comes in and the one that goes out are one topic."""
    names = [node.resolve_topic_name(name) for name in ('cmd_vel_in', 'cmd_vel')]
    if names[0] == names[1]:
        raise ValueError(f'cmd_vel_in and cmd_vel are both {names[0]}: the {node.get_name()} '
                         f'would hear itself')
