"""Changes of messages on their way: dropped, delayed, corrupted."""

from collections.abc import Callable, Iterator
import math
import random
import time
from typing import Any

from fault_injection.testbed import Change, Testbed
from lstm_predictor.nodes.conversions import set_pose, time_message


def nothing(message: Any) -> list[Any]:
    """Drop a message."""
    return []


def setting(path: str, value: Any) -> Change:
    """Set a field of every message, by a path such as pose.pose.position.x."""
    *parents, name = path.split('.')

    def change(message: Any) -> list[Any]:
        part = message
        for parent in parents:
            part = getattr(part, parent)
        setattr(part, name, value)
        return [message]

    return change


def now_and_then(change: Change, every: int) -> Change:
    """Apply a change to every so many messages."""
    count = 0

    def some(message: Any) -> list[Any]:
        nonlocal count
        count += 1
        return change(message) if count % every == 0 else [message]

    return some


def quaternion(factor: float) -> Change:
    """Make every orientation longer or shorter; 0 is no rotation at all."""
    def change(message: Any) -> list[Any]:
        turn = message.pose.pose.orientation
        for name in 'xyzw':
            setattr(turn, name, factor * getattr(turn, name))
        return [message]

    return change


def covariance(path: str, value: float) -> Change:
    """Fill the covariances at the end of a path."""
    def change(message: Any) -> list[Any]:
        part = message
        for name in path.split('.'):
            part = getattr(part, name)
        part.covariance = [value] * 36
        return [message]

    return change


def losing(fraction: float, seed: int) -> Change:
    """Drop a fraction of all messages."""
    draws = random.Random(seed)
    return lambda message: [message] if draws.random() >= fraction else []


def repeated_stamp() -> Change:
    """Give every message the stamp of the first."""
    first: list[Any] = []

    def change(message: Any) -> list[Any]:
        first.append(message.header.stamp)
        message.header.stamp = first[0]
        return [message]

    return change


def swapped() -> Change:
    """Send every second message before the one that it follows."""
    held: list[Any] = []

    def change(message: Any) -> list[Any]:
        held.append(message)
        if len(held) < 2:
            return []
        sent = held[::-1]
        held.clear()
        return sent

    return change


def bursts(seconds: float) -> Change:
    """Hold messages back and send them all at once."""
    held: list[Any] = []
    began = time.monotonic()

    def change(message: Any) -> list[Any]:
        nonlocal began
        held.append(message)
        if time.monotonic() - began < seconds:
            return []
        sent, began = list(held), time.monotonic()
        held.clear()
        return sent

    return change


def multiplied(count: int, period: float) -> Change:
    """Send every message so many times, with stamps in between those of two."""
    def change(message: Any) -> Iterator[Any]:
        stamp = message.header.stamp
        begin_ns = 1_000_000_000 * stamp.sec + stamp.nanosec
        for i in range(count):  # one after the other, as copies would keep a core busy
            message.header.stamp = time_message(begin_ns + round(1e9 * period * i / count))
            yield message

    return change


def frozen(testbed: Testbed) -> Change:
    """Freeze the pose and set the twist to zero."""
    x, y, yaw = testbed.observations.odometry

    def change(message: Any) -> list[Any]:
        set_pose(message.pose.pose, x, y, yaw)
        message.twist.twist.linear.x = message.twist.twist.angular.z = 0.0
        return [message]

    return change


def not_finite(value: float) -> Callable[[Any], list[Any]]:
    """Set both components of a velocity command."""
    def change(message: Any) -> list[Any]:
        message.twist.linear.x = message.twist.angular.z = value
        return [message]

    return change


NAN, INF = math.nan, math.inf
