"""The pose of one frame in another, by tf2; tf2_ros may be missing."""

from typing import Any

from lstm_predictor.common import readings
from lstm_predictor.common.errors import LstmPredictorError
from lstm_predictor.nodes.lifecycle_node import ManagedNode

import numpy as np
from numpy.typing import NDArray

from rclpy.time import Time

Array = NDArray[np.float64]


class FrameError(LstmPredictorError):
    """A transform that is not known; its text is one line with the reason."""


def frame_name(frame_id: str) -> str:
    """Return a frame as tf2 has it: a leading slash, as in ROS 1, means nothing."""
    return frame_id.lstrip('/')


class Frames:
    """Subscribes to transforms from the first time that one is needed."""

    def __init__(self, node: ManagedNode) -> None:
        """Use a node to subscribe."""
        self._node = node
        self._buffer: Any = None
        node.add_cleanup(self.forget)

    def forget(self) -> None:
        """Forget every transform, and subscribe again when one is needed."""
        if self._buffer is not None:
            self._listener.unregister()
            self._buffer = self._listener = None

    def pose(self, frame: str, within: str) -> Array:
        """
        Return where a frame lies in another one by the newest transform (3,).

        Raise FrameError where tf2_ros is missing or does not know it.
        """
        frame, within = frame_name(frame), frame_name(within)
        if frame == within:
            return np.zeros(3)
        buffer = self._listening(frame, within)
        try:
            found = buffer.lookup_transform(within, frame, Time()).transform
            yaw = readings.yaw_of(found.rotation)
        except Exception as error:  # tf2's own errors share no useful base
            raise FrameError(f'no transform from {within} to {frame}: {error}') from None
        pose = np.array([found.translation.x, found.translation.y, yaw])
        if not np.isfinite(pose).all():
            raise FrameError(f'the transform from {within} to {frame} is not finite')
        return pose

    def _listening(self, frame: str, within: str) -> Any:
        if self._buffer is None:
            try:
                import tf2_ros
            except ImportError:
                raise FrameError(
                    f'the plan is in {within!r}, the odometry in {frame!r}, and tf2_ros is not '
                    f'there to transform: install ros-$ROS_DISTRO-tf2-ros-py') from None
            self._buffer = tf2_ros.Buffer()
            self._listener = tf2_ros.TransformListener(self._buffer, self._node)
        return self._buffer
