"""Messages of a storage file that is truncated, or that its recorder did not close."""

from collections.abc import Iterator
from contextlib import closing
import heapq
from importlib import import_module
from io import BytesIO
from pathlib import Path
import sqlite3
import struct
import sys
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import quote
from zlib import crc32

from lstm_predictor.common.errors import LstmPredictorError
from lstm_predictor.recordings.sqlite_pages import Pages

ZSTD = b'\x28\xb5\x2f\xfd'  # that a frame begins with, which no message in CDR does
_MAGIC = b'\x89MCAP0\r\n'
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _DATA_END = 0x03, 0x04, 0x05, 0x06, 0x0f
_PIECE = 1 << 14  # bytes that are decompressed at once
_BACK_NS = 1_000_000_000  # from which on a backward step means that the clock was set back
_DISORDER = 20_000  # messages by which one may be too late in a file


class NothingReadable(LstmPredictorError, ValueError):
    """A file without one message that can be read; its text is one line."""


class Topic(NamedTuple):
    """The messages of one name and one type."""

    name: str
    msgtype: str
    count: int = 0


class _Row(NamedTuple):
    receive_ns: int
    place: int  # in the file
    name: str
    msgtype: str
    data: bytes


class DamagedFile:
    """A file that is read from its beginning to where nothing more can be read."""

    def __init__(self, path: Path) -> None:
        """Raise NothingReadable where no message can be read."""
        self._path = path
        self.notes: list[str] = []
        counts: dict[tuple[str, str], int] = {}
        self.begin_ns, self.end_ns = 2 ** 63 - 1, 0
        self.set_back = False  # the clock of the recorder, which then was a simulated one
        for row in self._forward():
            key = (row.name, row.msgtype)
            counts[key] = counts.get(key, 0) + 1
            self.begin_ns = min(self.begin_ns, row.receive_ns)
            self.end_ns = max(self.end_ns, row.receive_ns)
        self.topics = [Topic(*key, count) for key, count in counts.items()]
        if not counts:
            raise NothingReadable('no message in it can be read')

    def messages(self, topics: list[Topic]) -> Iterator[tuple[Topic, int, bytes]]:
        """Yield topic, receipt [ns] and data of the messages on some topics."""
        by_name = {(topic.name, topic.msgtype): topic for topic in topics}
        waiting: list[_Row] = []
        for row in self._forward():
            if (row.name, row.msgtype) in by_name:
                heapq.heappush(waiting, row)
            if len(waiting) > _DISORDER:
                yield _out(by_name, heapq.heappop(waiting))
        while waiting:
            yield _out(by_name, heapq.heappop(waiting))

    def close(self) -> None:
        """Keep nothing open."""

    def _forward(self) -> Iterator[_Row]:
        """Yield the rows with receipts that go on where the recorder's clock was set back."""
        added_ns, newest_ns = 0, 0
        for row in self._rows():
            if row.receive_ns < newest_ns - _BACK_NS:
                self.set_back = True
                added_ns += newest_ns - row.receive_ns
                newest_ns = row.receive_ns
            newest_ns = max(newest_ns, row.receive_ns)
            yield row._replace(receive_ns=row.receive_ns + added_ns)

    def _rows(self) -> Iterator[_Row]:
        """Yield the messages in the order in which they were written."""
        raise NotImplementedError


def _out(by_name: dict[tuple[str, str], Topic], row: _Row) -> tuple[Topic, int, bytes]:
    return by_name[row.name, row.msgtype], row.receive_ns, row.data


class DamagedMcap(DamagedFile):
    """An MCAP file, with or without its end; damaged chunks are left out."""

    def _rows(self) -> Iterator[_Row]:
        schemas: dict[int, str] = {}
        channels: dict[int, tuple[str, str]] = {}
        with open(self._path, 'rb') as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise NothingReadable('it is no MCAP file')
            for place, (kind, content) in enumerate(_all_records(file)):
                try:
                    if kind == _SCHEMA:
                        number, = struct.unpack_from('<H', content)
                        schemas[number] = _text(content, 2)[0]
                    elif kind == _CHANNEL:
                        number, schema = struct.unpack_from('<HH', content)
                        topic, at = _text(content, 4)
                        channels.pop(number, None)
                        if _text(content, at)[0] == 'cdr' and schema in schemas:
                            channels[number] = (topic, schemas[schema])
                    elif kind == _MESSAGE:
                        number, _, receive_ns = struct.unpack_from('<HIQ', content)
                        if number in channels:
                            yield _Row(receive_ns, place, *channels[number], content[22:])
                except (struct.error, UnicodeDecodeError):
                    continue


