"""Recordings of real robots as tracks, and the robots that they could also have been."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
import os
from pathlib import Path

from lstm_predictor.bags import BagError, folder_of, limits_of, Recording, Topics
from lstm_predictor.core.samples import Command, Imu, Odometry
from lstm_predictor.learning.tracks import Track

import numpy as np

_STORAGE = ('metadata.yaml', '*.mcap', '*.db3')


@dataclass(frozen=True)
class RecordingsConfig:
    """Which recordings are learned from, by the names of their folders."""

    validation: tuple[str, ...] = ()  # used to choose and to calibrate
    test: tuple[str, ...] = ()  # used for nothing but scores; the rest is for training
    left_out: tuple[str, ...] = ()  # not even that, to see what a robot never seen gives
    variants: int = 3  # robots made of each recording beside itself
    share: float = 0.5  # of the windows in training

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        if self.variants < 0:
            raise ValueError(f'variants must not be negative, is {self.variants}')
        if not 0.0 < self.share < 1.0:
            raise ValueError(f'share must lie between 0 and 1, is {self.share}')


def find(paths: Iterable[Path]) -> list[Path]:
    """
    Return the rosbag2 folders that are named or lie below the named folders, sorted.

    Raise BagError for a path with no recording in it.
    """
    found: list[Path] = []
    for path in map(folder_of, paths):
        here = [folder for folder in _folders(path)
                if any(any(folder.glob(name)) for name in _STORAGE)]
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


def read(path: Path, topics: Topics = Topics()) -> tuple[Track, dict[str, int]]:
    """Return the track in a recording, and how many messages were refused for what reason."""
    with Recording(path, topics) as recording:
        readings = list(recording.readings())
        refused = dict(recording.refused)
    speed, yaw_rate = limits_of(readings)
    return Track(path.resolve().name, readings, speed, yaw_rate), refused


def variant(track: Track, rng: np.random.Generator) -> Track:
    """
    Return the track of a robot like this one with other gains, more delay and another pace.

    What the motion is made of, noise and ground, stays; what the commands mean does not, so
    that it has to be read off the window.
    """
    gain = np.exp(rng.uniform(-0.7, 0.7, 2))  # of a command over what was really sent
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
        asked = np.clip(reading[1:], -limits, limits) * gain / pace
        return Command(stamp_ns - delay_ns, *asked.tolist())

    most = limits * np.maximum(gain, 1.0) / pace
    return replace(
        track, name=f'{track.name}, varied', readings=list(map(changed, track.readings)),
        max_speed=float(most[0]), max_yaw_rate=float(most[1]))
