"""Plans as messages."""

import math

from geometry_msgs.msg import PoseStamped
from lstm_predictor.nodes.conversions import set_pose
from nav_msgs.msg import Path
import numpy as np


def plan_through(*places, frame_id='odom'):
    """Return a plan through places [m], of which each pose looks to the next one."""
    plan = Path()
    plan.header.frame_id = frame_id
    ends = np.asarray(places, dtype=float)
    for place, way in zip(ends, np.diff(ends, axis=0, append=2.0 * ends[-1:] - ends[-2:-1])):
        pose = PoseStamped()
        set_pose(pose.pose, *place.tolist(), math.atan2(way[1], way[0]))
        plan.poses.append(pose)
    return plan
