"""Folders of .npy files that are written part by part and appear once they are whole."""

from collections.abc import Iterator
from contextlib import contextmanager, ExitStack
from pathlib import Path
import shutil
import tempfile
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray


@contextmanager
def completed(folder: Path) -> Iterator[Path]:
    """Give a folder to write to, which takes the place of `folder` where nothing is raised."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f'{folder.name}.', dir=folder.parent))
    try:
        yield partial
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@contextmanager
def opened(folder: Path, names: tuple[str, ...]) -> Iterator[dict[str, BinaryIO]]:
    """Give the files of the arrays, open for writing, by name."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(open(file_of(folder, name), 'wb')) for name in names}


def file_of(folder: Path, name: str) -> Path:
    """Return the file of an array."""
    return folder / f'{name}.npy'


def append(file: BinaryIO, part: NDArray[Any]) -> None:
    """Write further rows of an array."""
    file.write(np.ascontiguousarray(part).tobytes())


def write_header(file: BinaryIO, like: NDArray[Any], count: int) -> None:
    """Write the .npy header of `count` rows; NumPy leaves room in it for any count."""
    np.lib.format.write_array_header_1_0(file, {
        'descr': np.lib.format.dtype_to_descr(like.dtype), 'fortran_order': False,
        'shape': (count, *like.shape[1:])})
