"""What a node reports on /diagnostics: a summary first, then one entry per thing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
import math
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from lstm_predictor.common.readings import InvalidMessage
from lstm_predictor.control.status import Severity
from lstm_predictor.nodes.lifecycle_node import ManagedNode
from lstm_predictor.nodes.topic_endpoints import publishers_problem
from lstm_predictor.nodes.velocity_commands import BEST_EFFORT

from rclpy.node import Node

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
STALE = DiagnosticStatus.STALE

LEVELS = {Severity.OK: OK, Severity.WARN: WARN, Severity.ERROR: ERROR, Severity.STALE: STALE}
STATUS = 'status'  # key of the value that names an entry's status, for programs
LOOK_PERIOD = 1.0  # between two looks at the publishers of the inputs [s]
_CALM = 2.0  # how long something must be well until it is reported as such [s]
_WORST_FIRST = (ERROR, WARN, STALE, OK)


class InputStatus(Enum):
    """Whether messages of a topic arrive."""

    NEVER_RECEIVED = 'nothing received yet'
    ARRIVES = 'arrives'
    STOPPED = 'stopped'
    NOT_USED = 'not used while the node is not active'


@dataclass
class Input:
    """What was received on one topic so far."""

    topic: str
    kinds: tuple[type, ...]  # message types that are understood
    qos: Any = field(default_factory=lambda: BEST_EFFORT)  # of the subscription
    missing: Any = OK  # level while nothing was received yet
    stopped: Any = OK  # level once nothing is received any more
    timeout: float = 1.0  # age from which it counts as stopped [s]
    problem: str = ''  # what is wrong with its publishers
    count: int = 0  # of messages that were read
    last: float | None = None  # [s] steady
    rejected: int = 0
    reason: str = ''  # of the last rejection
    rejected_at: float = -math.inf  # [s] steady
    note_text: str = ''  # what was unusual about a message that was used
    noted_at: float = -math.inf  # [s] steady
    found: str = ''  # what is wrong with its content in the long run

    @contextmanager
    def parsing(self) -> Iterator[None]:
        """Count the message that the block reads; where that raises InvalidMessage, reject it."""
        now = time.monotonic()
        try:
            yield
        except InvalidMessage as error:
            self.reject(str(error), now)
        else:
            self.count += 1
            self.last = now

    def reject(self, reason: str, steady: float) -> None:
        """Count a message that must not be used."""
        self.rejected += 1
        self.reason = reason
        self.rejected_at = steady

    def note(self, text: str, steady: float) -> None:
        """Report for a moment what is unusual about a message that was used."""
        self.note_text, self.noted_at = text, steady

    def forget(self) -> None:
        """Start as if nothing had been received yet; the counts go on."""
        self.last = None
        self.rejected_at = self.noted_at = -math.inf

    def is_fresh(self, steady: float) -> bool:
        """Return whether a good message was received a moment ago."""
        return self.last is not None and steady - self.last <= self.timeout

    def check_publishers(self, node: Node) -> None:
        """Find out what is wrong with its publishers."""
        self.problem = publishers_problem(node, self.topic, self.kinds, self.qos)

    def status(self, steady: float) -> DiagnosticStatus:
        """Return the entry of the topic."""
        age = None if self.last is None else steady - self.last
        state, level, text = InputStatus.ARRIVES, OK, f'{self.topic} arrives'
        if age is None:
            state, level = InputStatus.NEVER_RECEIVED, self.missing
            text = f'nothing received on {self.topic} yet'
        elif age > self.timeout:
            state, level = InputStatus.STOPPED, self.stopped
            text = f'{self.topic} stopped {age:.1f} s ago'
        if steady - self.rejected_at <= self.timeout:
            text = f'{self.topic}: rejected {self.rejected}, last: {self.reason}'
            if age is None or age > self.timeout:
                text += ', nothing good yet' if age is None else f', nothing good for {age:.1f} s'
            level = ERROR if level in (ERROR, STALE) else WARN
        if steady - self.noted_at <= self.timeout:
            text = f'{text}; {self.note_text}'
            level = level if level in (ERROR, STALE) else WARN
        for problem in filter(None, (self.found, self.problem)):
            text = f'{text}; {problem}'
            level = ERROR if level in (ERROR, STALE) else WARN
        return self._status(level, state, text, 'never' if age is None else f'{age:.3f}')

    def inactive_status(self) -> DiagnosticStatus:
        """Return the entry of the topic of a node that is not active."""
        return self._status(OK, InputStatus.NOT_USED, f'{self.topic} is not used', 'unknown')

    def _status(self, level: Any, state: InputStatus, text: str, age: str) -> DiagnosticStatus:
        return status(level, self.topic, text, {
            STATUS: state.name, 'received': self.count, 'rejected': self.rejected,
            'age [s]': age})


def status(level: Any, name: str, message: str, values: dict[str, Any]) -> DiagnosticStatus:
    """Return one entry of the diagnostics."""
    return DiagnosticStatus(level=level, name=name, message=message, values=[
        KeyValue(key=key, value=str(value)) for key, value in values.items()])


def output_status(topic: str, problem: str) -> DiagnosticStatus:
    """Return the entry of a published topic; `problem` is why a subscriber gets nothing, if so."""
    return status(ERROR if problem else OK, topic, problem or f'{topic} is published', {})


class Diagnostics:
    """
    Publishes the entries of a node with a summary before them.

    What went wrong stays reported for a while after it is well again: a reader who looks once a
    second would miss it otherwise, and what comes and goes would flicker.
    """

    def __init__(self, node: ManagedNode) -> None:
        """Open the topic."""
        self._node = node
        self._name = node.get_fully_qualified_name().lstrip('/')
        self._publisher = node.publish_on(DiagnosticArray, '/diagnostics')
        self.forget()

    def forget(self) -> None:
        """Forget what was wrong, as when the node starts again."""
        self._wrong: dict[str, tuple[float, str]] = {}  # when [s] steady and what, by entry

    def publish(self, entries: list[DiagnosticStatus], doing: str) -> None:
        """Publish the entries; `doing` is the summary where nothing is wrong."""
        now = time.monotonic()
        for entry in entries:
            self._settle(entry, now)
        message = DiagnosticArray(status=[_summary(entries, doing), *entries])
        message.header.stamp = self._node.get_clock().now().to_msg()
        for entry in message.status:
            entry.name = f'{self._name}: {entry.name}'
            entry.hardware_id = self._name
        self._publisher.publish(message)

    def _settle(self, entry: DiagnosticStatus, now: float) -> None:
        if entry.level in (WARN, ERROR):
            self._wrong[entry.name] = (now, entry.message)
            return
        at, text = self._wrong.get(entry.name, (-math.inf, ''))
        if entry.level == OK and now - at < _CALM:
            entry.level = WARN
            entry.message = f'{entry.message}; {now - at:.1f} s ago: {text}'


def _summary(entries: list[DiagnosticStatus], doing: str) -> DiagnosticStatus:
    """Return the worst level and, where it is not OK, what is wrong in order of badness."""
    worst = sorted((entry for entry in entries if entry.level != OK),
                   key=lambda entry: _WORST_FIRST.index(entry.level))
    if not worst:
        return status(OK, 'summary', f'all is well: {doing}', {})
    return status(worst[0].level, 'summary', '; '.join(entry.message for entry in worst), {})
