"""What the testbed observes: commands, the motion of the robot, diagnostics."""

from dataclasses import dataclass, field
from enum import Enum
import math
import re
from typing import Any

from lstm_predictor.common import readings


@dataclass
class DiagnosticEntry:
    """One entry of the diagnostics."""

    at: float  # monotonic time [s]
    name: str  # as in `predictor: odom`
    level: int  # 0 OK, 1 WARN, 2 ERROR, 3 STALE
    message: str
    status: str  # name of the state, '' where the entry has none


@dataclass
class Observations:
    """Lists in the order of time; each entry begins with its monotonic time [s]."""

    requested: list[tuple[float, float, float]] = field(default_factory=list)  # [m/s], [rad/s]
    commands: list[tuple[float, float, float]] = field(default_factory=list)  # to the robot
    truth: list[tuple[float, float, float]] = field(default_factory=list)  # of the robot [m]
    moved: list[tuple[float, float, float]] = field(default_factory=list)  # true [m/s], [rad/s]
    diagnostics: list[DiagnosticEntry] = field(default_factory=list)
    not_finite: list[tuple[float, str]] = field(default_factory=list)
    odometry: tuple[float, float, float] = (0.0, 0.0, 0.0)  # newest [m], [m], [rad]
    odometry_at: list[float] = field(default_factory=list)  # when it was forwarded
    predictions: int = 0  # paths that were received
    awake: list[float] = field(default_factory=list)  # when the bench handled messages

    def take_odometry(self, message: Any) -> None:
        """Take the pose of the odometry."""
        pose = message.pose.pose
        self.odometry = readings.read_pose(pose)

    def take_diagnostics(self, at: float, message: Any) -> None:
        """Take the entries of a node."""
        for status in message.status:
            level = status.level[0] if isinstance(status.level, bytes) else int(status.level)
            state = next((item.value for item in status.values if item.key == 'status'), '')
            self.diagnostics.append(DiagnosticEntry(at, status.name, level, status.message, state))

    def newest(self, name: str) -> DiagnosticEntry | None:
        """Return the newest entry whose name has this end."""
        return next((entry for entry in reversed(self.diagnostics[-200:])
                     if entry.name.endswith(name)), None)

    def is_in(self, name: str, *states: Enum) -> bool:
        """Return whether the newest entry of a name has one of these states."""
        entry = self.newest(name)
        return entry is not None and entry.status in [state.name for state in states]

    def first(self, name: str, level: int, pattern: str, begin: float, end: float
              ) -> DiagnosticEntry | None:
        """Return the first entry of a name, of that level or a worse one, that has the pattern."""
        return next((entry for entry in self.diagnostics
                     if begin <= entry.at <= end and entry.name == name and entry.level in (
                         (level, 2) if level < 2 else (level,))
                     and re.search(pattern, entry.message)), None)

    def travelled(self, begin: float, end: float) -> float:
        """Return how far the robot went in between [m]."""
        places = [(x, y) for at, x, y in self.truth if begin <= at <= end]
        return sum(math.dist(a, b) for a, b in zip(places, places[1:]))

    def clear(self) -> None:
        """Forget everything but the pose of the robot."""
        for values in (self.requested, self.commands, self.truth, self.moved, self.diagnostics,
                       self.not_finite, self.odometry_at, self.awake):
            values.clear()
        self.predictions = 0
