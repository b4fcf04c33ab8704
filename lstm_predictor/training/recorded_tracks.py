"""Finding recordings, reading their drives as tracks, and variants of these tracks."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
import os
from pathlib import Path

from lstm_predictor.common.readings import Command, Imu, Odometry
from lstm_predictor.recordings.rosbag_io import BagError, limits_of, Recording, Topics
from lstm_predictor.recordings.storage import is_storage, recording_of, recordings_in
from lstm_predictor.sensor_checks.sensor_correction import used_of_drive
from lstm_predictor.training.track import Track

import numpy as np


@dataclass(frozen=True)
class RecordingsConfig:
    """The recordings by use, named by their folders; those not named are for training."""

    validation: tuple[str, ...] = ()  # to select the weights and to calibrate
    test: tuple[str, ...] = ()  # scored only, the rest is for training
    left_out: tuple[str, ...] = ()  # scored only, as robots never seen in training
    variants: int = 3  # of each recording, beside itself
    share: float = 0.5  # fraction of the windows in training

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        if self.variants < 0:
            raise ValueError(f'variants must not be negative, is {self.variants}')
        if not 0.0 < self.share < 1.0:
            raise ValueError(f'share must lie between 0 and 1, is {self.share}')


def find(paths: Iterable[Path]) -> list[Path]:
    """
    Return the recordings that are named or lie below the named folders, sorted.

    Each is a rosbag2 folder, or a file in a folder that holds several recordings. Raise BagError
    for a path with no recording in it.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_file() and is_storage(path):
            found.append(recording_of(path))
            continue
        here = [one for folder in _folders(path) for one in recordings_in(folder)]
        if not here:
            raise BagError(f'no rosbag2 recording at {path}' if path.exists()
                           else f'recording {path} does not exist')
        found += here
    return list(dict.fromkeys(found))


def groups_of(folders: list[Path], by_recording: bool = False) -> list[str]:
    """
    Return the name of the group of each recording: the folder that holds it, as it was named.

    Folders of the same name are told apart by those that they lie in.
    """
    whole = [Path(os.path.abspath(folder)) for folder in folders]
    groups = whole if by_recording else [folder.parent for folder in whole]
    different = set(groups)
    names = {}
    for group in different:
        others = different - {group}
        count = next((i for i in range(1, len(group.parts)) if all(
            other.parts[-i:] != group.parts[-i:] for other in others)), len(group.parts))
        names[group] = str(Path(*group.parts[-count:]))
    return [names[group] for group in groups]


def _folders(path: Path) -> list[Path]:
    """Return a folder and those below it, sorted, also behind links, each once."""
    found, seen = [], set()
    for folder, below, _ in os.walk(path, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            below.clear()
        else:
            seen.add(real)
            found.append(Path(folder))
    return sorted(found)


@dataclass(frozen=True)
class Recorded:
    """The content of a recording: one track for each drive, and the findings."""

    tracks: list[Track]
    findings: list[str]  # in one line each
    truths: list[list[Odometry]] = field(default_factory=list)  # true poses of each track


def read(path: Path, topics: Topics = Topics(), truth: str = '') -> Recorded:
    """
    Return the drives in a recording, with the poses on the topic `truth` where one is named.

    All of them are of one robot, with the limits that the whole recording shows.
    """
    with Recording(path, topics) as recording:
        return recorded(recording, truth)


def recorded(recording: Recording, truth: str = '') -> Recorded:
    """Return the same of an open recording; every offline tool gets its tracks here."""
    also = (truth,) if truth else ()
    drives = recording.drives(*also)
    used = [used_of_drive(list(recording.readings_of(drive))) for drive in drives]
    truths = [[reading for reading in drive.readings(*also) if isinstance(reading, Odometry)]
              for drive in drives]
    findings = [*recording.findings, *(line for _, lines in used for line in lines)]
    parts = [readings for readings, _ in used]
    speed, yaw_rate = limits_of(reading for part in parts for reading in part)
    name = recording.name
    return Recorded([
        Track(f'{name}, drive {i + 1}' if i else name, part, speed, yaw_rate)
        for i, part in enumerate(parts)], list(dict.fromkeys(findings)), truths)


def variant(track: Track, rng: np.random.Generator) -> Track:
    """
    Return the track of a similar robot with other gains, more delay and another time scale.

    Noise and ground stay those of the recording; the response to commands changes, so that the
    model has to identify it from the window.
    """
    gain = np.exp(rng.uniform(-0.7, 0.7, 2))  # of the command over the one really sent
    delay_ns = round(1e9 * rng.uniform(0.0, 0.25))
    pace = float(np.exp(rng.uniform(-0.3, 0.3)))  # duration over the real one
    limits = np.array([track.max_speed, track.max_yaw_rate])

    def changed(reading: Odometry | Imu | Command) -> Odometry | Imu | Command:
        stamp_ns = round(reading.stamp_ns * pace)
        if isinstance(reading, Odometry):
            return reading._replace(
                stamp_ns=stamp_ns, speed=reading.speed / pace, yaw_rate=reading.yaw_rate / pace)
        if isinstance(reading, Imu):
            return reading._replace(
                stamp_ns=stamp_ns, yaw_rate=reading.yaw_rate / pace,
                acceleration=reading.acceleration / pace ** 2)
        command = np.clip(reading[1:], -limits, limits) * gain / pace
        return Command(stamp_ns - delay_ns, *command.tolist())

    most = limits * np.maximum(gain, 1.0) / pace
    return replace(
        track, name=f'{track.name}, varied', readings=list(map(changed, track.readings)),
        max_speed=float(most[0]), max_yaw_rate=float(most[1]))
