"""
The command that follows a plan, from where the robot will be when the command takes effect.

A plan is driven by `Pursuit`. It steers by the predicted pose where there is a fresh one that the
odometry does not contradict, else slowly by the present pose. Without fresh odometry the robot
stops.
"""

from dataclasses import replace
import math

from lstm_predictor.common import se2
from lstm_predictor.common.readings import Odometry
from lstm_predictor.control.command_shaper import CommandShaper
from lstm_predictor.control.compensator import ReplannerConfig, Target
from lstm_predictor.control.plan import Plan
from lstm_predictor.control.regulated_pure_pursuit import Pursuit
from lstm_predictor.control.speed_scaling import SpeedScaling
from lstm_predictor.control.status import Output, ReplannerStatus, Slowdown

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_OVERTAKEN_NS = 100_000_000  # by which a stamp may be older; beyond, it is another time


class PathFollower:
    """Follows plans; `set_frame` sets the pose of the odometry's frame in theirs."""

    def __init__(self, config: ReplannerConfig, pursuit: Pursuit, caution: SpeedScaling,
                 uses_prediction: bool = True) -> None:
        """
        Have no plan yet.

        A law that predicts the motion itself starts from the present pose: `uses_prediction` is
        false, and what `set_target` takes is not used.
        """
        self.config = config
        self._shaper = CommandShaper(config, config.command_resolution)
        self._pursuit = pursuit
        self._caution = caution
        self._uses_prediction = uses_prediction
        self.reset()

    def retune(self, config: ReplannerConfig) -> None:
        """Take other limits and ages."""
        self.config = config
        self._shaper.retune(config, config.command_resolution)

    def reset(self) -> None:
        """Forget plan and poses, and that anything was sent."""
        self._pursuit.reset()
        self._shaper.reset()
        self._without_plan = ReplannerStatus.NO_PLAN  # the status while there is none
        self._detail = ''  # of that status
        self._frame: Array | None = np.zeros(3)
        self._no_transform = ''  # why the frame is unknown
        self._odometry: Odometry | None = None
        self._odometry_at = -math.inf  # [s] steady
        self.drop_target()

    def follow(self, plan: Plan) -> None:
        """Take a plan, in place of the one before."""
        self._pursuit.follow(plan)
        self._without_plan, self._detail = ReplannerStatus.CANCELLED, ''

    def reject(self, reason: str) -> None:
        """Stop: the newest plan cannot be followed, and the one before it is out of date."""
        self._pursuit.follow(None)
        self._without_plan, self._detail = ReplannerStatus.PLAN_REJECTED, reason

    def cancel(self) -> None:
        """Stop: nothing is to be followed any more."""
        self._pursuit.follow(None)
        self._without_plan = ReplannerStatus.CANCELLED if self._without_plan.is_requested \
            else ReplannerStatus.NO_PLAN_TO_CANCEL
        self._detail = ''

    def set_frame(self, frame: Array | None, reason: str = '') -> None:
        """Take the pose (3,) of the odometry's frame in the plan's, or why it is unknown."""
        self._frame, self._no_transform = frame, reason

    def set_odometry(self, odometry: Odometry, steady: float) -> None:
        """Take the odometry; one that was overtaken on its way only shows that it is alive."""
        newest = self._odometry
        if newest is None or not 0 < newest.stamp_ns - odometry.stamp_ns < _OVERTAKEN_NS:
            self._odometry = odometry
        self._odometry_at = steady

    def set_target(self, target: Target, steady: float) -> None:
        """Take the pose at which a command given now takes effect."""
        self._target: Target | None = target
        self._target_at = steady

    def drop_target(self) -> None:
        """Take back the prediction, as when a newer one is unusable."""
        self._target, self._target_at = None, -math.inf

    def output(self, steady: float) -> Output:
        """Return the command for now; call it once per control period."""
        if self._pursuit.plan is None:
            return Output(*self._shaper.brake(steady), self._without_plan, self._detail)
        if self._odometry is None or steady - self._odometry_at > self.config.odometry_timeout:
            return self._wait(steady, ReplannerStatus.NO_ODOMETRY)
        if self._frame is None:
            return self._wait(steady, ReplannerStatus.NO_TRANSFORM, self._no_transform)
        pose, slowdown = self._pose(self._odometry, steady)
        output = self._pursuit.command(se2.compose(self._frame, pose), steady)
        share = self._caution.config.min_speed_scale if slowdown else self._caution.share
        detail = '' if slowdown else self._caution.reason
        if detail:
            slowdown = Slowdown.UNCERTAIN_PREDICTION
        speed, yaw_rate = self._shaper.limit(
            share * output.speed, share * output.yaw_rate, steady)
        return replace(output, speed=speed, yaw_rate=yaw_rate, slowdown=slowdown,
                       slowdown_detail=detail)

    def _wait(self, steady: float, status: ReplannerStatus, detail: str = '') -> Output:
        """Stop until what is missing is there again."""
        self._pursuit.pause()
        return Output(*self._shaper.zero(steady), status, detail)

    def _pose(self, odometry: Odometry, steady: float) -> tuple[Array, Slowdown | None]:
        """Return the pose to steer by (3,) and why the robot should drive slowly, if so."""
        now = np.array(odometry[1:4])
        if not self._uses_prediction:
            stale = steady - self._odometry_at > self.config.prediction_timeout
            return now, Slowdown.NO_PREDICTION if stale else None
        target = self._target
        if target is None or steady - self._target_at > self.config.prediction_timeout:
            return now, Slowdown.NO_PREDICTION
        if not target.agrees(odometry.stamp_ns, now, self.config):
            return now, Slowdown.PREDICTION_DISAGREES
        return target.pose, None
