"""Messages that are queued in a subscription while its node is busy: all are taken at once."""

from typing import Any

from rclpy.node import Node

_QUIET = 1.0  # between two errors about messages that cannot be taken [s]


def waiting(node: Node, subscription: Any) -> list[Any]:
    """
    Return what waits behind the message that was just handed over, the oldest first.

    An executor hands over one message at a time, in the order of all topics: on a busy machine
    each would be as old as the queue is long. What comes meanwhile is left for the next time.
    """
    messages: list[Any] = []
    for _ in range(subscription.qos_profile.depth):
        try:
            with subscription.handle:
                taken = subscription.handle.take_message(subscription.msg_type, False)
        except Exception as error:  # of one message that is none, which must not stop the others
            node.get_logger().error(f'{type(error).__name__}: {error}',
                                    throttle_duration_sec=_QUIET)
            continue
        if taken is None:
            break
        messages.append(taken[0])
    return messages


def span(messages: list[Any]) -> float:
    """Return how much younger the last one is than the first by their stamps [s]."""
    first, last = (message.header.stamp for message in (messages[0], messages[-1]))
    return float(last.sec - first.sec) + 1e-9 * (last.nanosec - first.nanosec)
