"""The files of a recording: intact ones read by rosbags, damaged ones as far as possible."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
import re
import shutil
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from lstm_predictor.common.errors import LstmPredictorError
from lstm_predictor.recordings.salvage import (
    DamagedFile, DamagedMcap, DamagedSqlite, Topic, unpack, unpack_file, ZSTD)

from rosbags.rosbag2 import Reader

import yaml

SUFFIXES = ('.mcap', '.db3', '.mcap.zstd', '.db3.zstd')
_SIMULATED_NS = 1_000_000_000 * 1_000_000_000  # in the year 2001: no clock shows that today


class StorageError(LstmPredictorError, ValueError):
    """Files without any readable message; its text is one line."""


class Storage(Protocol):
    """The interface of intact and of damaged files."""

    topics: list[Topic]
    begin_ns: int  # receipt of the first message
    end_ns: int  # and of the last
    notes: list[str]  # what is wrong with it, in one line each

    def messages(self, topics: list[Topic]) -> Iterator[tuple[Topic, int, bytes]]:
        """Yield topic, receipt [ns] and data of the messages on some topics."""

    def close(self) -> None:
        """Close the files."""


def is_storage(path: Path) -> bool:
    """Return whether a name is that of a file with messages."""
    return path.name.endswith(SUFFIXES)


def recordings_in(folder: Path) -> list[Path]:
    """
    Return the recordings in a folder: itself, or its files where each is one of its own.

    Files are parts of one recording where metadata.yaml names one of them, or where their names
    differ in the last number alone.
    """
    names, files = _listed(folder), _files_in(folder)
    if not files:
        return [folder] if (folder / 'metadata.yaml').is_file() else []
    if len(files) == 1 or any(file.name in (names or []) for file in files):
        return [folder]
    parts = {(_stem(file)[0], _suffix(file)) for file in files}
    return [folder] if len(parts) == 1 and all(_stem(file)[1] >= 0 for file in files) else files


def recording_of(path: Path) -> Path:
    """Return the folder of a recording where a file is all there is of it, else the path."""
    if path.is_file() and is_storage(path):
        folder = path.absolute().parent
        if recordings_in(folder) == [folder] and len(_files_in(folder)) == 1:
            return folder
    return path


def name_of(path: Path) -> str:
    """Return the name of a recording: that of its folder, or of its file without the kind."""
    name = path.resolve().name
    return name.removesuffix(_suffix(path)) if path.is_file() and is_storage(path) else name


def open_storage(path: Path) -> Storage:
    """Return what a folder or a file holds; raise StorageError where there is nothing."""
    if path.is_dir():
        try:
            return _in_order(_Intact(path), path)
        except Exception as error:  # of rosbags, of YAML, of SQLite, of a decompressor
            return _open_files(path, _first_line(error))
    if not is_storage(path):
        raise StorageError(f'{path} is no rosbag2 recording: that is a folder, or a file that '
                           f'ends in {" or ".join(SUFFIXES[:2])}')
    return _open_files(path, '')


def _open_files(path: Path, reason: str) -> Storage:
    """Return files as they are, which metadata.yaml does not help to read for a reason."""
    files, named = [path], [path]
    if path.is_dir():
        names, files, named = _listed(path) or [], _files_in(path), recordings_in(path)
        files = [file for file in files if file.name in names] or files
    if not files:
        raise StorageError(f'{path} is no rosbag2 recording ({reason})')
    if len(named) > 1:
        raise StorageError(f'{path} holds {len(named)} recordings, name one of them: '
                           f'{", ".join(file.name for file in named[:9])}')
    joined = _Joined()
    try:
        if path.is_dir() and not (path / 'metadata.yaml').exists():
            joined.notes.append('there is no metadata.yaml, the messages are read without it')
        wrong = [*map(joined.take, files)]
        if path.is_dir() and (path / 'metadata.yaml').exists() and not joined.damaged:
            joined.notes.append(f'metadata.yaml cannot be used ({reason}), the messages are read '
                                'without it')
        if not joined.parts:
            raise StorageError(f'{path} is no rosbag2 recording ({wrong[0]}); `ros2 bag reindex` '
                               'may make one of it')
    except BaseException:
        joined.close()
        raise
    joined.notes += [text for text in wrong if text]
    return joined


class _Intact:
    """A folder or file that rosbags reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.notes: list[str] = []
        self._reader: Any = Reader(path)
        self._reader.open()
        try:
            counts: dict[tuple[str, str], int] = {}
            for one in self._reader.connections:
                key = (one.topic, one.msgtype)
                counts[key] = counts.get(key, 0) + one.msgcount
            _check_metadata({key for key, count in counts.items() if count}, self._reader)
            self.topics = [Topic(*key, count) for key, count in counts.items()]
            self.begin_ns = self._reader.start_time
            self.end_ns = self.begin_ns + self._reader.duration
        except BaseException:
            self._reader.close()
            raise

    def messages(self, topics: list[Topic]) -> Iterator[tuple[Topic, int, bytes]]:
        """Yield the messages; where rosbags cannot go on, what comes after the damage."""
        by_name = {(topic.name, topic.msgtype): topic for topic in topics}
        chosen = [one for one in self._reader.connections
                  if (one.topic, one.msgtype) in by_name]
        if not chosen:  # which the reader would take for all
            return
        newest_ns = -1
        try:
            for one, receive_ns, data in self._reader.messages(chosen):
                newest_ns = receive_ns
                yield by_name[one.topic, one.msgtype], receive_ns, bytes(data)
        except Exception as error:  # of SQLite and the decompressors as well
            yield from self._after(newest_ns, topics, error)

    def _after(self, newest_ns: int, topics: list[Topic], error: Exception
               ) -> Iterator[tuple[Topic, int, bytes]]:
        passed = 1e-9 * max(newest_ns - self.begin_ns, 0)
        note = f'damaged after {passed:.1f} s ({_first_line(error)}), what can be read is used'
        if note not in self.notes:
            self.notes.append(note)
        rest = _Joined(cut=True)
        try:
            for file in _files_in(self._path) if self._path.is_dir() else [self._path]:
                rest.take(file)
            for topic, receive_ns, data in rest.messages(topics):
                if receive_ns > newest_ns:
                    yield topic, receive_ns, data
        finally:
            rest.close()

    def close(self) -> None:
        """Close the files."""
        self._reader.close()


