"""What the nodes said while driving, read out of their recorded topics."""

from collections.abc import Callable
import math
from typing import Any

from lstm_predictor.bags import Message, Recording
from lstm_predictor.core import samples
from lstm_predictor.core.clock import ClockOffset
from lstm_predictor.core.ellipse import Ellipse
from lstm_predictor.core.samples import Command
from lstm_predictor.view.review import (
    Disc, Forecast, joined, Judgement, Region, Review, Trouble, whole_drive)

import numpy as np

_PAUSE_NS = 1_500_000_000  # between two diagnostics of one node at most
_LASTS_NS = 1_000_000_000  # what one message of the diagnostics stands for


def has_predictions(recording: Recording) -> bool:
    """Return whether the predictor was recorded, beside what it hears."""
    return recording.count(_beside(recording, 'predicted_path')) > 0


def recorded(recording: Recording) -> Review:
    """Return what was driven, and what the nodes said of it."""
    reader = _Reader(recording)
    for message in recording.messages_on(*reader.takes):
        try:
            reader.take(message)
        except samples.BadMessage:
            continue  # the node named it in its diagnostics
    return Review(
        name=recording.path.resolve().name,
        source='as the predictor published them while driving',
        odometry=reader.odometry,
        commands={name: commands for name, commands in reader.commands.items() if commands},
        forecasts=sorted(reader.forecasts, key=lambda forecast: forecast.anchor_ns),
        judgements=reader.judgements,
        troubles=joined(reader.troubles, _PAUSE_NS))


def _beside(recording: Recording, name: str) -> str:
    """Return a topic of the nodes, which is in the namespace of the odometry."""
    return recording.topics.odom.rpartition('/')[0] + '/' + name


class _Reader:
    """Sorts the messages."""

    def __init__(self, recording: Recording) -> None:
        self.odometry = whole_drive()
        self.commands: dict[str, list[Command]] = {'asked for': [], 'sent to the robot': []}
        self.forecasts: list[Forecast] = []
        self.judgements: list[Judgement] = []
        self.troubles: list[Trouble] = []
        self._offset = ClockOffset()
        asked, sent = self.commands.values()
        self.takes: dict[str, tuple[str, Callable[[Any, int], None]]] = {
            recording.topics.odom: ('Odometry', self._odometry),
            _beside(recording, 'cmd_vel_in'): (
                'Twist', lambda *given: self._command(asked, *given)),
            recording.topics.cmd_vel: ('Twist', lambda *given: self._command(sent, *given)),
            _beside(recording, 'predicted_path'): ('Path', self._path),
            _beside(recording, 'predicted_pose'): ('PoseWithCovarianceStamped', self._pose),
            _beside(recording, 'predicted_markers'): ('MarkerArray', self._discs),
            '/diagnostics': ('DiagnosticArray', self._diagnostics)}

    def take(self, message: Message) -> None:
        """Read one message of the right type; raise BadMessage where that cannot be done."""
        kind, read = self.takes[message.topic]
        if message.msgtype.rpartition('/')[2].removesuffix('Stamped') == \
                kind.removesuffix('Stamped'):
            read(message.decoded(), message.receive_ns)

    def _odometry(self, content: Any, receive_ns: int) -> None:
        reading = samples.read_odometry(content)
        self._offset.add(receive_ns, reading.stamp_ns)
        self.odometry.add(reading)

    def _command(self, commands: list[Command], content: Any, receive_ns: int) -> None:
        commands.append(samples.read_command(content, receive_ns - self._offset.offset_ns))

    def _path(self, content: Any, receive_ns: int) -> None:
        if not content.poses:
            return
        self.forecasts.append(Forecast(
            samples.stamp_ns(content.header),
            np.array([samples.stamp_ns(step.header) for step in content.poses], dtype=np.int64),
            np.array([samples.read_pose(step.pose) for step in content.poses])))

    def _pose(self, content: Any, receive_ns: int) -> None:
        covariance = np.array(samples.read_planar_covariance(content.pose.covariance))
        known = np.isfinite(covariance).all() and np.linalg.eigvalsh(covariance)[0] > 0.0
        if self.forecasts and known:  # the node publishes both of one prediction, the path first
            self.forecasts[-1].regions.append(Region(
                samples.stamp_ns(content.header), np.array(samples.read_pose(content.pose.pose)),
                covariance))

    def _discs(self, content: Any, receive_ns: int) -> None:
        """Take the ellipses along the newest path; the number of a marker is that of its step."""
        for marker in content.markers:
            newest = self.forecasts[-1] if self.forecasts else None
            if newest is None or samples.stamp_ns(marker.header) != newest.anchor_ns \
                    or not 0 <= marker.id < len(newest.poses):
                continue
            x, y, angle = samples.read_pose(marker.pose)
            newest.discs.append(Disc(
                int(newest.stamps_ns[marker.id]), np.array([x, y]),
                Ellipse(0.5 * marker.scale.x, 0.5 * marker.scale.y, angle)))

    def _diagnostics(self, content: Any, receive_ns: int) -> None:
        stamp_ns = receive_ns - self._offset.offset_ns
        for entry in content.status:
            level = int(entry.level)
            if level and not entry.name.endswith(': summary'):  # which repeats the others
                self.troubles.append(Trouble(
                    entry.name, min(level, 3), stamp_ns, stamp_ns + _LASTS_NS, entry.message))
            if entry.name.endswith('predictor: prediction'):
                self._judge(stamp_ns, entry)

    def _judge(self, stamp_ns: int, entry: Any) -> None:
        values = {item.key: item.value for item in entry.values}
        end = ': share [%]'
        shares = {key.removesuffix(end): 0.01 * float(value)
                  for key, value in values.items() if key.endswith(end)}
        horizons = _row(values.get('scored after [s]', ''))
        inside = _row(values.get('published: inside the 90 % region [%]', ''))
        coverage = {horizon: 0.01 * share for horizon, share in zip(horizons, inside)
                    if math.isfinite(share)}
        if shares:
            self.judgements.append(Judgement(
                stamp_ns, shares, coverage, entry.message if int(entry.level) else ''))


def _row(text: str) -> list[float]:
    values = [value.strip() for value in text.split(',')]
    return [math.nan if value == '-' else float(value) for value in values if value]
