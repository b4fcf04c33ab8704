"""
The command that follows a plan, from where the robot will be when it obeys.

A plan is driven by `Pursuit`. It is given the predicted pose where there is a fresh one that the
odometry does not contradict, else the pose of now, and then it goes slowly. Without fresh
odometry the robot stops.
"""

import math

from lstm_predictor.core import se2
from lstm_predictor.core.caution import Caution
from lstm_predictor.core.limiter import Limiter
from lstm_predictor.core.plan import Plan
from lstm_predictor.core.pursuit import Pursuit
from lstm_predictor.core.quantiser import Quantiser
from lstm_predictor.core.replanner import Output, ReplannerConfig, Target
from lstm_predictor.core.samples import Odometry

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NO_PLAN = 'idle: no plan yet'
NO_ODOMETRY = 'stopped: no fresh odometry'
UNPREDICTED = 'slowly: no fresh prediction to steer by'
CONTRADICTED = 'slowly: the prediction disagrees with the odometry'

_OVERTAKEN_NS = 100_000_000  # by which a stamp may be older; beyond, it is another time


class Follower:
    """Follows plans; `set_frame` says where the odometry's frame lies in theirs."""

    def __init__(self, config: ReplannerConfig, pursuit: Pursuit, caution: Caution) -> None:
        """Have no plan yet."""
        self.config = config
        self._limiter = Limiter(config)
        self._quantiser = Quantiser(config.command_quantum, config)
        self._pursuit = pursuit
        self._caution = caution
        self._lost = ''
        self.reset()

    def retune(self, config: ReplannerConfig) -> None:
        """Take other limits and ages."""
        self.config = self._limiter.limits = self._quantiser.limits = config
        self._quantiser.steps = config.command_quantum

    def reset(self) -> None:
        """Forget plan and poses, and that anything was sent."""
        self._pursuit.reset()
        self._limiter.reset()
        self._quantiser.reset()
        self._refused = ''
        self._frame: Array | None = np.zeros(3)
        self._odometry: Odometry | None = None
        self._odometry_at = -math.inf  # [s] steady
        self.drop_target()

    def follow(self, plan: Plan) -> None:
        """Take a plan, in place of the one before."""
        self._pursuit.follow(plan)
        self._refused = ''

    def refuse(self, reason: str) -> None:
        """Stop: what came last cannot be followed, and the plan before it is not wanted."""
        self._pursuit.follow(None)
        self._refused = f'stopped: {reason}'

    def set_frame(self, frame: Array | None, reason: str = '') -> None:
        """Take the pose (3,) of the odometry's frame in the plan's, or why nobody knows it."""
        self._frame, self._lost = frame, reason

    def set_odometry(self, odometry: Odometry, steady: float) -> None:
        """Take where the robot is; one that was overtaken on its way says so no more."""
        newest = self._odometry
        if newest is None or not 0 < newest.stamp_ns - odometry.stamp_ns < _OVERTAKEN_NS:
            self._odometry = odometry
        self._odometry_at = steady

    def set_target(self, target: Target, steady: float) -> None:
        """Take where it will be when it obeys."""
        self._target: Target | None = target
        self._target_at = steady

    def drop_target(self) -> None:
        """Take back the prediction, as when a newer one is unusable."""
        self._target, self._target_at = None, -math.inf

    def output(self, steady: float) -> Output:
        """Return the command for now; call it once per control period."""
        if self._pursuit.plan is None:
            stop = self._limiter.send(0.0, 0.0, steady)
            return Output(*stop, self._refused or NO_PLAN)
        if self._odometry is None or steady - self._odometry_at > self.config.odometry_timeout:
            return self._wait(steady, NO_ODOMETRY)
        if self._frame is None:
            return self._wait(steady, f'stopped: {self._lost}')
        pose, doubt = self._pose(self._odometry, steady)
        speed, yaw_rate, doing = self._pursuit.command(se2.compose(self._frame, pose), steady)
        share = self._caution.config.min_speed_share if doubt else self._caution.share
        reason = doubt or self._caution.reason
        told = self._limiter.send(share * speed, share * yaw_rate, steady)
        return Output(
            *self._quantiser.send(*told), f'{doing}, {reason}' if reason else doing)

    def _wait(self, steady: float, reason: str) -> Output:
        """Stop until what is missing is there again."""
        self._pursuit.pause()
        return Output(*self._limiter.stop(steady), reason)

    def _pose(self, odometry: Odometry, steady: float) -> tuple[Array, str]:
        """Return the pose to steer by (3,) and what speaks against driving fast."""
        now = np.array(odometry[1:4])
        target = self._target
        if target is None or steady - self._target_at > self.config.prediction_timeout:
            return now, UNPREDICTED
        if not target.agrees(odometry.stamp_ns, now, self.config):
            return now, CONTRADICTED
        return target.pose, ''
