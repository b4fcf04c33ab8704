"""What a node says of itself in /diagnostics: a summary first, then one entry per thing."""

from collections.abc import Callable
from dataclasses import dataclass, field
import math
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from lstm_predictor.core.samples import BadMessage
from lstm_predictor.nodes.commands import BEST_EFFORT
from lstm_predictor.nodes.graph import senders_problem
from lstm_predictor.nodes.managed import ManagedNode

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
STALE = DiagnosticStatus.STALE

LOOK_PERIOD = 1.0  # between two looks at who sends what [s]
_CALM = 2.0  # how long something must be well until it is said to be [s]
_WORST_FIRST = (ERROR, WARN, STALE, OK)


@dataclass
class Input:
    """One topic as it was heard so far."""

    topic: str
    kinds: tuple[type, ...]  # of message that are understood
    qos: Any = field(default_factory=lambda: BEST_EFFORT)  # with which it is heard
    missing: Any = OK  # how bad it is that nothing was heard yet
    stopped: Any = OK  # how bad it is that nothing is heard any more
    timeout: float = 1.0  # age from which it counts as stopped [s]
    problem: str = ''  # what is wrong with who sends it
    count: int = 0
    last: float | None = None  # [s] steady
    refused: int = 0
    reason: str = ''  # of the last refusal
    refused_at: float = -math.inf  # [s] steady
    remarked: str = ''  # what was strange about a message that was used
    remarked_at: float = -math.inf  # [s] steady

    def read(self, reader: Callable[..., Any], *message: Any) -> Any:
        """Return what a reader makes of a message that just came; None where it is bad."""
        now = time.monotonic()
        try:
            reading = reader(*message)
        except BadMessage as error:
            self.refuse(str(error), now)
            return None
        self.count += 1
        self.last = now
        return reading

    def refuse(self, reason: str, steady: float) -> None:
        """Count a message that must not be used."""
        self.refused += 1
        self.reason = reason
        self.refused_at = steady

    def remark(self, reason: str, steady: float) -> None:
        """Say what is strange about a message that was used."""
        self.remarked, self.remarked_at = reason, steady

    def forget(self) -> None:
        """Start as if nothing had been heard yet; what is counted goes on."""
        self.last = None
        self.refused_at = self.remarked_at = -math.inf

    def is_fresh(self, steady: float) -> bool:
        """Return whether something good was heard a moment ago."""
        return self.last is not None and steady - self.last <= self.timeout

    def look(self, node: Any) -> None:
        """Look at who sends it."""
        self.problem = senders_problem(node, self.topic, self.kinds, self.qos)

    def status(self, steady: float) -> DiagnosticStatus:
        """Return the state of the topic in words and numbers."""
        age = None if self.last is None else steady - self.last
        level, text = OK, f'{self.topic} arrives'
        if age is None:
            level, text = self.missing, f'nothing heard on {self.topic} yet'
        elif age > self.timeout:
            level, text = self.stopped, f'{self.topic} stopped {age:.1f} s ago'
        if steady - self.refused_at <= self.timeout:
            text = f'{self.topic}: refused {self.refused}, last: {self.reason}'
            if age is None or age > self.timeout:
                text += ', nothing good yet' if age is None else f', nothing good for {age:.1f} s'
            level = ERROR if level in (ERROR, STALE) else WARN
        if steady - self.remarked_at <= self.timeout:
            text = f'{text}; {self.remarked}'
            level = level if level in (ERROR, STALE) else WARN
        if self.problem:
            text = f'{text}; {self.problem}'
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


def output_status(topic: str, problem: str) -> DiagnosticStatus:
    """Return the state of a topic that is sent on; `problem` is why nobody gets it, or nothing."""
    return status(ERROR if problem else OK, topic, problem or f'{topic} is sent', {})


def shown(value: float, form: str) -> str:
    """Return a number as text, a dash where there is none."""
    return format(value, form) if math.isfinite(value) else '-'


class Diagnostics:
    """
    Publishes the entries of a node with a summary before them.

    What went wrong stays named for a while after it is well again: who looks once in a second
    would miss it otherwise, and what comes and goes would flicker.
    """

    def __init__(self, node: ManagedNode) -> None:
        """Open the topic."""
        self._node = node
        self._name = node.get_fully_qualified_name().lstrip('/')
        self._publisher = node.offer(DiagnosticArray, '/diagnostics')
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
