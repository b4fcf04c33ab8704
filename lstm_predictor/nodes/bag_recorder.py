"""Subscribes to serialized messages and hands them on, as for a recording."""

from collections.abc import Callable
from functools import partial
import time

from lstm_predictor.nodes.conversions import message_class
from lstm_predictor.recordings.rosbag_io import Message

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

_QOS = QoSProfile(depth=500, reliability=ReliabilityPolicy.BEST_EFFORT)


class Recorder:
    """Calls back with every message of the given topics."""

    def __init__(self, node: Node, types: dict[str, str], sink: Callable[[Message], None]) -> None:
        """Subscribe to topics by name, with their types such as nav_msgs/msg/Odometry."""
        self.counts = dict.fromkeys(types, 0)
        self._sink = sink
        self._subscriptions = [
            node.create_subscription(
                message_class(kind), topic, partial(self._on_message, topic, kind), _QOS,
                raw=True)
            for topic, kind in types.items()]

    def _on_message(self, topic: str, kind: str, data: bytes) -> None:
        self.counts[topic] += 1
        self._sink(Message(time.time_ns(), topic, kind, data))
