"""Predictions as messages."""

from importlib import import_module
import math
from typing import Any

from builtin_interfaces.msg import Time

from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped, TransformStamped

from lstm_predictor.prediction.trajectory import PredictedState, PredictedTrajectory

from nav_msgs.msg import Odometry, Path

import numpy as np
from numpy.typing import NDArray

# Where x, y and yaw stand in the 6 x 6 covariance of [x, y, z, roll, pitch, yaw].
_PLANAR = np.array([0, 1, 5])


def message_class(name: str) -> Any:
    """Return the class of a message type such as nav_msgs/msg/Odometry."""
    package, folder, kind = name.split('/')
    return getattr(import_module(f'{package}.{folder}'), kind)


def time_message(stamp_ns: int) -> Time:
    """Return a stamp [ns] as a message."""
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    return Time(sec=seconds, nanosec=nanoseconds)


def covariance_36(planar: NDArray[np.float64]) -> list[float]:
    """Return a covariance of [x, y, yaw] (3, 3) as the 36 numbers of a message."""
    full = np.zeros((6, 6))
    full[np.ix_(_PLANAR, _PLANAR)] = planar
    return list(full.ravel())


def path_message(prediction: PredictedTrajectory, frame_id: str) -> Path:
    """Return all steps; the header has the stamp of the newest input, each pose its own."""
    message = Path()
    message.header.frame_id = frame_id
    message.header.stamp = time_message(prediction.anchor_ns)
    for stamp_ns, pose in zip(prediction.stamps_ns.tolist(), prediction.poses.tolist()):
        step = PoseStamped()
        step.header.frame_id = frame_id
        step.header.stamp = time_message(stamp_ns)
        set_pose(step.pose, *pose)
        message.poses.append(step)
    return message


def pose_message(step: PredictedState, frame_id: str) -> PoseWithCovarianceStamped:
    """Return one step; the stamp is the time it is predicted for."""
    message = PoseWithCovarianceStamped()
    message.header.frame_id = frame_id
    message.header.stamp = time_message(step.stamp_ns)
    set_pose(message.pose.pose, *step.pose.tolist())
    message.pose.covariance = covariance_36(step.covariance)
    return message


def odometry_message(step: PredictedState, frame_id: str, child_frame_id: str) -> Odometry:
    """Return one step with its twist, as odometry of the time it is predicted for."""
    message = Odometry()
    pose = pose_message(step, frame_id)
    message.header = pose.header
    message.child_frame_id = child_frame_id
    message.pose = pose.pose
    twist = step.twist.tolist()
    message.twist.twist.linear.x, message.twist.twist.linear.y = twist[:2]
    message.twist.twist.angular.z = twist[2]
    message.twist.covariance = covariance_36(np.diag(step.twist_std ** 2))
    return message


def transform_message(prediction: PredictedTrajectory, step: PredictedState, frame_id: str,
                      child_frame_id: str) -> TransformStamped:
    """
    Return where a frame of the robot will be, as the transform of now.

    The stamp is that of the newest input: a look-up of the transform of now finds where the
    robot will be, and not what was once predicted for now.
    """
    message = TransformStamped()
    message.header.frame_id = frame_id
    message.header.stamp = time_message(prediction.anchor_ns)
    message.child_frame_id = child_frame_id
    x, y, yaw = step.pose.tolist()
    message.transform.translation.x, message.transform.translation.y = x, y
    message.transform.rotation.z = math.sin(yaw / 2.0)
    message.transform.rotation.w = math.cos(yaw / 2.0)
    return message


def set_pose(message: Any, x: float, y: float, yaw: float) -> None:
    """Write a planar pose [m], [m], [rad] into a geometry_msgs/Pose."""
    message.position.x, message.position.y = x, y
    message.orientation.z, message.orientation.w = math.sin(yaw / 2.0), math.cos(yaw / 2.0)
