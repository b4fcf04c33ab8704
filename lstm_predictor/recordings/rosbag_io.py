"""Reading and writing rosbag2 recordings: topics in, drives and readings out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from lstm_predictor.common import readings
from lstm_predictor.common.errors import LstmPredictorError
from lstm_predictor.common.readings import Command, Imu, Odometry
from lstm_predictor.recordings import drives
from lstm_predictor.recordings.drives import Drive, drives_of, Received
from lstm_predictor.recordings.storage import name_of, open_storage, Storage, StorageError, Topic

import numpy as np

from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.serde import SerdeError
from rosbags.typesys import get_typestore, Stores

_TYPESTORE = get_typestore(Stores.LATEST)
_LATEST_NS = 2**62  # a later time of receipt is invalid
_ODOMETRY = 'nav_msgs/msg/Odometry'
_IMU = 'sensor_msgs/msg/Imu'
_NO_STAMP = -1  # [ns], of a command without one
_COMMANDS = ('geometry_msgs/msg/Twist', 'geometry_msgs/msg/TwistStamped')


class BagError(LstmPredictorError, ValueError):
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
            raise readings.InvalidMessage(f'no {self.msgtype}: {error}') from None


@dataclass(frozen=True)
class Topics:
    """The predictor's input topics in a recording."""

    odom: str = '/odom'
    imu: str = '/imu'
    cmd_vel: str = '/cmd_vel'
    named: frozenset[str] = frozenset()  # which of these fields the user named


class Recording:
    """A rosbag2 folder, or one file of messages; use it as a context manager."""

    def __init__(self, path: Path, topics: Topics = Topics()) -> None:
        """
        Raise BagError where there is no recording at the path, or one without odometry.

        And where a topic that the user named is not there, or has another type.
        """
        self.path = path
        self.topics = topics
        self._read: dict[tuple[str, ...], list[Drive]] = {}
        if not path.exists():
            raise BagError(f'recording {path} does not exist')
        try:
            self._storage: Storage = open_storage(path)
        except StorageError as error:
            below = sorted(file.parent.name for file in path.glob('*/metadata.yaml'))
            if below:
                raise BagError(f'{path} holds recordings, name one of them: '
                               f'{", ".join(below[:9])}') from None
            raise BagError(str(error)) from None
        self._topics = self._storage.topics
        try:
            self._check_odometry()
            self._missing = [*self._check('imu', (_IMU,)), *self._check('cmd_vel', _COMMANDS)]
        except BagError:
            self._storage.close()
            raise

    def __enter__(self) -> 'Recording':
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self._storage.close()

    @property
    def name(self) -> str:
        """Its name: that of the folder, or of the file without the kind."""
        return name_of(self.path)

    @property
    def duration(self) -> float:
        """Time between the first and the last message [s]."""
        return 1e-9 * float(self._storage.end_ns - self._storage.begin_ns)

    def count(self, topic: str) -> int:
        """Return how many messages there are on a topic."""
        return sum(one.count for one in self._topics if one.name == topic)

    def types(self) -> dict[str, str]:
        """Return the message types of the predictor's input topics, by topic."""
        return {one.name: one.msgtype for one in self._topics if self._is_input(one)}

    def messages(self) -> Iterator[Message]:
        """Yield the messages on the predictor's input topics, in the order of the recording."""
        return self._messages([one for one in self._topics if self._is_input(one)])

    def messages_on(self, *topics: str) -> Iterator[Message]:
        """Yield the messages on some topics, in the order of the recording."""
        return self._messages([one for one in self._topics if one.name in topics])

    def drives(self, *also: str) -> list[Drive]:
        """
        Return the drives with the predictor's inputs, on the odometry's clock.

        `also`: further topics with odometry or commands.
        """
        if also not in self._read:
            self._read[also] = self._drives(also)
        return self._read[also]

    def readings(self) -> Iterator[Odometry | Imu | Command]:
        """Yield the readings of all drives; invalid messages are counted in `rejected`."""
        for drive in self.drives():
            yield from self.readings_of(drive)

    def readings_of(self, drive: Drive) -> Iterator[Odometry | Imu | Command]:
        """Yield the readings of a drive on the predictor's input topics."""
        return drive.readings(self.topics.odom, self.topics.imu, self.topics.cmd_vel)

    @property
    def rejected(self) -> dict[str, int]:
        """The number of invalid messages by topic and reason."""
        found: dict[str, int] = {}
        inputs = self.types()
        for drive in next(iter(self._read.values()), []):
            for item in drive.received:
                if isinstance(item.reading, readings.InvalidMessage) and item.topic in inputs:
                    reason = f'{item.topic}: {item.reading}'
                    found[reason] = found.get(reason, 0) + 1
        return found

    @property
    def findings(self) -> list[str]:
        """What was unusual in what was read so far, in one line each."""
        read = next(iter(self._read.values()), [])
        return [*self._storage.notes, *self._missing, *drives.findings(read),
                *(f'refused {count} messages on {reason}'
                  for reason, count in self.rejected.items())]

    def _messages(self, chosen: list[Topic]) -> Iterator[Message]:
        for topic, receive_ns, data in self._storage.messages(chosen):
            yield Message(receive_ns, topic.name, topic.msgtype, data)

    def _drives(self, also: tuple[str, ...]) -> list[Drive]:
        chosen = [one for one in self._topics if self._is_input(one)
                  or one.name in also and one.msgtype in (_ODOMETRY, *_COMMANDS)]
        received = [_received(message) for message in self._messages(chosen)]
        odometry = [item.reading for item in received if item.topic == self.topics.odom
                    and isinstance(item.reading, Odometry)]
        return drives_of(received, self.topics.odom, _fastest(odometry))

    def _is_input(self, topic: Topic) -> bool:
        return topic[:2] in (
            (self.topics.odom, _ODOMETRY), (self.topics.imu, _IMU),
            *((self.topics.cmd_vel, name) for name in _COMMANDS))

    def _check_odometry(self) -> None:
        name = self.topics.odom
        there = [one for one in self._topics if one[:2] == (name, _ODOMETRY)]
        if any(one.count for one in there):
            return
        others = sorted(self._topics, key=lambda one: (one.msgtype != _ODOMETRY, one.name))
        listed = [f'{one.name} ({one.msgtype}, {one.count} messages)'
                  if one.msgtype == _ODOMETRY or one.name == name else one.name for one in others]
        what = f'0 messages of {_ODOMETRY}' if there else f'no {_ODOMETRY}'
        more = '; name another one with --odom-topic' if any(
            one.msgtype == _ODOMETRY and one.count for one in others) else ''
        raise BagError(f'recording {self.path} has {what} on {name}; it has '
                       + (', '.join(listed) or 'no topic at all') + more)

    def _check(self, field: str, kinds: tuple[str, ...]) -> list[str]:
        """Return the findings about a topic; raise BagError where the user named it."""
        name = getattr(self.topics, field)
        there = [one for one in self._topics if one.name == name]
        if any(one.msgtype in kinds and one.count for one in there):
            return []
        right = ' or '.join(kinds)
        if any(one.msgtype in kinds for one in there):
            return [f'0 messages of {right} on {name}']
        option = f'--{field.replace("_", "-")}-topic'
        found = f'{name} is {there[0].msgtype}' if there else f'there is no {name}'
        others = sorted(f'{one.name} ({one.count} messages)' for one in self._topics
                        if one.msgtype in kinds)
        more = f'; there is {", ".join(others)}' if others else ''
        if field in self.topics.named:
            raise BagError(f'recording {self.path} has no {right} on {option} {name}: {found}'
                           f'{more}')
        use = f', which {option} can name' if others else ''
        return [f'no {right} on {name}' + (f', which is {there[0].msgtype}' if there else '')
                + more + use]


