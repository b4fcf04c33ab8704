"""The examples of a training run: a simulated fleet and recordings, made once and kept on disk."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
import os
from pathlib import Path
from typing import Any

from lstm_predictor.bags import Topics
from lstm_predictor.core.window import WindowConfig
from lstm_predictor.learning import dataset, recordings, store
from lstm_predictor.learning.dataset import Examples
from lstm_predictor.learning.fleet import drive_job, FleetConfig, jobs
from lstm_predictor.learning.parallel import each
from lstm_predictor.learning.recordings import RecordingsConfig

import numpy as np

_VARIANT_WEIGHT = 0.5  # of a varied recording beside the real one


def default_cache() -> Path:
    """Return the folder of the user in which examples are kept."""
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'lstm_predictor'


@dataclass(frozen=True)
class Maker:
    """How tracks become examples, and where these are kept."""

    window: WindowConfig
    horizon: int  # steps
    cache: Path
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
        return self._kept(('recorded', named, str(self.topics), variants), lambda: _in_processes(
            cut, list(enumerate(folders)), 'recordings'))

    def _kept(self, what: Any, make: Any) -> Examples:
        folder = self.cache / store.key([self.window, self.horizon, what])
        found = store.read(folder)
        if found is None:
            store.write(folder, make(), self.window, self.horizon)
            found = store.read(folder)
        assert found is not None
        return found


def folder_stamp(folder: Path) -> list[tuple[str, int, int]]:
    """Return names, sizes and times of the files in a recording: other ones are another one."""
    return sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns)
                  for path in folder.iterdir() if path.is_file())


@dataclass(frozen=True)
class Split:
    """The recordings of a folder by what they are used for."""

    train: list[Path]
    validation: list[Path]
    test: list[Path]
    left_out: list[Path]


def split(folder: Path, config: RecordingsConfig) -> Split:
    """
    Return the recordings below a folder by their use.

    Raise BagError where there is none, ValueError for a name in the configuration that is not
    there, one that two of them have, or where nothing stays for training.
    """
    found: dict[str, Path] = {}
    for path in recordings.find([folder]):
        if path.name in found:
            raise ValueError(f'recordings: both {found[path.name]} and {path} are {path.name}')
        found[path.name] = path
    named = (*config.validation, *config.test, *config.left_out)
    for name in named:
        if name not in found:
            raise ValueError(f'recordings: {name} is not in {folder}')
    train = [path for name, path in found.items() if name not in named]
    if not train:
        raise ValueError(f'recordings: none of those in {folder} is left for training')
    return Split(train, *([found[name] for name in names] for names in (
        config.validation, config.test, config.left_out)))


def variant_weights(examples: Examples, variants: int) -> np.ndarray:
    """Return how often an example of `Maker.recorded` is drawn (n,)."""
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
                       job: Any) -> Examples:
    number, folder = job
    track, _ = recordings.read(folder, topics)
    tracks = [track] + [recordings.variant(track, np.random.default_rng([number, i]))
                        for i in range(variants)]
    first = number * (variants + 1)
    return dataset.join([dataset.examples_of(robot, window, horizon, number=first + i)
                         for i, robot in enumerate(tracks)])


def _in_processes(cut: Any, work: list[Any], title: str) -> Iterator[Examples]:
    return each(cut, work, os.cpu_count() or 1, chunk=min(4, 1 + len(work) // 8), desc=title)
