"""From examples to batches: the same ones for a seed, however many processes share them."""

from dataclasses import dataclass

from lstm_predictor.learning.augment import AugmentConfig, augmented
from lstm_predictor.learning.dataset import Examples

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
    yardsticks: Array  # by the number of the track (tracks, H, 2) [m], [rad]
    share: float  # of a batch [-]
    weights: Array | None = None  # of each example (n,); all the same where None


@dataclass(frozen=True)
class Sources:
    """Where batches are drawn from."""

    sources: list[Source]
    augment: AugmentConfig
    shortest: int  # rows that stay where a window is cut short


@dataclass(frozen=True)
class Corpus(Sources):
    """What is learned from and what it is checked with."""

    validation: Sources


class Batches(Dataset[list[Tensor]]):
    """The batches of one epoch, each as `loss_of` takes it, of one process."""

    def __init__(self, sources: Sources, seed: int, epoch: int, steps: int, size: int,
                 rank: int = 0, processes: int = 1) -> None:
        """Hold `steps` batches of `size` examples, of which this process gets every n-th."""
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
        """Return a batch that only the seed and its number decide."""
        if step >= self._steps:
            raise IndexError(step)
        random = np.random.default_rng([self._seed, self._first + step])
        drawn = [_draw(source, edges, round(self._size * source.share), random)
                 for source, edges in zip(self._sources.sources, self._edges)]
        whole = [torch.from_numpy(np.concatenate(parts)) for parts in zip(*drawn)]
        generator = torch.Generator().manual_seed(int(random.integers(2**62)))
        made = augmented(
            *whole[:4], self._sources.augment, self._sources.shortest, generator)
        # A look at one window may map megabytes around it.
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
            np.asarray(part.memory), source.yardsticks[part.tracks].astype(np.float32)]
