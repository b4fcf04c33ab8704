"""Where one frame lies in another, as tf2 knows it; tf2_ros may be missing."""

from typing import Any

from lstm_predictor.core import samples
from lstm_predictor.nodes.managed import ManagedNode

import numpy as np
from numpy.typing import NDArray

from rclpy.time import Time

Array = NDArray[np.float64]


class FrameError(Exception):
    """A transform that nobody knows; its text is one line that says why."""


class Frames:
    """Listens to transforms from the first time that one is needed."""

    def __init__(self, node: ManagedNode) -> None:
        """Use a node to listen."""
        self._node = node
        self._buffer: Any = None
        node.keep(self.forget)

    def forget(self) -> None:
        """Forget every transform, and listen anew when one is needed."""
        if self._buffer is not None:
            self._listener.unregister()
            self._buffer = self._listener = None

    def pose(self, frame: str, within: str) -> Array:
        """
        Return where a frame lies in another one by the newest transform (3,).

        Raise FrameError where tf2_ros is missing or does not know it.
        """
        if frame == within:
            return np.zeros(3)
        buffer = self._listening(frame, within)
        try:
            found = buffer.lookup_transform(within, frame, Time()).transform
            yaw = samples.yaw_of(found.rotation)
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
