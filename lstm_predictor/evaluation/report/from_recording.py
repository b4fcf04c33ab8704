"""What the nodes published while driving, read out of their recorded topics."""

from collections.abc import Callable
import math
from typing import Any

from lstm_predictor.common import readings
from lstm_predictor.common.readings import Command
from lstm_predictor.common.uncertainty import Ellipse
from lstm_predictor.evaluation.report.review import (
    Axis, Disc, joined, MixtureState, Prediction, Problem, Region, Review, whole_drive)
from lstm_predictor.prediction.mixture_report import ENTRY, MixtureReport, SUMMARY
from lstm_predictor.recordings.rosbag_io import Message, Recording

import numpy as np

_PAUSE_NS = 1_500_000_000  # between two diagnostics of one node at most
_LASTS_NS = 1_000_000_000  # what one message of the diagnostics stands for


def has_predictions(recording: Recording) -> bool:
    """Return whether predictions were recorded."""
    return recording.count(_beside(recording, 'predicted_path')) > 0


def recorded(recording: Recording) -> Review:
    """Return the review of a recording that has predictions."""
    reader = _Reader(recording)
    for message in recording.messages_on(*reader.takes):
        try:
            reader.take(message)
        except readings.InvalidMessage:
            continue  # the node named it in its diagnostics
    return Review(
        name=recording.name,
        source='as the predictor published them while driving',
        odometry=reader.odometry,
        commands={name: commands for name, commands in reader.commands.items() if commands},
        predictions=sorted(reader.predictions, key=lambda prediction: prediction.anchor_ns),
        mixture_states=reader.mixture_states,
        problems=joined(reader.problems, _PAUSE_NS))


def _beside(recording: Recording, name: str) -> str:
    """Return a topic of the nodes, which is in the namespace of the odometry."""
    return recording.topics.odom.rpartition('/')[0] + '/' + name


class _Reader:
    """Sorts the messages."""

    def __init__(self, recording: Recording) -> None:
        self.odometry = whole_drive()
        self.commands: dict[str, list[Command]] = {'asked for': [], 'sent to the robot': []}
        self.predictions: list[Prediction] = []
        self.mixture_states: list[MixtureState] = []
        self.problems: list[Problem] = []
        self._shift_ns = 0  # of the newest prediction
        asked, sent = _beside(recording, 'cmd_vel_in'), recording.topics.cmd_vel
        drives = recording.drives(asked)
        self._axis = Axis(drives)
        for drive, shift_ns in zip(drives, self._axis.shifts_ns):
            for reading in drive.readings(recording.topics.odom):
                self.odometry.add(reading._replace(stamp_ns=reading.stamp_ns + shift_ns))
            for topic, name in ((asked, 'asked for'), (sent, 'sent to the robot')):
                self.commands[name] += [
                    reading._replace(stamp_ns=reading.stamp_ns + shift_ns)
                    for reading in drive.readings(topic) if isinstance(reading, Command)]
        self.takes: dict[str, tuple[str, Callable[[Any, int], None]]] = {
            _beside(recording, 'predicted_path'): ('Path', self._path),
            _beside(recording, 'predicted_pose'): ('PoseWithCovarianceStamped', self._pose),
            _beside(recording, 'predicted_markers'): ('MarkerArray', self._discs),
            '/diagnostics': ('DiagnosticArray', self._diagnostics)}

    def take(self, message: Message) -> None:
        """Read one message of the right type; raise InvalidMessage where that cannot be done."""
        kind, read = self.takes[message.topic]
        if message.msgtype.rpartition('/')[2].removesuffix('Stamped') == \
                kind.removesuffix('Stamped'):
            read(message.decoded(), message.receive_ns)

    def _path(self, content: Any, receive_ns: int) -> None:
        if not content.poses:
            return
        anchor_ns = readings.stamp_ns(content.header)
        self._shift_ns = self._axis.shift_ns(receive_ns, anchor_ns)
        stamps = [readings.stamp_ns(step.header) for step in content.poses]
        self.predictions.append(Prediction(
            anchor_ns + self._shift_ns, np.array(stamps, dtype=np.int64) + self._shift_ns,
            np.array([readings.read_pose(step.pose) for step in content.poses])))

    def _pose(self, content: Any, receive_ns: int) -> None:
        covariance = np.array(readings.read_planar_covariance(content.pose.covariance))
        known = np.isfinite(covariance).all() and np.linalg.eigvalsh(covariance)[0] > 0.0
        if self.predictions and known:  # the node publishes the path of a prediction first
            self.predictions[-1].regions.append(Region(
                readings.stamp_ns(content.header) + self._shift_ns,
                np.array(readings.read_pose(content.pose.pose)), covariance))

    def _discs(self, content: Any, receive_ns: int) -> None:
        """Take the ellipses along the newest path; the number of a marker is that of its step."""
        for marker in content.markers:
            newest = self.predictions[-1] if self.predictions else None
            stamp_ns = readings.stamp_ns(marker.header) + self._shift_ns
            if newest is None or stamp_ns != newest.anchor_ns \
                    or not 0 <= marker.id < len(newest.poses):
                continue
            x, y, angle = readings.read_pose(marker.pose)
            newest.discs.append(Disc(
                int(newest.stamps_ns[marker.id]), np.array([x, y]),
                Ellipse(0.5 * marker.scale.x, 0.5 * marker.scale.y, angle)))

    def _diagnostics(self, content: Any, receive_ns: int) -> None:
        stamp_ns = self._axis.time_ns(receive_ns)
        for entry in content.status:
            level = int(entry.level)
            name = entry.name.rpartition(': ')[2]
            if level and name != SUMMARY:  # which repeats the others
                self.problems.append(Problem(
                    entry.name, min(level, 3), stamp_ns, stamp_ns + _LASTS_NS, entry.message))
            if name == ENTRY:
                self._judge(stamp_ns, entry)

    def _judge(self, stamp_ns: int, entry: Any) -> None:
        report = MixtureReport.parse({item.key: item.value for item in entry.values})
        if report is not None:  # earlier nodes published it under other keys
            coverage = {horizon: inside for horizon, inside in report.coverage.items()
                        if math.isfinite(inside)}
            self.mixture_states.append(MixtureState(
                stamp_ns, report.weights, coverage, entry.message if int(entry.level) else ''))
