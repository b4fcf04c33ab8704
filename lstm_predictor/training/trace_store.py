"""Traces kept on disk, computed once, as memory-mapped .npy files."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
import json
from pathlib import Path
import shutil
import tempfile
from typing import Any, BinaryIO

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
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f'{folder.name}.', dir=folder.parent))
    names: list[str] = []
    ends = {'row': [0], 'anchor': [0]}
    like: dict[str, NDArray[Any]] = {}
    try:
        with ExitStack() as opened:
            files = {name: opened.enter_context(open(_file(partial, name), 'wb'))
                     for name in PER_ROW + PER_ANCHOR}
            for trace in traces:
                for name, file in files.items():
                    array = np.ascontiguousarray(getattr(trace, name))
                    if name not in like:
                        like[name] = array
                        _write_header(file, array, 0)
                    file.write(array.tobytes())
                names.append(trace.name)
                ends['row'].append(ends['row'][-1] + len(trace.rows))
                ends['anchor'].append(ends['anchor'][-1] + len(trace.anchors))
            for name, file in files.items():
                if name in like:
                    file.seek(0)
                    count = ends['row' if name in PER_ROW else 'anchor'][-1]
                    _write_header(file, like[name], count)
        (partial / _INDEX).write_text(json.dumps(
            {'names': names, 'rows': ends['row'][1:], 'anchors': ends['anchor'][1:]}))
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def read(folder: Path) -> Traces | None:
    """Return the traces in a folder, or None where there are none."""
    try:
        index = json.loads((folder / _INDEX).read_text())
    except FileNotFoundError:
        return None
    arrays = {name: np.load(_file(folder, name), mmap_mode='r')
              for name in PER_ROW + PER_ANCHOR} if index['names'] else {}
    return Traces(index['names'], np.array(index['rows'], dtype=np.int64),
                  np.array(index['anchors'], dtype=np.int64), arrays)


def _file(folder: Path, name: str) -> Path:
    return folder / f'{name}.npy'


def _write_header(file: BinaryIO, like: NDArray[Any], count: int) -> None:
    """Write the .npy header of `count` rows; NumPy leaves room in it for any count."""
    np.lib.format.write_array_header_1_0(file, {
        'descr': np.lib.format.dtype_to_descr(like.dtype), 'fortran_order': False,
        'shape': (count, *like.shape[1:])})
