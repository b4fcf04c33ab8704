"""A robot that does what it is told comes to the goal along the plan, or stands and says why."""

from dataclasses import fields, replace
import math

from helpers.paths import apart, circle, eight, plan_of, plans, winding
from helpers.pursuit import AT_START, command_of, CONFIG, PERIOD, Run
from hypothesis import given, settings, strategies as st
from lstm_predictor.common import se2
from lstm_predictor.control.plan import Plan
from lstm_predictor.control.regulated_pure_pursuit import Pursuit, PursuitConfig
from lstm_predictor.control.status import Output, ReplannerStatus as Status
import numpy as np
import pytest

LINE = plan_of([[0, 0], [2, 0]])
CORNER = plan_of([[0, 0], [1, 0], [1, 1]])

seeds = st.integers(0, 2**31 - 1)
extreme = st.floats(allow_nan=False, allow_infinity=False)


def command(plan, pose, config=CONFIG):
    """Return the first command on a plan, from a pose."""
    pursuit = Pursuit(config)
    pursuit.follow(plan)
    return command_of(pursuit, np.array(pose, dtype=float), 0.0)


def mirrored(plan):
    headings = plan.at(plan.along)[:, 2]
    return Plan(np.column_stack([plan.points, headings]) * [1.0, -1.0, -1.0])


# To the goal.

@pytest.mark.parametrize('plan, most', [
    (LINE, 1e-9), (circle(0.5, 0.75), 0.005), (circle(0.3, 0.75, -1.0), 0.01),
    (winding(), 0.012), (winding(-1.0), 0.012), (CORNER, 0.06)],
    ids=['line', 'left circle', 'right circle', 'left S', 'right S', 'corner'])
def test_it_follows_the_plan_to_its_goal(plan, most):
    run = Run(plan)
    run.assert_there()
    assert run.across.max() <= most
    least = plan.length / CONFIG.desired_linear_vel
    assert least - 0.5 < run.seconds < 1.2 * least + 5.0


@pytest.mark.parametrize('start', [
    (0.0, 0.1, 0.0), (0.3, -0.2, 1.0), (-0.4, 0.0, 0.0), (1.0, 0.7, 3.0), (0.0, 0.0, -3.0)])
def test_from_beside_the_plan_it_comes_to_it(start):
    run = Run(LINE, start)
    run.assert_there()
    assert abs(run.poses[-20:, 1]).max() < 0.005


@pytest.mark.parametrize('yaw', [2.5, -2.5, 0.5])
def test_at_the_goal_it_turns_to_the_heading_that_is_asked_for(yaw):
    plan = Plan([[0.0, 0.0, 0.0], [1.0, 0.0, yaw]])
    run = Run(plan)
    run.assert_there()
    assert run.doing[-2] == Status.TURNING and run.commands[-2, 0] == 0.0
    assert np.sign(run.commands[-2, 1]) == np.sign(yaw)
    without = Run(plan, config=replace(CONFIG, use_rotate_to_heading=False))
    assert without.doing[-1] == Status.AT_GOAL and abs(without.poses[-1, 2]) < 1e-6


@pytest.mark.parametrize('side', [0.0, 0.12, -0.4])
@pytest.mark.parametrize('beyond', [-0.05, 0.12, 0.3, 0.6])
def test_beside_or_behind_the_goal_it_comes_to_an_end_near_it(beyond, side):
    for yaw in (0.0, 2.0):
        run = Run(LINE, (2.0 + beyond, side, yaw), seconds=30.0)
        run.assert_there(CONFIG.xy_goal_tolerance + CONFIG.min_lookahead_dist)


def test_a_plan_that_ends_where_it_starts_is_driven_around():
    for plan in (circle(0.4), plan_of([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]])):
        run = Run(plan)
        run.assert_there()
        assert run.seconds > 0.9 * plan.length / CONFIG.desired_linear_vel
        middle = plan.at(0.5 * plan.length)[:2]
        assert np.hypot(*(run.poses[:, :2] - middle).T).min() < 0.08


