"""The content of a report on one recording: the drive, the predictions and the problems."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from lstm_predictor.common.readings import Command
from lstm_predictor.common.uncertainty import Ellipse, ellipse
from lstm_predictor.model.window import Window, WindowConfig
from lstm_predictor.recordings.drives import Drive

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Times = NDArray[np.int64]

_BETWEEN_NS = 1_000_000_000  # shown between two drives at least

LEVELS = ('ok', 'warning', 'error', 'stale')  # as diagnostic_msgs numbers them


class Region(NamedTuple):
    """A predicted pose with its error region."""

    stamp_ns: int  # it is predicted for
    pose: Array  # (3,)
    covariance: Array  # (3, 3)


class Disc(NamedTuple):
    """The 90 % confidence ellipse of a predicted position."""

    stamp_ns: int  # it is predicted for
    center: Array  # (2,)
    ellipse: Ellipse


@dataclass(frozen=True)
class Prediction:
    """One predicted path, in the odometry's frame."""

    anchor_ns: int  # stamp of the newest odometry it is made of
    stamps_ns: Times  # (H,)
    poses: Array  # (H, 3)
    regions: list[Region] = field(default_factory=list)  # of some steps, to be scored
    discs: list[Disc] = field(default_factory=list)  # of some steps, to be drawn


def ellipse_of(region: Region) -> Disc:
    """Return the ellipse of an error region."""
    return Disc(region.stamp_ns, region.pose[:2], ellipse(region.covariance))


class MixtureState(NamedTuple):
    """The mixture weights of the predictors and the coverage at one time."""

    stamp_ns: int
    weights: dict[str, float]  # of each predictor in the published prediction
    coverage: dict[float, float]  # fraction of errors inside the 90 % region, by horizon [s]
    reason: str  # why the model is not dominant; empty where it is


class Problem(NamedTuple):
    """A warning, an error or a stale status, for as long as it lasted."""

    name: str
    level: int  # of LEVELS
    begin_ns: int
    end_ns: int
    text: str


@dataclass(frozen=True)
class Review:
    """All data of the page, on the odometry's clock."""

    name: str  # of the recording
    source: str  # of the predictions, as the end of a sentence
    odometry: Window  # of the whole recording
    commands: dict[str, list[Command]]  # by what they are
    predictions: list[Prediction]  # in the order of their anchors
    mixture_states: list[MixtureState]
    problems: list[Problem]

    @property
    def begin_ns(self) -> int:
        """The stamp of the first odometry, from which the page counts."""
        return int(self.odometry.odometry.times[0])

    def seconds(self, stamps_ns: Times | Iterable[int]) -> Array:
        """Return the time [s] since the first odometry, (n,)."""
        stamps = np.asarray(stamps_ns if isinstance(stamps_ns, np.ndarray) else list(stamps_ns),
                            dtype=np.int64)
        return 1e-9 * (stamps - self.begin_ns)

    def switches(self) -> list[tuple[MixtureState, str, str]]:
        """Return when the predictor with the largest weight changed, from which and to which."""
        leaders = [(state, max(state.weights, key=lambda name: state.weights[name]))
                   for state in self.mixture_states if state.weights]
        return [(state, before, after) for (_, before), (state, after)
                in zip(leaders, leaders[1:]) if before != after]


class Axis:
    """
    The time of a page: the odometry's, with drives in a row where there are several.

    Between two of them lies as much time as the recorder saw, and more than a window bridges.
    """

    def __init__(self, drives: list[Drive]) -> None:
        """Take the drives of a recording."""
        self._drives = drives
        self._stamps = [set(drive.stamps_ns().tolist()) for drive in drives]
        self.shifts_ns = [0]  # added to the stamps of each drive
        for before, after, stamps in zip(drives, drives[1:], self._stamps):
            passed_ns = after.odometry_begin_ns() - before.odometry_end_ns()
            end_ns = self.shifts_ns[-1] + max(stamps)
            self.shifts_ns.append(
                end_ns + max(passed_ns, _BETWEEN_NS) - int(after.stamps_ns().min()))

    def shift_ns(self, receive_ns: int, anchor_ns: int) -> int:
        """Return what is added to the stamps of a prediction from an odometry message [ns]."""
        at = self._at(receive_ns)
        if at and anchor_ns not in self._stamps[at] and anchor_ns in self._stamps[at - 1]:
            at -= 1  # it was made just before
        return self.shifts_ns[at]

    def time_ns(self, receive_ns: int) -> int:
        """Return the time [ns] at which something was received."""
        at = self._at(receive_ns)
        return self._drives[at].time_ns(receive_ns) + self.shifts_ns[at]

    def _at(self, receive_ns: int) -> int:
        """Return the number of the drive that something was received in."""
        begins = [drive.odometry_begin_ns() for drive in self._drives[1:]]
        return bisect_right(begins, receive_ns)


def whole_drive() -> Window:
    """Return a window without a limit of age, from which poses are interpolated."""
    return Window(WindowConfig(), forget=False)


def joined(problems: Iterable[Problem], pause_ns: int) -> list[Problem]:
    """
    Return problems, merged where the same name and level come again within `pause_ns`.

    A merged one lasts from the first begin to the last end and has the newest text.
    """
    result: list[Problem] = []
    newest: dict[tuple[str, int], int] = {}
    for problem in sorted(problems, key=lambda problem: problem.begin_ns):
        key = problem.name, problem.level
        at = newest.get(key)
        if at is not None and problem.begin_ns - result[at].end_ns <= pause_ns:
            result[at] = result[at]._replace(
                end_ns=max(result[at].end_ns, problem.end_ns), text=problem.text)
        else:
            newest[key] = len(result)
            result.append(problem)
    return result
