"""What has arrived, what was refused and how old it is, as diagnostics say it."""

from dataclasses import dataclass
import math
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from rclpy.node import Node

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
STALE = DiagnosticStatus.STALE


@dataclass
class Input:
    """One topic as it was heard so far."""

    topic: str
    needed: bool = True  # an input that is not needed is never an error
    timeout: float = 1.0  # age from which it counts as stopped [s]
    count: int = 0
    last: float | None = None  # [s] steady
    refused: int = 0
    reason: str = ''  # of the last refusal
    refused_at: float = -math.inf  # [s] steady

    def heard(self, steady: float) -> None:
        """Count a good message."""
        self.count += 1
        self.last = steady

    def refuse(self, reason: str, steady: float) -> None:
        """Count a message that must not be used."""
        self.refused += 1
        self.reason = reason
        self.refused_at = steady

    def status(self, steady: float) -> DiagnosticStatus:
        """Return the state of the topic in words and numbers."""
        age = None if self.last is None else steady - self.last
        level, text = OK, f'{self.topic} arrives'
        if age is None:
            level, text = (STALE if self.needed else OK), f'nothing heard on {self.topic} yet'
        elif age > self.timeout:
            level = ERROR if self.needed else OK
            text = f'{self.topic} stopped {age:.1f} s ago'
        if steady - self.refused_at <= self.timeout:
            text = f'{self.topic}: refused {self.refused}, last: {self.reason}'
            level = ERROR if level in (ERROR, STALE) else WARN
        return self._status(level, text, 'never' if age is None else f'{age:.3f}')

    def unread(self) -> DiagnosticStatus:
        """Return the state of the topic of a node that is not active."""
        return self._status(OK, f'{self.topic} is not read', 'unknown')

    def _status(self, level: Any, text: str, age: str) -> DiagnosticStatus:
        return status(level, self.topic, text, {
            'received': self.count, 'refused': self.refused, 'age [s]': age})


def status(level: Any, name: str, message: str, values: dict[str, Any]) -> DiagnosticStatus:
    """Return one entry of the diagnostics."""
    return DiagnosticStatus(level=level, name=name, message=message, values=[
        KeyValue(key=key, value=str(value)) for key, value in values.items()])


def report(node: Node, entries: list[DiagnosticStatus]) -> DiagnosticArray:
    """Return the diagnostics message of a node; each entry is named after the node."""
    name = node.get_fully_qualified_name().lstrip('/')
    message = DiagnosticArray()
    message.header.stamp = node.get_clock().now().to_msg()
    for entry in entries:
        entry.name = f'{name}: {entry.name}'
        entry.hardware_id = name
    message.status = entries
    return message
