"""A plan is a path by its length, and every place has a nearest one on it."""

import math

from helpers.paths import circle, coordinates, plan_of, plans, winding
from hypothesis import given, strategies as st
from lstm_predictor.common import se2
from lstm_predictor.common.readings import InvalidMessage
from lstm_predictor.control.plan import Plan
import numpy as np
import pytest

ALIKE = 0.05  # two passes that are as near as this are alike [m]

positions = st.tuples(coordinates, coordinates).map(np.array)
motions = st.tuples(coordinates, coordinates, st.floats(-3.1, 3.1)).map(np.array)
shares = st.floats(0.0, 1.0)


onward_plans = st.lists(st.tuples(st.floats(0.2, 1.0), st.floats(-1.0, 1.0)), max_size=6) \
    .map(lambda steps: plan_of(np.cumsum(
        [[0.0, 0.0], [0.5, 0.0], *([x, x * slope] for x, slope in steps)], axis=0)))


# What is no plan.

@pytest.mark.parametrize('poses, count', [
    ([], 0), (np.zeros((0, 3)), 0), ([[1.0, 2.0, 3.0]], 1), ([[1.0, 2.0, 3.0]] * 3, 1),
    ([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0], [5e-4, 0.0, 0.0]], 1)])
def test_fewer_than_two_different_poses_are_refused_by_their_number(poses, count):
    with pytest.raises(InvalidMessage, match=f'has {count} different poses, it needs 2'):
        Plan(poses)


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('column', [0, 1, 2])
def test_a_pose_that_is_not_finite_is_refused_by_its_number_and_value(value, column):
    poses = np.arange(9.0).reshape(3, 3)
    poses[1, column] = value
    with pytest.raises(InvalidMessage, match=f'pose 1 of the plan is .*{value}'):
        Plan(poses)


@given(plans, st.lists(st.integers(1, 3), min_size=8, max_size=8), st.floats(-3.0, 3.0))
def test_poses_that_repeat_are_one_and_the_last_of_them_tells_the_heading(plan, counts, yaw):
    poses = np.column_stack([plan.points, np.zeros(len(plan.points))])
    poses = np.repeat(poses, counts[:len(poses)], axis=0)
    poses[-1, 2] = yaw
    again = Plan(poses)
    np.testing.assert_array_equal(again.points, plan.points)
    np.testing.assert_array_equal(again.along, plan.along)
    np.testing.assert_array_equal(again.goal, poses[-1])


def test_points_that_creep_are_still_a_way():
    """Each is hardly farther than the one before, but not than the one kept."""
    x = np.arange(0.0, 1.0, 4e-4)
    plan = Plan(np.column_stack([x, 0.0 * x, 0.0 * x]))
    assert plan.length == pytest.approx(1.0, abs=2e-3)


# Where it is after so many metres.

@given(plans)
def test_it_leads_through_its_points(plan):
    np.testing.assert_allclose(plan.at(plan.along)[:, :2], plan.points, atol=1e-9)
    assert plan.length == pytest.approx(np.hypot(*np.diff(plan.points, axis=0).T).sum())


@given(plans, st.floats(-1.0, 40.0), st.floats(0.0, 5.0))
def test_no_two_places_are_farther_apart_than_the_way_between_them(plan, along, farther):
    one, other = plan.at([along, along + farther])[:, :2]
    assert math.hypot(*(other - one)) <= farther + 1e-9


@given(plans, st.integers(0, 6), shares, shares)
def test_on_a_straight_line_they_are_as_far_apart_as_the_way_and_in_its_direction(
        plan, number, share, other_share):
    begin, end = plan.along[number % (len(plan.along) - 1) + np.arange(2)]
    first, last = (begin + s * (end - begin) * (1.0 - 1e-6)
                   for s in sorted([share, other_share]))
    pose, later = plan.at([first, last])
    ahead = np.array([np.cos(pose[2]), np.sin(pose[2])])
    np.testing.assert_allclose(later[:2], pose[:2] + (last - first) * ahead, atol=1e-9)
    assert later[2] == pose[2]


@given(plans, st.floats(0.0, 10.0))
def test_past_its_ends_it_goes_straight_on(plan, beyond):
    before, start = plan.at([-beyond, 0.0])
    end, after = plan.at([plan.length, plan.length + beyond])
    np.testing.assert_allclose(se2.compose(start, [-beyond, 0.0, 0.0])[:2], before[:2], atol=1e-9)
    np.testing.assert_allclose(se2.compose(end, [beyond, 0.0, 0.0])[:2], after[:2], atol=1e-9)
    assert before[2] == start[2] and after[2] == end[2]


