"""A lifecycle node with inputs that it watches, and diagnostics of them and of its own work."""

import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus

from lstm_predictor.nodes import diagnostics
from lstm_predictor.nodes.diagnostics import Input
from lstm_predictor.nodes.lifecycle_node import ManagedNode


class MonitoredNode(ManagedNode):
    """
    What predictor, replanner and command guard do alike.

    A node adds its inputs in `configure`, calls `report_every` at the end of it, and returns the
    entries of its own work in `work_status`.
    """

    work = 'work'  # name of the entry about the node's own work

    def __init__(self, name: str, **options: Any) -> None:
        """Make nothing yet."""
        super().__init__(name, **options)
        self.inputs: dict[str, Input] = {}

    def add_input(self, topic: str, kinds: tuple[type, ...], **options: Any) -> Input:
        """Return the record of a topic that the node subscribes to, which is reported."""
        self.inputs[topic] = Input(topic, kinds, **options)
        self.add_cleanup(lambda: self.inputs.pop(topic))
        return self.inputs[topic]

    def report_every(self, period: float) -> None:
        """Publish the diagnostics every so many seconds, and look at the publishers."""
        self._diagnostics = diagnostics.Diagnostics(self)
        self.add_timer(period, self._report)
        self.add_timer(diagnostics.LOOK_PERIOD, self.look_at_graph)

    def start(self) -> None:
        """Report as if nothing had been received yet."""
        for topic in self.inputs.values():
            topic.forget()
        self._diagnostics.forget()

    def look_at_graph(self) -> None:
        """Find out what is wrong with the publishers of the inputs."""
        for topic in self.inputs.values():
            topic.check_publishers(self)

    def work_status(self) -> list[DiagnosticStatus]:
        """Return the entries beside those of the inputs; the last one is about the work itself."""
        raise NotImplementedError

    def _report(self) -> None:
        if not self.active:
            inactive = diagnostics.status(diagnostics.OK, self.work, 'not active', {})
            self._diagnostics.publish(
                [*(topic.inactive_status() for topic in self.inputs.values()), inactive],
                inactive.message)
            return
        work = self.work_status()
        now = time.monotonic()
        self._diagnostics.publish(
            [*(topic.status(now) for topic in self.inputs.values()), *work], work[-1].message)