def _in_order(intact: _Intact, path: Path) -> Storage:
    """
    Return a recording in the order in which it was written.

    rosbags sorts by the recorder's clock. A simulated one may have been set back, and two drives
    would be sorted into each other.
    """
    if not 0 < intact.begin_ns < _SIMULATED_NS:
        return intact
    written = _Joined(cut=True)
    for file in _files_in(path) if path.is_dir() else [path]:
        written.take(file)
    if not any(getattr(part, 'set_back', False) for part in written.parts):
        written.close()
        return intact
    intact.close()
    written.notes.append('the clock of the recorder was set back: messages are taken in the '
                         'order in which they were written')
    return written


class _Joined:
    """Files one after another."""

    def __init__(self, cut: bool = False) -> None:
        """`cut`: read none of them by rosbags."""
        self._cut = cut
        self._stack = ExitStack()
        self.damaged = False
        self.parts: list[Storage] = []
        self.topics: list[Topic] = []
        self.notes: list[str] = []
        self.begin_ns = self.end_ns = 0

    def take(self, file: Path) -> str:
        """Take a file; return in one line what is wrong with it, or nothing."""
        try:
            part, wrong = self._open(file)
        except Exception as error:  # whatever a damaged file makes of a decoder
            self.damaged = True
            return f'{file.name}: {_first_line(error)}'
        self._stack.callback(part.close)
        self.parts.append(part)
        counts = {(topic.name, topic.msgtype): topic.count for topic in self.topics}
        for topic in part.topics:
            key = (topic.name, topic.msgtype)
            counts[key] = counts.get(key, 0) + topic.count
        self.topics = [Topic(*key, count) for key, count in counts.items()]
        self.begin_ns = min(one.begin_ns for one in self.parts)
        self.end_ns = max(one.end_ns for one in self.parts)
        self.damaged = self.damaged or bool(wrong)
        return wrong

    def _open(self, file: Path) -> tuple[Storage, str]:
        there = file
        log = file.with_name(f'{file.name}-wal')
        if file.suffix == '.zstd':
            there = self._folder() / file.name.removesuffix('.zstd')
            if not unpack_file(file, there):
                part = _cut(there)
                return part, _truncated(file, part)
        elif log.exists() and log.stat().st_size:
            there = self._folder() / file.name
            for one in (file, log):  # to read the log is to change the file
                shutil.copy(one, there.parent)
            return _cut(there), f'{file.name} was not closed, the log beside it is read as well'
        if not self._cut:
            try:
                return _in_order(_Intact(there), there), ''
            except Exception:  # of rosbags and SQLite
                part = _cut(there)
                return part, _truncated(file, part)
        return _cut(there), ''

    def _folder(self) -> Path:
        return Path(self._stack.enter_context(TemporaryDirectory()))

    def messages(self, topics: list[Topic]) -> Iterator[tuple[Topic, int, bytes]]:
        """Yield the messages of all files."""
        for part in self.parts:
            for topic, receive_ns, data in part.messages(topics):
                if data[:4] == ZSTD:  # one by one, which metadata.yaml would have said
                    try:
                        data = unpack(data)
                    except ValueError:
                        pass  # it will be rejected as invalid
                yield topic, receive_ns, data
            self.notes += [note for note in part.notes if note not in self.notes]

    def close(self) -> None:
        """Close the files."""
        self._stack.close()


