"""
The rows in the pages of an SQLite file whose tree cannot be followed to them.

Of a file that was cut off the root leads to pages that are not there, while most of the rows are.
The format is that of https://www.sqlite.org/fileformat.html, sections 1.6 and 2.1.
"""

from collections.abc import Iterator
from pathlib import Path
import struct
from typing import Any, BinaryIO, NamedTuple

_HEADER = 100  # bytes before the first page's own header
_LEAF = 0x0d  # kind of a page with rows of a table


class Row(NamedTuple):
    """One row of some table."""

    number: int
    values: list[Any]  # None, int, str or bytes


class Pages:
    """A file as pages; use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Raise ValueError where it is no SQLite file."""
        self._file: BinaryIO = open(path, 'rb')
        header = self._file.read(_HEADER)
        if len(header) < _HEADER or not header.startswith(b'SQLite format 3\0'):
            self._file.close()
            raise ValueError('it is no SQLite file')
        size, = struct.unpack_from('>H', header, 16)
        self._size = 65536 if size == 1 else size
        self._usable = self._size - header[20]
        if self._usable < 480:
            self._file.close()
            raise ValueError(f'its pages are of {self._size} bytes')

    def __enter__(self) -> 'Pages':
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def rows(self, columns: int) -> Iterator[Row]:
        """Yield the rows of so many columns or more by their number, without damaged ones."""
        found = sorted((number, page, at) for page in self._leaves() for number, at in
                       self._numbers(page))
        for number, page, at in found:
            try:
                values = _values(self._payload(self._page(page), at))
            except (struct.error, IndexError, ValueError):
                continue
            if len(values) >= columns:
                yield Row(number, values)

    def _leaves(self) -> Iterator[int]:
        count = self._file.seek(0, 2) // self._size
        for page in range(count):
            self._file.seek(page * self._size + (0 if page else _HEADER))
            if self._file.read(1) == bytes([_LEAF]):
                yield page

    def _page(self, page: int) -> bytes:
        self._file.seek(page * self._size)
        return self._file.read(self._size)

    def _numbers(self, page: int) -> Iterator[tuple[int, int]]:
        """Yield number and place of each row in a page."""
        content, start = self._page(page), 0 if page else _HEADER
        try:
            count, = struct.unpack_from('>H', content, start + 3)
            for at in struct.unpack_from(f'>{count}H', content, start + 8):
                yield _varint(content, _varint(content, at)[1])[0], at
        except (struct.error, IndexError):
            return

    def _payload(self, content: bytes, at: int) -> bytes:
        """Return a row's bytes, from this page and those that it goes on in."""
        length, at = _varint(content, at)
        _, at = _varint(content, at)
        local, most = length, self._usable - 35
        if length > most:
            least = (self._usable - 12) * 32 // 255 - 23
            local = least + (length - least) % (self._usable - 4)
            local = local if local <= most else least
        parts, left = [content[at:at + local]], length - local
        further = content[at + local:at + local + 4]
        while left > 0:
            number, = struct.unpack('>I', further)
            content = self._page(number - 1)
            if number < 1 or len(content) < self._usable:
                raise ValueError('a page is missing')
            further = content[:4]
            parts.append(content[4:min(self._usable, 4 + left)])
            left -= len(parts[-1])
        return b''.join(parts)


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Return a number of one to nine bytes, and the place after it."""
    value = 0
    for i in range(8):
        byte = content[at + i]
        value = value << 7 | byte & 0x7f
        if byte < 0x80:
            return value, at + i + 1
    return value << 8 | content[at + 8], at + 9


def _values(payload: bytes) -> list[Any]:
    """Return the columns of a row."""
    size, at = _varint(payload, 0)
    kinds = []
    while at < size:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values: list[Any] = []
    for kind in kinds:
        length = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)[kind] if kind < 10 else max(kind - 12, 0) // 2
        part = payload[at:at + length]
        if len(part) < length:
            raise ValueError('a row is too short')
        at += length
        if kind >= 12:
            values.append(part.decode() if kind % 2 else part)
        elif kind in (8, 9):
            values.append(kind - 8)
        else:
            values.append(int.from_bytes(part, 'big', signed=True) if 0 < kind < 7 else None)
    return values
