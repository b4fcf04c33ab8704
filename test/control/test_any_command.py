"""Whatever is asked for, heard or planned, and whenever: the robot is told what it may be told."""

import math

from hypothesis import settings, strategies as st
from hypothesis.stateful import initialize, rule, RuleBasedStateMachine
from lstm_predictor.common import se2
from lstm_predictor.common.readings import Command, InvalidMessage, Odometry
from lstm_predictor.control.compensator import Compensator, ReplannerConfig, Target
from lstm_predictor.control.path_follower import PathFollower
from lstm_predictor.control.plan import Plan
from lstm_predictor.control.regulated_pure_pursuit import Pursuit, PursuitConfig
from lstm_predictor.control.speed_scaling import SpeedScaling, SpeedScalingConfig
from lstm_predictor.control.status import ReplannerStatus as Status, Slowdown
import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings('ignore::RuntimeWarning')

SECOND = 1_000_000_000  # [ns]
START = 1_700_000_000 * SECOND
LAST = (2**31 - 1) * SECOND  # the last time that a message can say
PERIOD = 0.05  # [s]
LONGEST = 0.5  # time for which one step may accelerate [s]
EXACT = 1e-12  # [m/s], [rad/s]

moderate = st.floats(-3.0, 3.0)
numbers = st.one_of(moderate, st.sampled_from(
    [0.0, -0.0, 5e-324, 1e-300, 1e6, -1e16, 1e155, 1e300, 1.7e308]), st.floats(-1.7e308, 1.7e308))
anywhere = st.tuples(numbers, numbers, numbers)
asked = st.one_of(st.just(0.0), st.floats(-0.5, 0.5), numbers)
waits = st.one_of(
    st.sampled_from([0.0, 1e-9, PERIOD, 0.3, 0.5, 0.51, 3600.0]), st.floats(0.0, 2.0))
skews = st.one_of(
    st.just(0), st.integers(-SECOND, SECOND), st.integers(-9000 * SECOND, 9000 * SECOND))
rates = st.tuples(st.floats(0.1, 5.0), st.just(0.0), st.floats(0.5, 20.0))
configs = st.builds(
    ReplannerConfig, max_relative_correction=st.sampled_from([0.0, 0.3, 1.0]),
    max_velocity=st.sampled_from([(0.3, 0.0, 2.0), (0.22, 0.0, 2.84), (1.0, 0.0, 0.0)]),
    min_velocity=st.sampled_from([(-0.1, 0.0, -2.0), (0.0, 0.0, -0.5)]),
    max_accel=rates, max_decel=rates.map(lambda most: tuple(-m for m in most)))


def beyond(value, low, high):
    """Return how far a value is outside of a range."""
    return max(low - value, value - high, 0.0)


