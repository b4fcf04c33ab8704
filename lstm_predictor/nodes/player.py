"""Plays a recording on the topics that the predictor hears, with its clock."""

from collections.abc import Callable, Iterable, Iterator
import time
from typing import Any

from lstm_predictor.bags import Message, Topics
from lstm_predictor.nodes.messages import message_class, time_message

from rclpy.node import Node

from rosgraph_msgs.msg import Clock

_CLOCK_STEP_NS = 1_000_000


class Player:
    """Publishes recorded messages byte for byte; /clock shows when they were recorded."""

    def __init__(self, node: Node, topics: Topics, types: dict[str, str]) -> None:
        """Offer the recorded topics, whose `types` are by recorded name, under relative names."""
        names = {topics.odom: 'odom', topics.imu: 'imu', topics.cmd_vel: 'cmd_vel'}
        self._publishers = {
            topic: node.create_publisher(message_class(kind), names[topic], 100)
            for topic, kind in types.items()}
        self._clock = node.create_publisher(Clock, '/clock', 100)
        self._clock_ns = 0

    def is_heard(self) -> bool:
        """Return whether somebody listens to every topic."""
        return all(publisher.get_subscription_count() for publisher in self._publishers.values())

    def play(self, messages: Iterable[Message], rate: float, wait: Callable[[float], None]
             ) -> Iterator[Message]:
        """
        Publish each message when its time has come, `rate` times faster, and yield it.

        `wait` lets so many seconds pass.
        """
        begin: tuple[int, float] | None = None
        for message in messages:
            if begin is None:
                begin = (message.receive_ns, time.monotonic())
            due = begin[1] + 1e-9 * (message.receive_ns - begin[0]) / rate
            wait(due - time.monotonic())
            self._tell_time(message.receive_ns)
            publisher: Any = self._publishers[message.topic]
            publisher.publish(message.data)
            yield message

    def _tell_time(self, now_ns: int) -> None:
        if now_ns >= self._clock_ns + _CLOCK_STEP_NS:
            self._clock_ns = now_ns
            self._clock.publish(Clock(clock=time_message(now_ns)))
