"""Traces kept on disk, computed once, as memory-mapped .npy files."""

from collections.abc import Iterable
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from lstm_predictor.training.array_files import (
    append, completed, file_of, opened, write_header)
from lstm_predictor.training.expert_traces import Trace

import numpy as np
from numpy.typing import NDArray

PER_ROW = ('rows', 'scale', 'missed', 'residual')
PER_ANCHOR = ('anchors', 'used', 'paths', 'variances', 'robot', 'changes', 'future')
_INDEX = 'index.json'


@dataclass(frozen=True)
class Traces:
    """Traces one after the other in arrays, mapped and not loaded."""

    names: list[str]
    row_ends: NDArray[np.int64]  # of each trace in the arrays of rows (n,)
    anchor_ends: NDArray[np.int64]  # and in those of anchors
    arrays: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: int) -> Trace:
        """Return one trace; raise IndexError beyond the last."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        parts = {}
        for names, ends in ((PER_ROW, self.row_ends), (PER_ANCHOR, self.anchor_ends)):
            begin = int(ends[number - 1]) if number else 0
            parts |= {name: self.arrays[name][begin:int(ends[number])] for name in names}
        return Trace(self.names[number], **parts)


def write(folder: Path, traces: Iterable[Trace]) -> None:
    """Write traces one by one; the folder appears once all of them are written."""
    names: list[str] = []
    ends = {'row': [0], 'anchor': [0]}
    like: dict[str, NDArray[Any]] = {}
    with completed(folder) as partial:
        with opened(partial, PER_ROW + PER_ANCHOR) as files:
            for trace in traces:
                for name, file in files.items():
                    array = getattr(trace, name)
                    if name not in like:
                        like[name] = array
                        write_header(file, array, 0)
                    append(file, array)
                names.append(trace.name)
                ends['row'].append(ends['row'][-1] + len(trace.rows))
                ends['anchor'].append(ends['anchor'][-1] + len(trace.anchors))
            for name, array in like.items():
                files[name].seek(0)
                write_header(
                    files[name], array, ends['row' if name in PER_ROW else 'anchor'][-1])
        (partial / _INDEX).write_text(json.dumps(
            {'names': names, 'rows': ends['row'][1:], 'anchors': ends['anchor'][1:]}))


def read(folder: Path) -> Traces | None:
    """Return the traces in a folder, or None where there are none."""
    try:
        index = json.loads((folder / _INDEX).read_text())
    except FileNotFoundError:
        return None
    arrays = {name: np.load(file_of(folder, name), mmap_mode='r')
              for name in PER_ROW + PER_ANCHOR} if index['names'] else {}
    return Traces(index['names'], np.array(index['rows'], dtype=np.int64),
                  np.array(index['anchors'], dtype=np.int64), arrays)