def _check_metadata(named: set[tuple[str, str]], reader: Any) -> None:
    """Raise ValueError where metadata.yaml is that of another recording."""
    parts = getattr(getattr(reader, 'storage', None), 'storages', [])
    there = {(one.topic, one.msgtype) for part in parts for one in part.connections}
    if parts and not named <= there:
        name, kind = min(named - there)
        raise ValueError(f'it names {kind} on {name}, which no file has')


def _cut(file: Path) -> DamagedFile:
    return DamagedMcap(file) if file.suffix == '.mcap' else DamagedSqlite(file)


def _truncated(file: Path, part: DamagedFile) -> str:
    return f'{file.name} breaks off, what is there is used: ' \
           f'{1e-9 * (part.end_ns - part.begin_ns):.1f} s, ' \
           f'{sum(topic.count for topic in part.topics)} messages'


def _files_in(folder: Path) -> list[Path]:
    """Return the files with messages in a folder, parts of one recording in their order."""
    return sorted((path for path in folder.iterdir() if is_storage(path) and path.is_file()),
                  key=lambda path: (*_stem(path), path.name))


def _listed(folder: Path) -> list[str] | None:
    """Return the files that metadata.yaml names, or None where there is none that can be read."""
    try:
        content = yaml.safe_load((folder / 'metadata.yaml').read_text())
        names = content['rosbag2_bagfile_information']['relative_file_paths']
        return [Path(str(name)).name for name in names]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError):
        return None


def _suffix(path: Path) -> str:
    return next(suffix for suffix in SUFFIXES[::-1] if path.name.endswith(suffix))


def _stem(path: Path) -> tuple[str, int]:
    """Return the name without its number and suffix, and the number, -1 without one."""
    stem = path.name.removesuffix(_suffix(path))
    found = re.fullmatch(r'(.*)_(\d+)', stem)
    return (found[1], int(found[2])) if found else (stem, -1)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
