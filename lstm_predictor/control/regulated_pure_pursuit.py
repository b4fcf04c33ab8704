"""
Follows a plan from the pose that it is given: regulated pure pursuit.

After Macenski et al., "Regulated Pure Pursuit for Robot Path Tracking" (Autonomous Robots 2023),
with the parameter names of nav2_regulated_pure_pursuit_controller. It steers by whatever pose it
gets; that of now makes it late, the predicted one does not.
"""

from collections.abc import Callable
from dataclasses import dataclass
import math

from lstm_predictor.common import se2
from lstm_predictor.common.checks import require_positive
from lstm_predictor.control.plan import Plan
from lstm_predictor.control.status import Output, ReplannerStatus

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_CUSP = 0.1  # how far back progress may slip [m]
_END = 1e-6  # what may be left of a plan that is driven [m]
_SEARCH = 0.2  # how far ahead it is looked for, beyond twice the lookahead [m]


@dataclass(frozen=True)
class PursuitConfig:
    """How fast, how far ahead, and when it is there."""

    desired_linear_vel: float = 0.2  # [m/s]
    lookahead_time: float = 0.8  # distance to the lookahead point, in travel time [s]
    min_lookahead_dist: float = 0.1  # bounds of that distance [m]
    max_lookahead_dist: float = 0.9  # [m]
    regulated_linear_scaling_min_radius: float = 0.3  # of a curve; slower below [m]
    regulated_linear_scaling_min_speed: float = 0.05  # [m/s]
    approach_velocity_scaling_dist: float = 0.3  # to the goal; slower within [m]
    min_approach_linear_velocity: float = 0.03  # [m/s]
    use_rotate_to_heading: bool = True  # turn on the spot at the start and at the goal
    rotate_to_heading_min_angle: float = 0.785  # to the path; turns on the spot above [rad]
    rotate_to_heading_angular_vel: float = 1.0  # [rad/s]
    max_angular_accel: float = 3.2  # with which a turn on the spot ends [rad/s^2]
    xy_goal_tolerance: float = 0.05  # [m]
    yaw_goal_tolerance: float = 0.1  # [rad]
    max_plan_distance: float = 1.0  # of a plan from the robot; rejected beyond [m]
    required_movement_radius: float = 0.05  # least progress: [m], or as many times 1 rad of turn
    movement_time_allowance: float = 10.0  # time for that progress [s]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        require_positive(self, *(name for name, value in vars(self).items()
                                 if not isinstance(value, bool)))
        if self.min_lookahead_dist > self.max_lookahead_dist:
            raise ValueError(f'min_lookahead_dist must not be more than max_lookahead_dist '
                             f'({self.max_lookahead_dist}), is {self.min_lookahead_dist}')


# How to steer: the plan, how far along it the robot is [m], its pose, and the speed that is due
# [m/s], to speed [m/s] and yaw rate [rad/s].
Law = Callable[[Plan, float, Array, float], tuple[float, float]]