def _received(message: Message) -> Received:
    """Return the reading in a message."""
    if message.receive_ns > _LATEST_NS:
        return Received(_LATEST_NS, message.topic, readings.InvalidMessage(
            f'its time of receipt is {message.receive_ns} ns'))
    try:
        decoded = message.decoded()
        if message.msgtype == _ODOMETRY:
            return Received(message.receive_ns, message.topic, readings.read_odometry(decoded))
        if message.msgtype == _IMU:
            return Received(message.receive_ns, message.topic, readings.read_imu(decoded))
        command = readings.read_command(decoded, _NO_STAMP)
    except readings.InvalidMessage as error:
        return Received(message.receive_ns, message.topic, error)
    return Received(message.receive_ns, message.topic, command, command.stamp_ns != _NO_STAMP)


def _fastest(odometry: list[Odometry]) -> float:
    """Return the largest speed [m/s] of twists or of poses: one of them may be wrong."""
    rows = np.array([reading[:3] for reading in odometry] or np.zeros((1, 3)), dtype=float)
    passed, moved = 1e-9 * np.diff(rows[:, 0]), np.hypot(*np.diff(rows[:, 1:], axis=0).T)
    usable = (passed > 1e-3) & (passed < 1.0)
    with np.errstate(all='ignore'):  # poses may be absurd
        speeds = moved[usable] / passed[usable]
    return max(limits_of(odometry)[0], float(np.quantile(speeds, 0.9)) if len(speeds) else 0.0)


def limits_of(readings: Iterable[Odometry | Imu | Command]) -> tuple[float, float]:
    """Return the largest speed [m/s] and yaw rate [rad/s] that the odometry shows."""
    found = np.array([reading[4:6] for reading in readings
                      if isinstance(reading, Odometry)] or [(0.0, 0.0)])
    # TurtleBot3's driver reports 125.7 rad/s where the yaw wraps, and some are outliers.
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