@pytest.mark.parametrize('shape', [(), (4,), (2, 3), (0,)])
def test_many_places_are_asked_for_at_once(shape):
    along = np.random.default_rng(0).uniform(-1.0, 4.0, shape)
    poses = winding().at(along)
    assert poses.shape == (*shape, 3)
    one_by_one = [winding().at(metres) for metres in along.ravel()]
    np.testing.assert_array_equal(poses.reshape(-1, 3), np.reshape(one_by_one, (-1, 3)))


# The nearest place.

@given(plans, positions)
def test_no_other_place_is_nearer_but_one_that_is_alike(plan, position):
    along, distance = plan.nearest(position)
    assert math.hypot(*(plan.at(along)[:2] - position)) == pytest.approx(distance, abs=1e-9)
    others = plan.at(np.linspace(0.0, plan.length, 500))[:, :2]
    assert distance <= np.hypot(*(others - position).T).min() + ALIKE + 1e-9


@given(onward_plans, shares)
def test_a_place_of_the_plan_is_where_it_is(plan, share):
    along, distance = plan.nearest(plan.at(share * plan.length)[:2])
    assert along == pytest.approx(share * plan.length, abs=1e-6)
    assert distance == pytest.approx(0.0, abs=1e-9)


@given(onward_plans, positions)
def test_the_nearest_place_is_the_nearest_to_itself(plan, position):
    along, _ = plan.nearest(position)
    assert plan.nearest(plan.at(along)[:2]) == pytest.approx((along, 0.0), abs=1e-6)


@given(plans, positions, shares, shares)
def test_it_is_looked_for_between_two_ends(plan, position, share, other_share):
    begin, end = sorted([share * plan.length, other_share * plan.length])
    along, distance = plan.nearest(position, begin, end)
    assert begin - 1e-9 <= along <= end + 1e-9
    others = plan.at(np.linspace(begin, end, 200))[:, :2]
    assert distance <= np.hypot(*(others - position).T).min() + ALIKE + 1e-9


@pytest.mark.parametrize('position, along, begin, end', [
    ((0.0, 0.0), 1.0, 0.0, math.inf),
    ((0.0, 0.03), 1.0, 0.0, math.inf),  # on the later pass, as good as on the earlier
    ((0.0, 0.2), 4.8, 0.0, math.inf),
    ((0.0, 0.0), 5.0, 3.0, math.inf),
    ((0.0, 0.0), 1.0, 0.5, 5.5),
    ((0.0, 0.0), 0.5, 0.0, 0.5)])
def test_where_it_passes_twice_the_earlier_time_is_meant(position, along, begin, end):
    """The plan crosses its first leg, after 1 m, at the middle of its last one, after 5 m."""
    plan = plan_of([[-1, 0], [1, 0], [1, 1], [0, 1], [0, -1]])
    assert plan.nearest(position, begin, end)[0] == pytest.approx(along)


@given(motions, shares, st.floats(-0.1, 0.1))
def test_it_does_not_depend_on_the_frame(motion, share, aside):
    plan = winding()
    moved = plan_of(se2.compose(motion, np.column_stack(
        [plan.points, np.zeros(len(plan.points))]))[:, :2])
    pose = plan.at(share * plan.length)
    missed = se2.between(se2.compose(motion, pose), moved.at(share * plan.length))
    # At a corner either of its two headings is right.
    assert np.abs(missed).tolist() == pytest.approx([0.0, 0.0, 0.0], abs=1e-6) or \
        np.hypot(*missed[:2]) < 1e-6 and abs(missed[2]) < 0.1
    position = se2.compose(pose, [0.0, aside, 0.0])
    along, distance = plan.nearest(position[:2])
    there = moved.nearest(se2.compose(motion, position)[:2])
    # In the inside of a corner between two short lines both are as near.
    assert there == (pytest.approx(along, abs=0.01), pytest.approx(distance, abs=1e-4))
    assert (along, distance) == (pytest.approx(share * plan.length, abs=0.02),
                                 pytest.approx(abs(aside), abs=1e-3))


# How much it bends.

@given(st.floats(0.2, 5.0), st.sampled_from([1.0, -1.0]), shares)
def test_the_curvature_of_a_circle_is_one_over_its_radius(radius, side, share):
    plan = circle(radius, side=side)
    along = 0.5 * share * plan.length
    found = plan.curvature([along, along], 0.2 * plan.length)
    np.testing.assert_allclose(found, side / radius, rtol=0.02)


@given(plans, st.floats(0.1, 2.0))
def test_what_is_past_its_end_does_not_bend(plan, reach):
    assert plan.curvature(plan.length, reach) == 0.0
    assert plan.curvature(-reach - 1e-3, reach) == 0.0