class Driven(RuleBasedStateMachine):
    """A robot that is told something after every event, and two clocks."""

    def begin(self, config):
        self.config = config
        self.steady, self.now_ns = 100.0, START
        self.pose = np.zeros(3)
        self.told, self.told_at = (0.0, 0.0), None

    def stamp(self, skew=0):
        return min(max(self.now_ns + skew, 1), LAST)

    def pass_time(self, seconds):
        self.steady += seconds
        self.now_ns = self.stamp(round(seconds * SECOND))

    @rule(seconds=waits, jump=skews, asks=st.booleans())
    def wait(self, seconds, jump=0, asks=True):
        """Let time pass, by the stamps something else than by the steady clock."""
        self.pass_time(seconds)
        self.now_ns = self.stamp(jump)
        if asks:
            self.send()

    def move(self, gain):
        """Let the robot do for a period what it was told, more or less."""
        speed, yaw_rate = self.told
        motion = gain * PERIOD * np.array([speed, 0.0, yaw_rate])
        self.pose = se2.compose(self.pose, se2.exp(motion))
        self.pass_time(PERIOD)

    def later(self, gain):
        """Return where it is predicted to be half a second later, and the time of that."""
        speed, yaw_rate = self.told
        moved = se2.exp(0.5 * gain * np.array([speed, 0.0, yaw_rate]))
        return Target(self.stamp(SECOND // 2), se2.compose(self.pose, moved))

    def check(self, told, wanted):
        """
        Assert that it may be told so.

        `wanted` are the bounds on each axis in which lies what is wanted; None: a stop at once.
        """
        passed = 0.0 if self.told_at is None else min(self.steady - self.told_at, LONGEST)
        c = self.config
        for axis, old, new, bounds in zip((0, 2), self.told, told, wanted or (None, None)):
            assert math.isfinite(new)
            assert c.min_velocity[axis] <= new <= c.max_velocity[axis]
            if bounds is None:
                assert new == 0.0
                continue
            more, less = c.max_accel[axis] * passed, -c.max_decel[axis] * passed
            assert old * new >= 0.0
            assert -less - EXACT <= abs(new) - abs(old) <= more + EXACT
            # From outside it goes there as fast as it may, but halts where it has to turn round.
            low, high = (min(max(b, c.min_velocity[axis]), c.max_velocity[axis]) for b in bounds)
            halt = beyond(0.0, low, high) if old * (low + high) < 0.0 else 0.0
            left = max(beyond(old, low, high) - min(more, less), halt)
            assert beyond(new, low, high) <= left + EXACT
        self.told, self.told_at = told, self.steady


class Corrected(Driven):
    """Between any upstream and the robot."""

    @initialize(config=configs)
    def begin(self, config):
        super().begin(config)
        self.replanner = Compensator(config)
        self.asked, self.asked_at = None, 0.0

    def send(self):
        output = self.replanner.output(self.steady)
        c = self.config
        stale = self.steady - self.asked_at > c.velocity_timeout
        wanted = None
        if self.asked is None:
            assert output.status is Status.IDLE and (output.speed, output.yaw_rate) == (0.0, 0.0)
        elif not stale and any(self.asked):
            speed, yaw_rate = self.asked
            largest = c.max_velocity[2]
            turn = abs(yaw_rate) + abs(speed) / c.max_velocity[0] * largest
            part = c.max_relative_correction
            wanted = [(value - part * most, value + part * most)
                      for value, most in ((speed, abs(speed)), (yaw_rate, min(turn, largest)))]
        assert (output.status is Status.STOPPED) == (self.asked is not None and stale)
        self.check((output.speed, output.yaw_rate), wanted)

    def ask(self, speed, yaw_rate, skew=0, share=1.0):
        self.replanner.set_upstream(
            Command(self.stamp(skew), speed, yaw_rate), self.steady, share)
        low, high = self.config.min_velocity, self.config.max_velocity
        self.asked = tuple(share * min(max(value, low[axis]), high[axis])
                           for axis, value in ((0, speed), (2, yaw_rate)))
        self.asked_at = self.steady

    @rule(speed=asked, yaw_rate=asked, skew=skews, share=st.sampled_from([1.0, 1.0, 0.3]))
    def hear_upstream(self, speed, yaw_rate, skew, share):
        self.ask(speed, yaw_rate, skew, share)
        self.send()

    @rule(pose=anywhere, skew=skews)
    def hear_odometry(self, pose, skew):
        self.replanner.set_odometry(Odometry(self.stamp(skew), *pose, 0.0, 0.0))
        self.send()

    @rule(pose=st.none() | anywhere, skew=skews)
    def hear_a_prediction(self, pose, skew):
        if pose is None:
            self.replanner.drop_target()
        else:
            self.replanner.set_target(Target(self.stamp(skew), np.array(pose)), self.steady)
        self.send()

    @rule(speed=st.floats(-0.3, 0.3), yaw_rate=st.floats(-2.0, 2.0),
          gain=st.sampled_from([0.0, 0.3, 0.8, 1.0, 1.3, 4.0, -1.0]), periods=st.integers(1, 30),
          then=waits)
    def drive(self, speed, yaw_rate, gain, periods, then):
        for _ in range(periods):
            self.move(gain)
            self.ask(speed, yaw_rate)
            self.replanner.set_odometry(Odometry(self.stamp(), *self.pose, 0.0, 0.0))
            self.replanner.set_target(self.later(gain), self.steady)
            self.send()
        self.wait(then)

    @rule(speed=asked)
    def start_again(self, speed):
        self.replanner.reset()
        self.asked, self.told, self.told_at = None, (0.0, 0.0), None
        self.send()
        self.ask(speed, 0.0)


# Plans: repeated points, one point, loops, ways there and back, spikes, far away and huge.
def way(corners, least):
    """Return a strategy of poses."""
    headings = st.sampled_from([0.0, 1.0, -3.0])
    return st.lists(st.tuples(corners, corners, headings), min_size=least, max_size=8)


ways = way(st.sampled_from([0.0, 0.5, 0.5005, 1.0]), 3) | way(moderate, 2) | way(numbers, 0)
origins = st.sampled_from([0.0, 0.0, 0.0, 1e6, 1e9, -1e16, 3e17, 1e150, 1e307])
pursuits = st.builds(
    PursuitConfig, use_rotate_to_heading=st.booleans(),
    desired_linear_vel=st.sampled_from([0.05, 0.2, 2.0]),
    max_plan_distance=st.sampled_from([0.1, 1.0, 1e9]))


class Following(Driven):
    """Along any plan, from anywhere."""

    @initialize(config=configs, pursuit=pursuits, way=ways)
    def begin(self, config, pursuit, way):
        super().begin(config)
        self.caution = SpeedScaling(SpeedScalingConfig())
        self.pursuit = pursuit
        self.follower = PathFollower(config, Pursuit(pursuit), self.caution)
        self.hear_a_plan(way)

    def send(self):
        output = self.follower.output(self.steady)
        c = self.config
        stale = self.steady - self.heard_at > c.odometry_timeout
        wanted = None
        if self.plan is None or output.status in (
                Status.TOO_FAR, Status.NO_PROGRESS):
            wanted = [(0.0, 0.0), (0.0, 0.0)]
        elif self.frame is not None and not stale:
            share = SpeedScalingConfig.min_speed_scale if output.slowdown in (
                Slowdown.NO_PREDICTION, Slowdown.PREDICTION_DISAGREES) else 1.0
            wanted = [(0.0, share * self.pursuit.desired_linear_vel), (-math.inf, math.inf)]
        assert (output.status is Status.NO_ODOMETRY) == (self.plan is not None and stale)
        self.check((output.speed, output.yaw_rate), wanted)

    @rule(way=ways, origin=origins, loop=st.booleans(), anew=st.booleans())
    def hear_a_plan(self, way, origin=0.0, loop=False, anew=True):
        if anew:
            self.follower.reset()
            self.frame, self.heard_at = np.zeros(3), -math.inf
            self.told, self.told_at = (0.0, 0.0), None
        try:
            self.plan = Plan([(origin + x, origin + y, yaw) for x, y, yaw in
                              way + way[:1] * loop])
        except InvalidMessage as refused:
            self.plan = None
            self.follower.reject(str(refused))
        else:
            self.follower.follow(self.plan)
        self.send()

    @rule(pose=st.none() | anywhere, skew=skews)
    def hear_odometry(self, pose, skew):
        pose = self.pose if pose is None else pose
        self.follower.set_odometry(Odometry(self.stamp(skew), *pose, 0.0, 0.0), self.steady)
        self.heard_at = self.steady
        self.send()

    @rule(pose=st.none() | anywhere, skew=skews)
    def hear_a_prediction(self, pose, skew):
        if pose is None:
            self.follower.drop_target()
        else:
            self.follower.set_target(Target(self.stamp(skew), np.array(pose)), self.steady)
        self.send()

    @rule(frame=st.none() | st.tuples(*[moderate] * 3) | anywhere)
    def look_up_the_frame(self, frame):
        self.frame = None if frame is None else np.array(frame)
        self.follower.set_frame(self.frame, 'nobody knows')
        self.send()

    @rule(variance=st.floats())
    def doubt(self, variance):
        self.caution.update(0.0, variance * np.eye(3), self.steady)
        self.send()

    @rule(share=st.none() | st.floats(0.0, 1.0), aside=st.tuples(
        st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), moderate),
          gain=st.sampled_from([0.0, 1.0, 1.0, 3.0, -1.0]), periods=st.integers(1, 30),
          predicts=st.booleans(), then=waits)
    def drive(self, share, aside, gain, periods, predicts, then):
        """Let it follow from where it is, or from beside a share of the plan."""
        if share is not None and self.plan is not None and self.frame is not None:
            place = se2.compose(self.plan.at(share * self.plan.length), aside)
            pose = se2.between(self.frame, place)
            self.pose = pose if np.isfinite(pose).all() else self.pose
        for _ in range(periods):
            self.move(gain)
            self.hear_odometry(None, 0)
            if predicts:
                self.follower.set_target(self.later(gain), self.steady)
        self.wait(then)


TestCorrected, TestFollowing = Corrected.TestCase, Following.TestCase
TestCorrected.settings = TestFollowing.settings = settings(
    max_examples=25, stateful_step_count=25, derandomize=True)
