"""Checks whether any user can change a file, by its mode and its folders'."""

from collections.abc import Iterator
import os
from pathlib import Path
import shlex
import stat


def weakness(path: Path, mode: int) -> str:
    """
    Return how anyone can change a file, with the remedy; empty where nobody can.

    `mode` is that of the file as it was opened, behind links. A folder that anyone may write is
    as bad as such a file, however far up it is, since what lies in it can be moved away and
    replaced; its sticky bit keeps that to the owners. A folder that is closed to others does not
    make up for it: it may be opened. On systems without such modes nothing is known.

    >>> weakness(Path('/opt/model.pt'), 0o100666)
    'can be changed by anyone, it has mode 0666: chmod o-w /opt/model.pt'
    """
    if os.name != 'posix':
        return ''
    if mode & stat.S_IWOTH:
        return f'can be changed by anyone, it has {_remedy(path, mode)}'
    for folder in _folders(path):
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return f'can be replaced by anyone, it lies in a folder of {_remedy(folder, mode)}'
    return ''


def _remedy(path: Path, mode: int) -> str:
    return f'mode {stat.S_IMODE(mode):04o}: chmod o-w {shlex.quote(str(path))}'


def _folders(path: Path) -> Iterator[Path]:
    """Yield the folder of every name on the way to a file, and on that of every link there."""
    ways, seen = [path.absolute()], set()
    while ways:
        way = ways.pop()
        for name in (way, *way.parents):
            if name in seen:
                continue
            seen.add(name)
            if name.is_symlink():
                ways.append(name.parent / name.readlink())
            yield name.parent
