"""rosbag2 recordings in and out; the only module that knows how they are stored."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from lstm_predictor.core import samples
from lstm_predictor.core.clock import ClockOffset
from lstm_predictor.core.samples import Command, Imu, Odometry

import numpy as np

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader, ReaderError, StoragePlugin, Writer
from rosbags.serde import SerdeError
from rosbags.typesys import get_typestore, Stores

_TYPESTORE = get_typestore(Stores.LATEST)
_ODOMETRY = 'nav_msgs/msg/Odometry'
_IMU = 'sensor_msgs/msg/Imu'
_COMMANDS = ('geometry_msgs/msg/Twist', 'geometry_msgs/msg/TwistStamped')


class BagError(ValueError):
    """A recording that cannot be used; its text is one line that says why."""


@dataclass(frozen=True)
class Message:
    """One message as it was recorded."""

    receive_ns: int  # by the recorder's clock
    topic: str
    msgtype: str
    data: bytes  # CDR

    def decoded(self) -> Any:
        """Return the message with the same fields as rclpy's."""
        try:
            return _TYPESTORE.deserialize_cdr(self.data, self.msgtype)
        except SerdeError as error:
            raise samples.BadMessage(f'no {self.msgtype}: {error}') from None


@dataclass(frozen=True)
class Topics:
    """Under which names a recording has what the predictor hears."""

    odom: str = '/odom'
    imu: str = '/imu'
    cmd_vel: str = '/cmd_vel'


def folder_of(path: Path) -> Path:
    """Return the folder of a recording, which may be named by the storage file in it."""
    if path.is_file() and path.suffix in ('.mcap', '.db3'):
        return Path(os.path.abspath(path)).parent
    return path


class Recording:
    """A rosbag2 folder; use it as a context manager."""

    def __init__(self, path: Path, topics: Topics = Topics()) -> None:
        """Raise BagError where there is no recording at the path, or one without odometry."""
        self.path = path
        self.topics = topics
        self.refused: dict[str, int] = {}  # bad messages by topic and reason
        if not path.exists():
            raise BagError(f'recording {path} does not exist')
        try:
            self._reader = Reader(path)
            self._reader.open()
        except (ReaderError, OSError, ValueError, AssertionError) as error:
            below = sorted(file.parent.name for file in path.glob('*/metadata.yaml'))
            if below:
                raise BagError(f'{path} holds recordings, name one of them: '
                               f'{", ".join(below[:9])}') from None
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise BagError(f'{path} is no rosbag2 recording ({reason})') from None
        types = {c.topic: c.msgtype for c in self._reader.connections}
        if types.get(topics.odom) != _ODOMETRY or not self.count(topics.odom):
            self._reader.close()
            raise BagError(f'recording {path} has no {_ODOMETRY} on {topics.odom}; it has '
                           + (', '.join(sorted(types)) or 'no topic at all'))

    def __enter__(self) -> 'Recording':
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self._reader.close()

    @property
    def duration(self) -> float:
        """Time between the first and the last message [s]."""
        return float(1e-9 * self._reader.duration)

    def count(self, topic: str) -> int:
        """Return how many messages there are on a topic."""
        return sum(c.msgcount for c in self._reader.connections if c.topic == topic)

    def types(self) -> dict[str, str]:
        """Return the message types of the topics that the predictor hears, by topic."""
        return {c.topic: c.msgtype for c in self._reader.connections if self._is_heard(c)}

    def messages(self) -> Iterator[Message]:
        """Yield what the predictor hears, in the order it was recorded."""
        return self._messages([c for c in self._reader.connections if self._is_heard(c)])

    def messages_on(self, *topics: str) -> Iterator[Message]:
        """Yield the messages on some topics, in the order they were recorded."""
        return self._messages([c for c in self._reader.connections if c.topic in topics])

    def readings(self) -> Iterator[Odometry | Imu | Command]:
        """Yield the readings on the odometry's clock; bad messages are counted in `refused`."""
        self.refused = {}
        for message, reading in self.heard():
            if isinstance(reading, samples.BadMessage):
                reason = f'{message.topic}: {reading}'
                self.refused[reason] = self.refused.get(reason, 0) + 1
            else:
                yield reading

    def heard(self) -> Iterator[tuple[Message, Odometry | Imu | Command | samples.BadMessage]]:
        """Yield each message with its reading on the odometry's clock, or why there is none."""
        offset = ClockOffset()
        for message in self.messages():
            try:
                reading = self._reading(message, offset)
            except samples.BadMessage as error:
                yield message, error
                continue
            if isinstance(reading, Odometry):
                offset.add(message.receive_ns, reading.stamp_ns)
            yield message, reading

    def poses(self, topic: str) -> list[Odometry]:
        """
        Return the readings of another odometry topic, such as one with the true pose.

        Raise BagError where there is none.
        """
        found = []
        for message in self.messages_on(topic):
            if message.msgtype == _ODOMETRY:
                try:
                    found.append(samples.read_odometry(message.decoded()))
                except samples.BadMessage:
                    continue
        if not found:
            raise BagError(f'recording {self.path} has no {_ODOMETRY} on {topic}')
        return found

    def _messages(self, chosen: list[Connection]) -> Iterator[Message]:
        if not chosen:  # which the reader would take for all
            return
        try:
            for connection, receive_ns, data in self._reader.messages(chosen):
                yield Message(receive_ns, connection.topic, connection.msgtype, bytes(data))
        except (ReaderError, OSError, ValueError) as error:
            raise BagError(f'recording {self.path} breaks off: {error}') from None

    def _reading(self, message: Message, offset: ClockOffset) -> Odometry | Imu | Command:
        decoded = message.decoded()
        if message.topic == self.topics.odom:
            return samples.read_odometry(decoded)
        if message.topic == self.topics.imu:
            return samples.read_imu(decoded)
        return samples.read_command(decoded, message.receive_ns - offset.offset_ns)

    def _is_heard(self, connection: Connection) -> bool:
        return (connection.topic, connection.msgtype) in (
            (self.topics.odom, _ODOMETRY), (self.topics.imu, _IMU),
            *((self.topics.cmd_vel, name) for name in _COMMANDS))


def limits_of(readings: Iterable[Odometry | Imu | Command]) -> tuple[float, float]:
    """Return the largest speed [m/s] and yaw rate [rad/s] that the odometry shows."""
    found = np.array([reading[4:6] for reading in readings
                      if isinstance(reading, Odometry)] or [(0.0, 0.0)])
    # TurtleBot3's driver says 125.7 rad/s where the yaw wraps, and some are outliers.
    found = found[np.abs(found[:, 1]) < 20.0]
    speed, yaw_rate = np.quantile(np.abs(found), 0.999, axis=0) if len(found) else (0.0, 0.0)
    return max(float(speed), 0.01), max(float(yaw_rate), 0.01)


class BagWriter:
    """Writes serialized messages into a new MCAP recording; use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Raise BagError where the path is taken."""
        if path.exists():
            raise BagError(f'{path} exists already; a recording is never overwritten')
        self._writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
        self._connections: dict[str, Connection] = {}

    def __enter__(self) -> 'BagWriter':
        self._writer.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self._writer.close()

    def write(self, message: Message) -> None:
        """Append a message; the order is that of the calls."""
        connection = self._connections.get(message.topic)
        if connection is None:
            connection = self._connections[message.topic] = self._writer.add_connection(
                message.topic, message.msgtype, typestore=_TYPESTORE)
        self._writer.write(connection, message.receive_ns, message.data)
