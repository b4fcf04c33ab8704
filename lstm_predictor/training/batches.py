"""Batches drawn from the examples: the same for a seed, with any number of processes."""

from dataclasses import dataclass

from lstm_predictor.training.augmentation import augment, AugmentConfig
from lstm_predictor.training.dataset import Examples

import numpy as np
from numpy.typing import NDArray

import torch
from torch import Tensor
from torch.utils.data import Dataset

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Source:
    """Examples of one kind and how often they are drawn."""

    examples: Examples
    error_scales: Array  # by the number of the track (tracks, H, 2) [m], [rad]
    fraction: float  # of a batch [-]
    weights: Array | None = None  # of each example (n,); all the same where None


@dataclass(frozen=True)
class Sources:
    """The sources of the batches, and how these are augmented."""

    sources: list[Source]
    augment: AugmentConfig
    shortest: int  # rows that remain where a window is cut short


@dataclass(frozen=True)
class TrainingData(Sources):
    """The sources of the training, with those of the validation."""

    validation: Sources


class Batches(Dataset[list[Tensor]]):
    """The batches of one epoch, each as `loss_of` takes it, of one process."""

    def __init__(self, sources: Sources, seed: int, epoch: int, steps: int, size: int,
                 rank: int = 0, processes: int = 1) -> None:
        """Hold `steps` batches of `size` examples, every `processes`-th of which is for `rank`."""
        self._sources = sources
        self._first = epoch * steps
        self._seed = seed
        self._steps = steps
        self._size = size
        self._mine = slice(rank, None, processes)
        self._edges = [None if source.weights is None else np.cumsum(source.weights)
                       for source in sources.sources]

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> list[Tensor]:
        """Return a batch, which depends on the seed and its number alone."""
        if step >= self._steps:
            raise IndexError(step)
        random = np.random.default_rng([self._seed, self._first + step])
        drawn = [_draw(source, edges, round(self._size * source.fraction), random)
                 for source, edges in zip(self._sources.sources, self._edges)]
        whole = [torch.from_numpy(np.concatenate(parts)) for parts in zip(*drawn)]
        generator = torch.Generator().manual_seed(int(random.integers(2**62)))
        made = augment(
            *whole[:4], self._sources.augment, self._sources.shortest, generator)
        # Reading one window may map megabytes around it.
        for source in self._sources.sources:
            source.examples.release()
        return [part[self._mine] for part in (*made, whole[4])]


def _draw(source: Source, edges: Array | None, count: int, random: np.random.Generator
          ) -> list[NDArray[np.float32]]:
    n = len(source.examples)
    if edges is None:
        chosen = random.integers(0, n, count)
    else:
        chosen = np.minimum(np.searchsorted(edges, random.random(count) * edges[-1]), n - 1)
    chosen.sort()
    part = source.examples[chosen]
    return [np.asarray(part.windows), np.asarray(part.commands), np.asarray(part.futures),
            np.asarray(part.memory), source.error_scales[part.tracks].astype(np.float32)]
