"""What was seen from the outside: commands, the robot's motion and the diagnostics."""

from dataclasses import dataclass, field
import math
import re
from typing import Any

from lstm_predictor.core import samples


@dataclass
class Said:
    """One entry of the diagnostics."""

    at: float  # [s] steady
    name: str  # as in `predictor: odom`
    level: int  # 0 OK, 1 WARN, 2 ERROR, 3 STALE
    message: str


@dataclass
class Record:
    """Lists in the order of time, which is steady [s]."""

    asked: list[tuple[float, float, float]] = field(default_factory=list)  # [m/s], [rad/s]
    commands: list[tuple[float, float, float]] = field(default_factory=list)  # to the robot
    truth: list[tuple[float, float, float]] = field(default_factory=list)  # of the robot [m]
    said: list[Said] = field(default_factory=list)
    not_finite: list[tuple[float, str]] = field(default_factory=list)
    odometry: tuple[float, float, float] = (0.0, 0.0, 0.0)  # newest [m], [m], [rad]
    odometry_at: list[float] = field(default_factory=list)  # when it was passed on
    predictions: int = 0  # paths that were heard
    awake: list[float] = field(default_factory=list)  # when the bench looked at what came

    def take_odometry(self, message: Any) -> None:
        """Take what the robot says of its place."""
        pose = message.pose.pose
        self.odometry = samples.read_pose(pose)

    def take_diagnostics(self, at: float, message: Any) -> None:
        """Take the entries of a node."""
        for status in message.status:
            level = status.level[0] if isinstance(status.level, bytes) else int(status.level)
            self.said.append(Said(at, status.name, level, status.message))

    def newest(self, name: str) -> Said | None:
        """Return the newest entry whose name ends so."""
        return next((said for said in reversed(self.said[-200:]) if said.name.endswith(name)),
                    None)

    def says(self, name: str, *beginnings: str) -> bool:
        """Return whether the newest entry of a name begins in one of these ways."""
        said = self.newest(name)
        return said is not None and said.message.startswith(beginnings)

    def first(self, name: str, level: int, pattern: str, begin: float, end: float) -> Said | None:
        """Return the first entry of a name and level, or a worse one, that has the words."""
        return next((said for said in self.said
                     if begin <= said.at <= end and said.name == name and said.level in (
                         (level, 2) if level < 2 else (level,))
                     and re.search(pattern, said.message)), None)

    def travelled(self, begin: float, end: float) -> float:
        """Return how far the robot went in between [m]."""
        places = [(x, y) for at, x, y in self.truth if begin <= at <= end]
        return sum(math.dist(a, b) for a, b in zip(places, places[1:]))

    def clear(self) -> None:
        """Forget everything but where the robot is."""
        for seen in (self.asked, self.commands, self.truth, self.said, self.not_finite,
                     self.odometry_at, self.awake):
            seen.clear()
        self.predictions = 0