class Pursuit:
    """Follows one plan after the other, by pure pursuit where no other law is given."""

    def __init__(self, config: PursuitConfig, law: Law | None = None) -> None:
        """Have no plan yet."""
        self.config = config
        self._law = self.pursue if law is None else law
        self.plan: Plan | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the plan."""
        self.follow(None)

    def follow(self, plan: Plan | None) -> None:
        """Take another plan, or none."""
        self.plan = plan
        self._along: float | None = None  # how far the robot has come [m]
        self._turning = False
        self._there = False  # within the goal's distance
        self._arrived = False  # and with its heading
        self._best: tuple[float, float] | None = None  # least that was left, when [s] steady
        self._stuck = False

    def pause(self) -> None:
        """Let the time until the next command not count as time without progress."""
        self._best = None

    def command(self, pose: Array, steady: float) -> Output:
        """
        Return the command for a pose in the plan's frame.

        `steady` [s] decides how long no progress is none. There must be a plan.
        """
        assert self.plan is not None
        along, distance = self._nearest(self.plan, pose)
        if not distance <= self.config.max_plan_distance:
            self.pause()
            return Output(0.0, 0.0, ReplannerStatus.TOO_FAR, f'{distance:.2f} m')
        self._along = along if self._along is None else max(self._along, along)
        output = self._steer(self.plan, pose)
        left = self.plan.length - self._along + distance
        if output.status is ReplannerStatus.AT_GOAL:
            self.pause()
        elif not self._progresses(left, pose, steady):
            return Output(0.0, 0.0, ReplannerStatus.NO_PROGRESS,
                          f'less than {self.config.required_movement_radius:g} m in '
                          f'{self.config.movement_time_allowance:g} s')
        return output

    def _nearest(self, plan: Plan, pose: Array) -> tuple[float, float]:
        """Return how far along the plan the robot is and how far from it [m]."""
        if not np.isfinite(pose).all():
            return 0.0, math.nan
        if self._along is None:
            return plan.nearest(pose[:2])
        return plan.nearest(
            pose[:2], max(0.0, self._along - _CUSP), self._along + _SEARCH + 2.0 * self.reach)

    def _steer(self, plan: Plan, pose: Array) -> Output:
        c = self.config
        assert self._along is not None
        remaining = plan.length - self._along
        to_goal = float(np.hypot(*(plan.goal[:2] - pose[:2])))
        # Beside the goal it is near, too: a robot that has passed it must not come back for ever.
        near = c.xy_goal_tolerance + self.config.min_lookahead_dist
        there = remaining < near and to_goal < c.xy_goal_tolerance
        if self._there or there or (remaining <= _END and to_goal < near):
            self._there = True
            return self._turn_at_goal(plan, pose)
        speed = self._regulated(plan, remaining)
        carrot = self._seen(plan, self._along, pose)
        bearing = math.atan2(carrot[1], carrot[0])
        if self._turns_first(bearing):
            return Output(0.0, self._turn(bearing), ReplannerStatus.TURNING)
        return Output(*self._law(plan, self._along, pose, speed), ReplannerStatus.FOLLOWING)

    def pursue(self, plan: Plan, along: float, pose: Array, speed: float) -> tuple[float, float]:
        """Return the arc that leads through the place ahead."""
        carrot = self._seen(plan, along, pose)
        squared = float(carrot[0] ** 2 + carrot[1] ** 2)
        return speed, speed * 2.0 * float(carrot[1]) / max(squared, 1e-6)

    @property
    def reach(self) -> float:
        """How far ahead the place lies that it steers for [m]."""
        c = self.config
        return min(max(c.lookahead_time * c.desired_linear_vel, c.min_lookahead_dist),
                   c.max_lookahead_dist)

    def _seen(self, plan: Plan, along: float, pose: Array) -> Array:
        """Return the first place far enough ahead to steer for, as seen from the robot (3,)."""
        if along >= plan.length - _END:
            return se2.between(pose, plan.goal)  # beyond it nothing is ahead
        places = plan.at(along + np.linspace(0.0, 2.0 * self.reach, 41))
        far = np.hypot(*(places[:, :2] - pose[:2]).T) >= self.reach
        return se2.between(pose, places[int(np.argmax(far)) if far.any() else -1])

    def _regulated(self, plan: Plan, remaining: float) -> float:
        """Return the speed [m/s] for the curves ahead and the way that is left [m]."""
        c = self.config
        assert self._along is not None
        curvature = abs(float(plan.curvature(self._along, self.reach)))
        speed = c.desired_linear_vel
        if curvature * c.regulated_linear_scaling_min_radius > 1.0:
            slower = speed / (curvature * c.regulated_linear_scaling_min_radius)
            speed = max(slower, min(speed, c.regulated_linear_scaling_min_speed))
        if remaining < c.approach_velocity_scaling_dist:
            slower = speed * remaining / c.approach_velocity_scaling_dist
            speed = max(slower, min(speed, c.min_approach_linear_velocity))
        return speed

    def _turns_first(self, bearing: float) -> bool:
        """Return whether the robot looks elsewhere; once it turns it does so to the end."""
        c = self.config
        least = 0.25 * c.rotate_to_heading_min_angle if self._turning else \
            c.rotate_to_heading_min_angle
        self._turning = c.use_rotate_to_heading and abs(bearing) > least
        return self._turning

    def _turn(self, angle: float) -> float:
        """Return the yaw rate [rad/s] of a turn on the spot that ends after an angle [rad]."""
        most = self.config.rotate_to_heading_angular_vel
        stopping = math.sqrt(self.config.max_angular_accel * abs(angle))
        return math.copysign(min(most, stopping), angle)

    def _turn_at_goal(self, plan: Plan, pose: Array) -> Output:
        angle = float(se2.wrap(plan.goal[2] - pose[2]))
        # Once there it stays there, though the prediction may waver.
        enough = (2.0 if self._arrived else 1.0) * self.config.yaw_goal_tolerance
        self._arrived = not self.config.use_rotate_to_heading or abs(angle) < enough
        if self._arrived:
            return Output(0.0, 0.0, ReplannerStatus.AT_GOAL)
        return Output(0.0, self._turn(angle), ReplannerStatus.TURNING)

    def _progresses(self, left: float, pose: Array, steady: float) -> bool:
        """
        Return whether less and less is left [m]; once it is not, only a new plan helps.

        To and beside the plan, and to turn where it turns first.
        """
        c = self.config
        assert self.plan is not None and self._along is not None
        if self._there:
            turn = float(se2.wrap(self.plan.goal[2] - pose[2]))
        else:
            seen = self._seen(self.plan, self._along, pose)
            turn = math.atan2(seen[1], seen[0])
        left += c.required_movement_radius * abs(turn)
        if self._best is None or left < self._best[0] - c.required_movement_radius:
            self._best = left, steady
        elif steady - self._best[1] > c.movement_time_allowance:
            self._stuck = True
        return not self._stuck