def test_a_crossing_is_passed_straight():
    """The 8 is at its crossing at its start, its middle and its end."""
    run = Run(eight(), (0.0, 0.0, math.pi / 4.0))
    run.assert_there()
    turn = int(np.argmax(run.poses[:, 0] < -0.1))
    assert run.poses[:turn, 0].max() > 0.9 and run.poses[turn:, 0].min() < -0.9
    assert run.poses[turn:, 0].max() < 0.05
    crossing = np.hypot(*run.poses[turn // 2:turn + 20, :2].T) < 0.05
    assert crossing.any()
    assert abs(run.commands[turn // 2:turn + 20][crossing, 1]).max() < 0.15


def test_a_later_part_of_the_plan_beside_it_is_no_short_cut():
    """The way back is only 15 cm beside the way there, and now nearer."""
    pursuit = Pursuit(CONFIG)
    pursuit.follow(plan_of([[0, 0], [2, 0], [2, 0.15], [0, 0.15]]))
    command_of(pursuit, np.array([0.5, 0.0, 0.0]), 0.0)
    _, yaw_rate, doing = command_of(pursuit, np.array([0.5, 0.11, 0.0]), 0.05)
    assert doing == Status.FOLLOWING and yaw_rate < -0.5


def test_a_plan_that_folds_back_is_driven_or_given_up():
    """But nobody turns to and fro for ever."""
    run = Run(plan_of([[0, 0], [1, 0], [0, 0]]), seconds=90.0)
    assert run.doing[-1] == Status.AT_GOAL or run.doing[-1] is Status.NO_PROGRESS


# How it steers.

@settings(max_examples=100)
@given(seeds)
def test_left_and_right_are_treated_alike(seed):
    rng = np.random.default_rng(seed)
    plan = plan_of(np.cumsum(rng.normal(0.0, 0.3, (6, 2)), axis=0))
    pursuit, other = Pursuit(CONFIG), Pursuit(CONFIG)
    pursuit.follow(plan)
    other.follow(mirrored(plan))
    pose = rng.normal(0.0, [0.2, 0.2, 1.0])
    for steady in np.arange(8.0):
        speed, yaw_rate, doing = command_of(pursuit, pose, steady)
        there = command_of(other, pose * [1.0, -1.0, -1.0], steady)
        assert there == (pytest.approx(speed, abs=1e-9), pytest.approx(-yaw_rate, abs=1e-6), doing)
        pose = se2.compose(pose, rng.normal(0.0, [0.1, 0.05, 0.3]) + [0.1, 0.0, 0.0])


@given(st.floats(-5.0, 5.0), st.floats(-5.0, 5.0), st.floats(-3.1, 3.1), st.floats(0.0, 1.6))
def test_on_a_straight_line_it_goes_straight_on(x, y, yaw, along):
    line = se2.compose([x, y, yaw], [[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    speed, yaw_rate, doing = command(Plan(line), se2.compose(line[0], [along, 0.0, 0.0]))
    assert (speed, doing) == (CONFIG.desired_linear_vel, Status.FOLLOWING)
    assert yaw_rate == pytest.approx(0.0, abs=1e-9)


@given(st.floats(0.01, 0.1), st.sampled_from([1.0, -1.0]))
def test_beside_a_line_it_steers_to_the_line(aside, side):
    _, yaw_rate, doing = command(LINE, (0.5, side * aside, 0.0))
    assert doing == Status.FOLLOWING and side * yaw_rate < -0.05


@pytest.mark.parametrize('radius', [0.3, 0.5, 1.0, -0.4])
def test_on_a_circle_it_turns_as_the_circle_does(radius):
    plan = circle(abs(radius), side=math.copysign(1.0, radius))
    speed, yaw_rate, _ = command(plan, plan.at(0.4))
    assert yaw_rate == pytest.approx(speed / radius, rel=0.06)


@pytest.mark.parametrize('bearing', [1.6, 2.5, 3.1, -1.6, -2.5, -3.1])
def test_with_its_back_to_the_plan_it_turns_on_the_spot_first(bearing):
    run = Run(LINE, (0.0, 0.0, -bearing))
    turning = run.doing.index(Status.FOLLOWING)
    assert set(run.doing[:turning]) == {Status.TURNING}
    assert Status.TURNING not in run.doing[turning:]
    assert not run.commands[:turning, 0].any()
    assert (np.sign(run.commands[:turning, 1]) == np.sign(bearing)).all()
    assert abs(run.commands[:turning, 1]).max() <= CONFIG.rotate_to_heading_angular_vel
    assert abs(run.poses[turning, 2]) < 0.25 * CONFIG.rotate_to_heading_min_angle


def test_where_it_may_not_turn_on_the_spot_it_never_does():
    run = Run(LINE, (0.0, 0.0, 2.5), replace(CONFIG, use_rotate_to_heading=False))
    assert run.doing[-1] == Status.AT_GOAL and Status.TURNING not in run.doing
    assert (run.commands[:-1, 0] > 0.0).all()


# How fast.

@given(plans, st.floats(-1.0, 1.0), st.floats(-1.0, 1.0), st.floats(-3.0, 3.0), st.floats(0.01, 1))
def test_it_is_never_faster_than_it_may_be_nor_backwards(plan, x, y, yaw, most):
    config = replace(CONFIG, desired_linear_vel=most)
    speed, _, doing = command(plan, plan.points[0].tolist() + [yaw] + np.array([x, y, 0]), config)
    assert 0.0 <= speed <= most
    assert speed > 0.0 or doing != Status.FOLLOWING


@pytest.mark.parametrize('radius, share', [(0.6, 1.0), (0.31, 1.0), (0.2, 2 / 3), (0.15, 0.5)])
def test_in_a_tight_curve_it_slows_down(radius, share):
    plan = circle(radius)
    speed, _, _ = command(plan, plan.at(0.3))
    assert speed == pytest.approx(share * CONFIG.desired_linear_vel, rel=0.05)
    least = replace(CONFIG, regulated_linear_scaling_min_speed=0.15)
    assert command(plan, plan.at(0.3), least)[0] >= 0.15 - 1e-12


@given(st.floats(0.05, 0.5))
def test_near_the_goal_it_slows_down_by_what_is_left(left):
    speed, _, _ = command(LINE, (2.0 - left - 1e-6, 0.0, 0.0))
    share = min(1.0, left / CONFIG.approach_velocity_scaling_dist)
    assert speed == pytest.approx(
        max(share * CONFIG.desired_linear_vel, CONFIG.min_approach_linear_velocity), rel=1e-3)


# Another plan.

@pytest.mark.parametrize('plan', [CORNER, winding(), circle(0.4, 0.75)])
@pytest.mark.parametrize('again', [0.05, 1.0])
def test_a_plan_that_is_sent_again_and_again_is_followed_as_if_sent_once(plan, again):
    once, often = Run(plan), Run(plan, again=again)
    often.assert_there()
    count = min(len(once.poses), len(often.poses))
    assert abs(once.poses[:count] - often.poses[:count]).max() < 0.01


def test_a_plan_replaced_in_mid_corner_is_followed_from_where_the_robot_is():
    run = Run(CORNER)
    middle = int(np.argmax(run.poses[:, 2] > 0.6))
    pose, steady = run.poses[middle], middle * PERIOD
    pursuit = Pursuit(CONFIG)
    pursuit.follow(CORNER)
    for index in range(middle):
        command_of(pursuit, run.poses[index], index * PERIOD)
    new = plan_of(se2.compose(pose, [[-0.5, 0.0, 0.0], [1.0, 0.0, 0.0]])[:, :2])
    pursuit.follow(new)
    speed, yaw_rate, doing = command_of(pursuit, pose, steady)
    assert (speed, doing) == (CONFIG.desired_linear_vel, Status.FOLLOWING)
    assert yaw_rate == pytest.approx(0.0, abs=1e-9)
    pursuit.follow(CORNER)
    assert command_of(pursuit, pose, steady)[:2] == pytest.approx(run.commands[middle], abs=0.02)


def test_without_a_plan_there_is_nothing_left_of_the_one_before():
    pursuit = Pursuit(CONFIG)
    pursuit.follow(LINE)
    command_of(pursuit, np.array([1.9, 0.0, 0.0]), 0.0)
    pursuit.reset()
    assert pursuit.plan is None
    pursuit.follow(LINE)
    assert command_of(pursuit, np.zeros(3), 100.0) == command(LINE, AT_START)


# When it stands.

def test_far_from_the_plan_it_stands_and_says_how_far():
    for pose in ((0.0, 10.0, 0.0), (1.0, -10.0, 2.0), (12.0, 0.0, 3.0)):
        pursuit = Pursuit(CONFIG)
        pursuit.follow(LINE)
        output = pursuit.command(np.array(pose), 0.0)
        assert output == Output(0.0, 0.0, Status.TOO_FAR, '10.00 m')
        assert output.text == 'stopped: too far from the plan: 10.00 m'


@pytest.mark.parametrize('plan', [LINE, CORNER])
@pytest.mark.parametrize('far', [(10.0, 0.0, 0.0), (1.0, 10.0, 0.0), (-10.0, 0.0, 0.0)])
@pytest.mark.parametrize('started', [False, True])
def test_back_from_far_away_it_goes_on_where_it_is(plan, far, started):
    """As where a localisation jumps for a moment, or is found late."""
    pursuit, pose = Pursuit(CONFIG), np.array([0.7, 0.0, 0.0] if started else AT_START)
    pursuit.follow(plan)
    if started:
        command_of(pursuit, pose, 0.0)
    assert command_of(pursuit, np.array(far), 0.05)[2] is Status.TOO_FAR
    assert command_of(pursuit, pose, 0.1) == command(plan, pose)


def test_without_progress_it_stands_until_there_is_a_new_plan():
    pursuit = Pursuit(CONFIG)
    pursuit.follow(LINE)
    allowed = CONFIG.movement_time_allowance
    for steady in (0.0, 0.5 * allowed, allowed):
        assert command_of(pursuit, np.zeros(3), steady)[0] > 0.0
    for steady, x in ((allowed + 0.1, 0.0), (allowed + 0.2, 0.3), (10.0 * allowed, 0.5)):
        assert pursuit.command(np.array([x, 0.0, 0.0]), steady) == Output(
            0.0, 0.0, Status.NO_PROGRESS, 'less than 0.05 m in 10 s')
    pursuit.follow(LINE)
    assert command_of(pursuit, np.array([0.5, 0.0, 0.0]), 10.0 * allowed + 1.0)[0] > 0.0


def test_a_pause_is_no_lack_of_progress():
    pursuit = Pursuit(CONFIG)
    pursuit.follow(LINE)
    assert command_of(pursuit, np.zeros(3), 0.0)[2] == Status.FOLLOWING
    pursuit.pause()
    assert command_of(pursuit, np.zeros(3), 100.0)[2] == Status.FOLLOWING


def test_little_progress_is_progress():
    """Whoever comes nearer by the radius in time is not stuck; going round on the spot is."""
    pursuit = Pursuit(CONFIG)
    pursuit.follow(LINE)
    for index in range(20):
        pose = np.array([0.06 * index, 0.0, 0.0])
        assert command_of(pursuit, pose, 9.0 * index)[2] == Status.FOLLOWING
    pursuit.follow(LINE)
    for index in range(20):
        doing = command_of(pursuit, np.array([0.0, 0.0, 1.0 + 2.1 * index]), 9.0 * index)[2]
    assert doing is Status.NO_PROGRESS


def test_at_the_goal_nobody_is_stuck():
    """It may be turned away from its heading there much later, and turns back."""
    pursuit = Pursuit(CONFIG)
    pursuit.follow(LINE)
    assert command_of(pursuit, np.array([1.94, 0.0, 0.0]), 0.0)[2] == Status.FOLLOWING
    for steady in (1.0, 20.0, 500.0):
        there = command_of(pursuit, np.array([1.97, 0.0, 0.0]), steady)
        assert there == (0.0, 0.0, Status.AT_GOAL)
    _, yaw_rate, doing = command_of(pursuit, np.array([1.97, 0.0, 0.2]), 500.1)
    assert doing == Status.TURNING and yaw_rate < 0.0


# Whatever comes.

@given(st.lists(st.tuples(extreme, extreme, extreme), min_size=1, max_size=4))
def test_poses_however_far_give_commands_that_are_numbers(poses):
    pursuit = Pursuit(CONFIG)
    pursuit.follow(winding())
    with np.errstate(all='ignore'):
        for steady, pose in enumerate(poses):
            speed, yaw_rate, doing = command_of(pursuit, np.array(pose), float(steady))
            assert math.isfinite(yaw_rate) and 0.0 <= speed <= CONFIG.desired_linear_vel
            assert doing


@given(st.lists(st.tuples(st.floats(-1e150, 1e150), st.floats(-1e150, 1e150)),
                min_size=2, max_size=4).filter(apart))
def test_plans_however_far_give_commands_that_are_numbers(points):
    with np.errstate(all='ignore'):
        speed, yaw_rate, _ = command(plan_of(points), [*points[0], 0.1])
    assert math.isfinite(yaw_rate) and 0.0 <= speed <= CONFIG.desired_linear_vel


def test_the_law_that_is_given_steers():
    """It is told the plan, how far along it the robot is, the pose and the speed that is due."""
    heard = []

    def law(plan, along, pose, speed):
        heard.append((plan, along, pose.tolist(), speed))
        return 0.07, -0.3

    pursuit = Pursuit(CONFIG, law)
    pursuit.follow(LINE)
    assert command_of(pursuit, np.array([0.5, 0.05, 0.2]), 0.0) == (0.07, -0.3, Status.FOLLOWING)
    assert heard == [(LINE, pytest.approx(0.5), [0.5, 0.05, 0.2], CONFIG.desired_linear_vel)]


@pytest.mark.parametrize('value', [0.0, -0.1, math.nan, math.inf])
@pytest.mark.parametrize('name', [
    field.name for field in fields(PursuitConfig) if not isinstance(field.default, bool)])
def test_a_bad_value_is_refused_by_its_name(name, value):
    with pytest.raises(ValueError, match=f'^{name} must be .*{value}'):
        PursuitConfig(**{name: value})


def test_a_lookahead_that_is_least_above_most_is_refused():
    with pytest.raises(ValueError, match=r'min_lookahead_dist .*\(0.9\), is 1.5'):
        PursuitConfig(min_lookahead_dist=1.5)
