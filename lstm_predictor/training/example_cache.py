"""The examples of a training run, from simulated robots and recordings, cached on disk."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
import json
import os
from pathlib import Path
import sys
from typing import Any

from lstm_predictor.model.window import WindowConfig
from lstm_predictor.recordings.rosbag_io import Topics
from lstm_predictor.recordings.storage import name_of
from lstm_predictor.training import array_store, dataset, recorded_tracks
from lstm_predictor.training.dataset import Examples
from lstm_predictor.training.parallel import each, processes
from lstm_predictor.training.recorded_tracks import RecordingsConfig
from lstm_predictor.training.simulated_fleet import drive_job, FleetConfig, jobs

import numpy as np

_VARIANT_WEIGHT = 0.5  # of a varied recording beside the real one


def default_cache() -> Path:
    """Return the folder of the user in which examples are kept."""
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'lstm_predictor'


@dataclass(frozen=True)
class ExampleCache:
    """Makes examples with one window and horizon, or reads those made before."""

    window: WindowConfig
    horizon: int  # steps
    folder: Path
    topics: Topics = Topics()  # of the recordings

    def fleet(self, config: FleetConfig, stride: float) -> Examples:
        """Return the examples of a simulated fleet, `stride` steps apart."""
        cut = partial(_fleet_examples, self.window, self.horizon, stride)
        return self._kept(('fleet', config, stride), lambda: _in_processes(
            cut, list(enumerate(jobs(config))), 'simulated robots'))

    def recorded(self, folders: list[Path], variants: int = 0) -> Examples:
        """Return the examples of recordings, each followed by its variants."""
        cut = partial(_recorded_examples, self.window, self.horizon, self.topics, variants)
        named = [(str(folder), folder_stamp(folder)) for folder in folders]
        what = ('recorded', named, self._topics(), variants)
        findings: list[str] = []
        found = self._kept(what, lambda: _numbered(_in_processes(
            cut, list(enumerate(folders)), 'recordings'), findings), findings)
        for line in findings:
            print(line, file=sys.stderr)
        return found

    def _topics(self) -> list[Any]:
        topics = self.topics
        return [topics.odom, topics.imu, topics.cmd_vel, sorted(topics.named)]

    def _kept(self, what: Any, make: Any, findings: list[str] | None = None) -> Examples:
        """Return the cached examples and findings, or make them."""
        folder = self.folder / array_store.key([self.window, self.horizon, what])
        findings_file = folder / 'findings.json'
        found = array_store.read(folder)
        if found is None:
            array_store.write(folder, make(), self.window, self.horizon)
            if findings:
                findings_file.write_text(json.dumps(findings))
            found = array_store.read(folder)
        elif findings is not None and findings_file.is_file():
            findings += json.loads(findings_file.read_text())
        assert found is not None
        return found


def folder_stamp(path: Path) -> list[tuple[str, int, int]]:
    """Return names, sizes and times of the files in a recording, which identify its content."""
    files = [path] if path.is_file() else [file for file in path.iterdir() if file.is_file()]
    return sorted((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)


@dataclass(frozen=True)
class RecordingSplit:
    """The recordings of a folder by what they are used for."""

    train: list[Path]
    validation: list[Path]
    test: list[Path]
    left_out: list[Path]


def split_recordings(folder: Path, config: RecordingsConfig) -> RecordingSplit:
    """
    Return the recordings below a folder by their use.

    Raise BagError where there is none, ValueError for a name in the configuration that is not
    there, one that two of them have, or where none is left for training.
    """
    found: dict[str, Path] = {}
    for path in recorded_tracks.find([folder]):
        name = name_of(path)
        if name in found:
            raise ValueError(f'recordings: both {found[name]} and {path} are {name}')
        found[name] = path
    named = (*config.validation, *config.test, *config.left_out)
    for name in named:
        if name not in found:
            raise ValueError(f'recordings: {name} is not in {folder}')
    train = [path for name, path in found.items() if name not in named]
    if not train:
        raise ValueError(f'recordings: none of those in {folder} is left for training')
    return RecordingSplit(train, *([found[name] for name in names] for names in (
        config.validation, config.test, config.left_out)))


def variant_weights(examples: Examples, variants: int) -> np.ndarray:
    """Return how often an example of `ExampleCache.recorded` is drawn (n,)."""
    real = examples.tracks % (variants + 1) == 0
    return np.where(real, 1.0, _VARIANT_WEIGHT)


def renumbered(parts: Iterable[Examples]) -> Examples:
    """Return examples as one, the tracks of each part numbered after those before."""
    result, first = [], 0
    for part in parts:
        result.append(replace(part, tracks=(part.tracks + first).astype(np.int32)))
        first += int(part.tracks.max(initial=-1)) + 1
    return dataset.join(result)


def _fleet_examples(window: WindowConfig, horizon: int, stride: float, job: Any) -> Examples:
    number, robot = job
    return dataset.examples_of(drive_job(robot), window, horizon, stride, number)


def _recorded_examples(window: WindowConfig, horizon: int, topics: Topics, variants: int,
                       job: Any) -> tuple[Examples, int, list[str]]:
    """Return examples, the number of their tracks, and the findings."""
    number, path = job
    found = recorded_tracks.read(path, topics)
    tracks = []
    for i, track in enumerate(found.tracks):
        seeds = [number, *([i] if i else [])]
        tracks += [track, *(recorded_tracks.variant(track, np.random.default_rng([*seeds, j]))
                            for j in range(variants))]
    examples = dataset.join([dataset.examples_of(robot, window, horizon, number=i)
                             for i, robot in enumerate(tracks)])
    return examples, len(tracks), [f'{name_of(path)}: {text}'
                                   for text in found.findings]


def _numbered(parts: Iterable[tuple[Examples, int, list[str]]], findings: list[str]
              ) -> Iterator[Examples]:
    """Yield the examples with their tracks numbered consecutively; collect the findings."""
    first = 0
    for part, count, lines in parts:
        findings += lines
        yield replace(part, tracks=(part.tracks + first).astype(np.int32))
        first += count


def _in_processes(cut: Any, work: list[Any], title: str) -> Iterator[Any]:
    return each(cut, work, processes(), chunk=min(4, 1 + len(work) // 8), desc=title)
