"""What is shown of one recording: the drive, what was predicted, and what went wrong."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from lstm_predictor.core.ellipse import Ellipse, ellipse
from lstm_predictor.core.samples import Command
from lstm_predictor.core.window import Window, WindowConfig

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Times = NDArray[np.int64]

LEVELS = ('ok', 'warning', 'error', 'stale')  # as diagnostic_msgs numbers them


class Region(NamedTuple):
    """A predicted pose with its error region."""

    stamp_ns: int  # it is predicted for
    pose: Array  # (3,)
    covariance: Array  # (3, 3)


class Disc(NamedTuple):
    """Where a predicted position lies with 90 %."""

    stamp_ns: int  # it is predicted for
    center: Array  # (2,)
    ellipse: Ellipse


@dataclass(frozen=True)
class Forecast:
    """One predicted path, in the odometry's frame."""

    anchor_ns: int  # stamp of the newest odometry it is made of
    stamps_ns: Times  # (H,)
    poses: Array  # (H, 3)
    regions: list[Region] = field(default_factory=list)  # of some steps, to be scored
    discs: list[Disc] = field(default_factory=list)  # of some steps, to be drawn


def disc_of(region: Region) -> Disc:
    """Return what is drawn of an error region."""
    return Disc(region.stamp_ns, region.pose[:2], ellipse(region.covariance))


class Judgement(NamedTuple):
    """What the predictors were worth at one time, by their errors until then."""

    stamp_ns: int
    shares: dict[str, float]  # of each predictor in what is published
    coverage: dict[float, float]  # share of errors inside the 90 % region, by horizon [s]
    reason: str  # why the model has not the largest share; empty where it has


class Trouble(NamedTuple):
    """Something that was not well for a while."""

    name: str
    level: int  # of LEVELS
    begin_ns: int
    end_ns: int
    text: str


@dataclass(frozen=True)
class Review:
    """Everything that the page shows, on the odometry's clock."""

    name: str  # of the recording
    source: str  # who made the predictions, as the end of a sentence
    odometry: Window  # that has forgotten nothing
    commands: dict[str, list[Command]]  # by what becomes of them
    forecasts: list[Forecast]  # in the order of their anchors
    judgements: list[Judgement]
    troubles: list[Trouble]

    @property
    def begin_ns(self) -> int:
        """The stamp of the first odometry, from which the page counts."""
        return int(self.odometry.odometry.times[0])

    def seconds(self, stamps_ns: Times | Iterable[int]) -> Array:
        """Return the time [s] since the first odometry, (n,)."""
        stamps = np.asarray(stamps_ns if isinstance(stamps_ns, np.ndarray) else list(stamps_ns),
                            dtype=np.int64)
        return 1e-9 * (stamps - self.begin_ns)

    def handovers(self) -> list[tuple[Judgement, str, str]]:
        """Return when the largest share went from one predictor to another, and which."""
        leaders = [(judged, max(judged.shares, key=lambda name: judged.shares[name]))
                   for judged in self.judgements if judged.shares]
        return [(judged, before, after) for (_, before), (judged, after)
                in zip(leaders, leaders[1:]) if before != after]


def whole_drive() -> Window:
    """Return a window that forgets nothing, to look poses up in."""
    return Window(WindowConfig(), forget=False)


def joined(troubles: Iterable[Trouble], pause_ns: int) -> list[Trouble]:
    """
    Return troubles with those made one that follow each other within `pause_ns`.

    Of each name and level one lasts from its first begin to its last end, with the newest text.
    """
    result: list[Trouble] = []
    newest: dict[tuple[str, int], int] = {}
    for trouble in sorted(troubles, key=lambda trouble: trouble.begin_ns):
        key = trouble.name, trouble.level
        at = newest.get(key)
        if at is not None and trouble.begin_ns - result[at].end_ns <= pause_ns:
            result[at] = result[at]._replace(
                end_ns=max(result[at].end_ns, trouble.end_ns), text=trouble.text)
        else:
            newest[key] = len(result)
            result.append(trouble)
    return result
