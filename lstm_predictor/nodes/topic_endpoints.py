"""The other endpoints of a topic, and why their messages do not arrive."""

from typing import Any

from rclpy.node import Node
from rclpy.qos import qos_check_compatible, QoSCompatibility, QoSProfile

_UNKNOWN = '_NODE_NAME_UNKNOWN_'  # rmw's name for what was discovered a moment ago


def publishers_problem(node: Node, topic: str, kinds: tuple[type, ...], qos: QoSProfile) -> str:
    """Return why messages of a topic's publishers are not understood, or nothing."""
    publishers = node.get_publishers_info_by_topic(topic)
    problem = _problem(
        publishers, kinds, lambda other: qos_check_compatible(other, qos), 'publishes')
    if problem or len(publishers) <= 1:
        return problem
    several = f'{len(publishers)} nodes publish on {topic} ({names_of(publishers)})'
    types = sorted({publisher.topic_type for publisher in publishers})
    if len(types) > 1:
        return f'{several}, of different types: of {" and ".join(types)} one is not received'
    return f'{several}: the newest message counts'


def subscribers_problem(subscribers: list[Any], kinds: tuple[type, ...], qos: QoSProfile) -> str:
    """Return why the subscriptions of a topic get nothing, or nothing."""
    return _problem(
        subscribers, kinds, lambda other: qos_check_compatible(qos, other), 'subscribes to')


def type_name(kind: Any) -> str:
    """Return the name of a message type as the graph has it."""
    package, interface, *_ = kind.__module__.split('.')
    return f'{package}/{interface}/{kind.__name__}'


def _problem(others: list[Any], kinds: tuple[type, ...], check: Any, does: str) -> str:
    understood = [type_name(kind) for kind in kinds]
    for other in others:
        name = names_of([other])
        if other.topic_type not in understood:
            return f'{name} {does} {other.topic_type}, this node uses {" or ".join(understood)}'
        compatible, reason = check(other.qos_profile)
        if compatible == QoSCompatibility.ERROR:
            return f'{name} {does} it with incompatible QoS: {reason}'
    return ''


def names_of(others: list[Any]) -> str:
    """Return the full names of the nodes that endpoints belong to."""
    return ', '.join(sorted(map(_name, others)))


def _name(other: Any) -> str:
    if other.node_name == _UNKNOWN:
        return 'an unknown node'
    return f'{other.node_namespace.rstrip("/")}/{other.node_name}'