def _all_records(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the records of a file and of its chunks."""
    for kind, content, complete in _records(file):
        if kind == _CHUNK:
            for inner, inside, is_complete in _records(BytesIO(_chunk(content, complete))):
                if is_complete:
                    yield inner, inside
        elif complete:
            yield kind, content


def _records(file: BinaryIO) -> Iterator[tuple[int, bytes, bool]]:
    """Yield kind, content and whether it is all there, up to where nothing more can be read."""
    start = file.tell()
    size = file.seek(0, 2)
    file.seek(start)
    while len(head := file.read(9)) == 9:
        kind, length = struct.unpack('<BQ', head)
        begin = file.tell()
        there = min(length, size - begin)
        if kind in (0, _DATA_END):
            return
        if kind in (_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK):
            yield kind, file.read(there), there == length
        if there < length:
            return
        file.seek(begin + length)


def _chunk(content: bytes, complete: bool) -> bytes:
    """Return the records in a chunk, as far as they are there; nothing of a damaged one."""
    try:
        _, _, size, crc = struct.unpack_from('<QQQI', content)
        compression, at = _text(content, 28)
        records = content[at + 8:]
    except (struct.error, UnicodeDecodeError):
        return b''
    try:
        found = b''.join(_unpacked(records, compression))
    except _damage():
        return b''
    if complete and (len(found) != size or crc and crc32(found) != crc):
        return b''
    return found


def _unpacked(data: bytes, compression: str) -> Iterator[bytes]:
    """Yield what is in compressed data, as far as it goes."""
    if not compression:
        yield data
        return
    if compression == 'zstd':
        unpacker: Any = _zstd().ZstdDecompressor()
    elif compression == 'lz4':
        unpacker = import_module('lz4.frame').LZ4FrameDecompressor()
    else:
        raise NothingReadable(f'compression {compression!r} is unknown')
    for i in range(0, len(data), _PIECE):
        if unpacker.eof:
            return
        yield unpacker.decompress(data[i:i + _PIECE])


def _text(content: bytes, at: int) -> tuple[str, int]:
    """Return a text with its length before it, and the place after it."""
    length, = struct.unpack_from('<I', content, at)
    return content[at + 4:at + 4 + length].decode(), at + 4 + length


class DamagedSqlite(DamagedFile):
    """An SQLite file, with or without its last pages."""

    def __init__(self, path: Path) -> None:
        """Raise NothingReadable where no message can be read."""
        # A log that its recorder left is worked in by SQLite, which is done on a copy.
        logged = path.with_name(f'{path.name}-wal').exists()
        self._uri = f'file:{quote(str(path.absolute()))}{"" if logged else "?immutable=1"}'
        self._whole = self._is_whole()
        super().__init__(path)

    def _is_whole(self) -> bool:
        try:
            with closing(sqlite3.connect(self._uri, uri=True)) as database:
                for _ in database.execute('SELECT data FROM messages NOT INDEXED'):
                    pass
            return True
        except sqlite3.Error:
            return False

    def _rows(self) -> Iterator[_Row]:
        topics = {number: values[:2] for number, *values in self._table(
            'topics', 'id, name, type, serialization_format', (str, str, str))
            if values[2] == 'cdr'}
        for place, topic, receive_ns, data in self._table(
                'messages', 'id, topic_id, timestamp, data', (int, int, bytes)):
            if topic in topics:
                yield _Row(receive_ns, place, *topics[topic], data)

    def _table(self, name: str, columns: str, kinds: tuple[type, ...]) -> Iterator[Any]:
        """Yield the rows of a table in the order in which they were written."""
        if self._whole:
            with closing(sqlite3.connect(self._uri, uri=True)) as database:
                yield from database.execute(
                    f'SELECT {columns} FROM {name} NOT INDEXED ORDER BY id')
            return
        with Pages(self._path) as pages:
            for number, values in pages.rows(1 + len(kinds)):
                found = values[1:1 + len(kinds)]
                if values[0] is None and all(map(isinstance, found, kinds)):
                    yield number, *found


def unpack(data: bytes) -> bytes:
    """Return what was compressed by zstd; raise ValueError where it is damaged."""
    try:
        return b''.join(_unpacked(data, 'zstd'))
    except _damage() as error:
        raise ValueError(f'damaged compression: {error}') from None


def unpack_file(source: Path, target: Path) -> bool:
    """Write what a file compressed by zstd holds; return whether it was all there."""
    unpacker, ended = _zstd().ZstdDecompressor(), False
    with open(source, 'rb') as packed, open(target, 'wb') as unpacked:
        try:
            for piece in iter(lambda: packed.read(_PIECE), b''):
                while piece:
                    if ended:  # one frame after another
                        unpacker = _zstd().ZstdDecompressor()
                    unpacked.write(unpacker.decompress(piece))
                    ended = unpacker.eof
                    piece = unpacker.unused_data if ended else b''
        except _damage():
            return False
    return ended


def _zstd() -> Any:
    """Return the module that rosbags uses for it and brings, as it does lz4."""
    return import_module('compression.zstd' if sys.version_info >= (3, 14) else 'backports.zstd')


def _damage() -> tuple[type[Exception], ...]:
    """Return what decompressors raise."""
    return (_zstd().ZstdError, RuntimeError, NothingReadable, EOFError)
