"""Who else is on a topic, and why nothing of what they say arrives."""

from typing import Any

from rclpy.node import Node
from rclpy.qos import qos_check_compatible, QoSCompatibility, QoSProfile

_UNKNOWN = '_NODE_NAME_UNKNOWN_'  # as rmw says it of who was discovered a moment ago


def senders_problem(node: Node, topic: str, kinds: tuple[type, ...], qos: QoSProfile) -> str:
    """Return in words why those who send on a topic are not understood, or nothing."""
    senders = node.get_publishers_info_by_topic(topic)
    problem = _problem(senders, kinds, lambda other: qos_check_compatible(other, qos), 'sends')
    if problem or len(senders) <= 1:
        return problem
    several = f'{len(senders)} nodes send on {topic} ({_names(senders)})'
    types = sorted({sender.topic_type for sender in senders})
    if len(types) > 1:
        return f'{several}, of different types: of {" and ".join(types)} one is not heard'
    return f'{several}: the last one counts'


def hearers_problem(hearers: list[Any], kinds: tuple[type, ...], qos: QoSProfile) -> str:
    """Return in words why the subscriptions of a topic get nothing, or nothing."""
    return _problem(hearers, kinds, lambda other: qos_check_compatible(qos, other), 'hears')


def type_name(kind: Any) -> str:
    """Return the name of a message type as the graph has it."""
    package, interface, *_ = kind.__module__.split('.')
    return f'{package}/{interface}/{kind.__name__}'


def _problem(others: list[Any], kinds: tuple[type, ...], check: Any, does: str) -> str:
    wanted = [type_name(kind) for kind in kinds]
    for other in others:
        name = _names([other])
        if other.topic_type not in wanted:
            return f'{name} {does} {other.topic_type}, this node {" or ".join(wanted)}'
        compatible, reason = check(other.qos_profile)
        if compatible == QoSCompatibility.ERROR:
            return f'{name} {does} it with another quality of service: {reason}'
    return ''


def _names(others: list[Any]) -> str:
    return ', '.join(sorted(map(_name, others)))


def _name(other: Any) -> str:
    if other.node_name == _UNKNOWN:
        return 'somebody'
    return f'{other.node_namespace.rstrip("/")}/{other.node_name}'
