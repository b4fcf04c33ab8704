"""Plays a recording on the topics that the predictor subscribes to, with its clock."""

from collections.abc import Callable, Iterable, Iterator
import time
from typing import Any

from lstm_predictor.nodes.conversions import message_class, time_message
from lstm_predictor.recordings.rosbag_io import Message, Topics

from rclpy.node import Node

from rosgraph_msgs.msg import Clock

_CLOCK_STEP_NS = 1_000_000
_BACK_NS = 100_000_000  # a clock that goes back further was set back


class Player:
    """Publishes recorded messages byte for byte; /clock shows what the robot's clock showed."""

    def __init__(self, node: Node, topics: Topics, types: dict[str, str],
                 time_ns: Callable[[int], int] = lambda receive_ns: receive_ns) -> None:
        """
        Publish the recorded topics, whose `types` are by recorded name, under relative names.

        `time_ns` makes of a time of receipt [ns] that of the robot's clock.
        """
        self._time_ns = time_ns
        names = {topics.odom: 'odom', topics.imu: 'imu', topics.cmd_vel: 'cmd_vel'}
        self._publishers = {
            topic: node.create_publisher(message_class(kind), names[topic], 100)
            for topic, kind in types.items()}
        self._clock = node.create_publisher(Clock, '/clock', 100)
        self._clock_ns = 0

    def has_subscribers(self) -> bool:
        """Return whether every topic has a subscriber."""
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
            self._tell_time(self._time_ns(message.receive_ns))
            publisher: Any = self._publishers[message.topic]
            publisher.publish(message.data)
            yield message

    def _tell_time(self, now_ns: int) -> None:
        if not self._clock_ns - _BACK_NS < now_ns < self._clock_ns + _CLOCK_STEP_NS:
            self._clock_ns = now_ns
            self._clock.publish(Clock(clock=time_message(now_ns)))
