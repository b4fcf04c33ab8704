"""A run of the path follower with a robot that obeys at once."""

import math

from lstm_predictor.common import se2
from lstm_predictor.control.regulated_pure_pursuit import Pursuit, PursuitConfig
from lstm_predictor.control.status import ReplannerStatus
import numpy as np

PERIOD = 0.05  # [s]
CONFIG = PursuitConfig()
AT_START = (0.0, 0.0, 0.0)


def command_of(pursuit, pose, steady):
    """Return speed [m/s], yaw rate [rad/s] and status."""
    output = pursuit.command(pose, steady)
    return output.speed, output.yaw_rate, output.status


class Run:
    """What a robot did that does at once what it is told: a row per period."""

    def __init__(self, plan, start=AT_START, config=CONFIG, law=None, seconds=60.0, again=None):
        """Drive until it is there, or for so long; a plan is sent `again` every so often [s]."""
        pursuit, pose = Pursuit(config, law), np.array(start, dtype=float)
        pursuit.follow(plan)
        poses, commands, self.doing = [], [], []
        while len(poses) < seconds / PERIOD and ReplannerStatus.AT_GOAL not in self.doing[-1:]:
            if again and len(poses) % round(again / PERIOD) == 0:
                pursuit.follow(plan)
            speed, yaw_rate, doing = command_of(pursuit, pose, len(poses) * PERIOD)
            poses.append(pose)
            commands.append([speed, yaw_rate])
            self.doing.append(doing)
            pose = se2.compose(pose, se2.exp([PERIOD * speed, 0.0, PERIOD * yaw_rate]))
        self.poses, self.commands = np.array(poses), np.array(commands)
        self.seconds = PERIOD * len(poses)
        self.plan, self.miss = plan, se2.between(self.poses[-1], plan.goal)

    @property
    def across(self):
        return np.array([self.plan.nearest(pose[:2])[1] for pose in self.poses])

    def assert_there(self, within=CONFIG.xy_goal_tolerance):
        assert self.doing[-1] == ReplannerStatus.AT_GOAL and not self.commands[-1].any()
        assert math.hypot(*self.miss[:2]) <= within
        assert abs(self.miss[2]) <= CONFIG.yaw_goal_tolerance
