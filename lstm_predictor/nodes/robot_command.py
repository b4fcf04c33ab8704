"""
The command as the robot gets it, where other nodes stand between this one and the robot.

In a chain this node's own `cmd_vel` is remapped to what comes next, and the robot's topic often is
`cmd_vel`: a name that this node cannot subscribe to, as it would be remapped as well. So a second
node without remappings listens.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from lstm_predictor.nodes.topic_endpoints import names_of, type_name
from lstm_predictor.nodes.velocity_commands import COMMANDS, CommandSubscription

import rclpy
from rclpy.node import Node

_LONGEST = 5  # nodes in a row that pass commands on
_TYPES = {type_name(kind) for kind in COMMANDS}


class RobotCommand:
    """Subscribes to the last topic of the chain that begins with the commands of a node."""

    def __init__(self, node: Node, sent: str, named: str, ours: set[str],
                 callback: Callable[[Any], None]) -> None:
        """
        Call back with every command that arrives at the robot.

        `sent` is the full name of the topic of this node's commands. The robot's is the one
        `named`, or else found in the graph: a node that subscribes to `sent` and publishes
        commands passes them on. It is none of `ours`, the topics on which this node gets its own.
        """
        self._node, self._sent, self._ours = node, sent, ours
        within = node.get_namespace().rstrip('/')
        self._named = named if named.startswith('/') or not named else f'{within}/{named}'
        self._callback = callback
        self._listener: Node | None = None
        self._subscription: CommandSubscription | None = None
        self.topic = ''  # of the robot, where it is another one than `sent`

    def look(self) -> bool:
        """Look at the graph; return whether it is another topic now."""
        topic = self._named or last_of_chain(self._node, self._sent, self._ours)
        topic = '' if topic == self._sent else topic
        executor = self._node.executor
        if topic == self.topic or executor is None:
            return False
        self.destroy()
        self.topic = topic
        if topic:
            self._listener = rclpy.create_node(
                f'_{self._node.get_name()}_listener', namespace=self._node.get_namespace(),
                context=self._node.context, use_global_arguments=False,
                enable_rosout=False, start_parameter_services=False)
            self._subscription = CommandSubscription(self._listener, topic, self._callback)
            executor.add_node(self._listener)
        return True

    def publishers(self) -> str:
        """Return the names of the other nodes that command the robot."""
        others = self._node.get_publishers_info_by_topic(
            _as_it_is(self.topic or self._sent), no_mangle=True)
        own = self._node.get_fully_qualified_name()
        return names_of([other for other in others if names_of([other]) != own])

    def destroy(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._subscription.destroy()
            self._subscription = None
        if self._listener is not None:
            self._listener.destroy_node()
            self._listener = None


def last_of_chain(node: Node, topic: str, never: set[str]) -> str:
    """
    Return where commands on a topic arrive that other nodes pass on, or the topic itself.

    Where a chain divides, the one to `cmd_vel` counts, or else none.
    """
    seen, usual = {topic, *never}, f'{node.get_namespace().rstrip("/")}/cmd_vel'
    for _ in range(_LONGEST):
        after = _passed_on(node, topic) - seen
        if len(after) > 1:
            after &= {usual}
        if len(after) != 1:
            break
        topic = after.pop()
        seen.add(topic)
    return topic


def _passed_on(node: Node, topic: str) -> set[str]:
    """Return the topics on which the subscribers of a topic publish commands."""
    found = set()
    for other in node.get_subscriptions_info_by_topic(_as_it_is(topic), no_mangle=True):
        name, namespace = other.node_name, other.node_namespace
        if (name, namespace) == (node.get_name(), node.get_namespace()):
            continue
        with suppress(RuntimeError):  # it has gone in the meantime, or its name is not known yet
            found |= {published for published, kinds
                      in node.get_publisher_names_and_types_by_node(name, namespace)
                      if _TYPES & set(kinds)}
    return found


def _as_it_is(topic: str) -> str:
    """Return the name that DDS has for a topic: the node would remap the other one."""
    return f'rt{topic}'
