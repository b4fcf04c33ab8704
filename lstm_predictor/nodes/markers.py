"""Markers for RViz and Foxglove, made only while there is a subscriber."""

from collections.abc import Callable

from builtin_interfaces.msg import Duration

from geometry_msgs.msg import Point

from lstm_predictor.common import se2
from lstm_predictor.common.uncertainty import ellipse
from lstm_predictor.nodes.conversions import set_pose, time_message
from lstm_predictor.nodes.lifecycle_node import ManagedNode
from lstm_predictor.prediction.trajectory import PredictedTrajectory

import numpy as np

from std_msgs.msg import ColorRGBA

from visualization_msgs.msg import Marker, MarkerArray

_STEPS = 5  # from one ellipse along the path to the next
_AHEAD = 1.0  # how long an arrow follows its command [s]
_LIFETIME = Duration(nanosec=500_000_000)  # what is no longer published disappears
_LEAST = 0.001  # no marker is thinner [m]
_REGION = ColorRGBA(r=0.17, g=0.5, b=0.72, a=0.25)
_COLORS = {'asked': ColorRGBA(r=0.6, g=0.6, b=0.6, a=0.9),
           'sent': ColorRGBA(r=0.9, g=0.33, b=0.05, a=0.9)}


class Markers:
    """A topic of markers that costs nothing without a subscriber."""

    def __init__(self, node: ManagedNode, topic: str) -> None:
        """Open the topic."""
        self._publisher = node.publish_on(MarkerArray, topic)

    def show(self, make: Callable[[], list[Marker]]) -> None:
        """Make markers and publish them where there is a subscriber."""
        if self._publisher.get_subscription_count():
            self._publisher.publish(MarkerArray(markers=make()))


def region_markers(prediction: PredictedTrajectory, frame_id: str) -> list[Marker]:
    """Return flat discs along the path, each the 90 % ellipse of where the robot will be."""
    markers = []
    for index in range(_STEPS - 1, len(prediction.poses), _STEPS):
        marker = _marker(Marker.CYLINDER, 'region', index, frame_id, _REGION)
        marker.header.stamp = time_message(prediction.anchor_ns)
        major, minor, angle = ellipse(prediction.covariances[index])
        x, y, _ = prediction.poses[index].tolist()
        set_pose(marker.pose, x, y, angle)
        marker.scale.x, marker.scale.y = max(2.0 * major, _LEAST), max(2.0 * minor, _LEAST)
        marker.scale.z = _LEAST
        markers.append(marker)
    return markers


def command_markers(commands: dict[str, tuple[float, float]], frame_id: str) -> list[Marker]:
    """
    Return an arrow for each command, speed [m/s] and yaw rate [rad/s], by 'asked' and 'sent'.

    It goes where an ideal robot would get to with that command; `frame_id` is the robot's own.
    """
    markers = []
    for name, (speed, yaw_rate) in commands.items():
        motions = np.linspace(0.0, _AHEAD, 11)[:, None] * np.array([speed, 0.0, yaw_rate])
        way = se2.exp(motions).tolist()
        line = _marker(Marker.LINE_STRIP, name, 0, frame_id, _COLORS[name])
        line.scale.x = 0.01
        line.points = [Point(x=x, y=y) for x, y, _ in way]
        head = _marker(Marker.ARROW, name, 1, frame_id, _COLORS[name])
        set_pose(head.pose, *way[-1])
        head.scale.x, head.scale.y, head.scale.z = 0.08, 0.03, 0.03
        for marker in (line, head):
            marker.frame_locked = True  # with no stamp: where the robot is now
        markers += [line, head]
    return markers


def _marker(kind: int, namespace: str, number: int, frame_id: str, color: ColorRGBA) -> Marker:
    marker = Marker(type=kind, action=Marker.ADD, ns=namespace, id=number, color=color,
                    lifetime=_LIFETIME)
    marker.header.frame_id = frame_id
    marker.pose.orientation.w = 1.0
    return marker
