"""SE(2) is a group, and exp and log go between it and its tangent."""

from hypothesis import given, strategies as st
from lstm_predictor.common import se2
import numpy as np
import pytest

ORIGIN = np.zeros(3)

lengths = st.floats(-100.0, 100.0)
poses = st.tuples(lengths, lengths, st.floats(-10.0, 10.0)).map(np.array)
turns = st.one_of(
    st.floats(-3.14159, 3.14159),
    st.floats(-1e-4, 1e-4),
    st.sampled_from([0.0, 1e-300, 1e-5, -1e-5, 0.99e-5, 1.01e-5, np.pi - 1e-9, 1e-9 - np.pi]))
motions = st.tuples(lengths, lengths, turns).map(np.array)


def assert_same_pose(one, other, atol=1e-9):
    """Positions agree, and headings as directions."""
    difference = np.asarray(one) - np.asarray(other)
    np.testing.assert_allclose(difference[..., :2], 0.0, atol=atol)
    np.testing.assert_allclose(np.sin(difference[..., 2] / 2.0), 0.0, atol=atol)


def integrated(motion, steps=20000):
    """Return where the twist leads in small straight steps, without any closed form."""
    heading = motion[2] * (np.arange(steps) + 0.5) / steps
    cos, sin = np.cos(heading).mean(), np.sin(heading).mean()
    return [cos * motion[0] - sin * motion[1], sin * motion[0] + cos * motion[1], motion[2]]


@given(poses, poses, poses)
def test_compose_is_associative(a, b, c):
    assert_same_pose(se2.compose(se2.compose(a, b), c), se2.compose(a, se2.compose(b, c)))


@given(poses)
def test_origin_is_the_identity(pose):
    assert_same_pose(se2.compose(pose, ORIGIN), pose)
    assert_same_pose(se2.compose(ORIGIN, pose), pose)


@given(poses)
def test_inverse_undoes_from_both_sides(pose):
    assert_same_pose(se2.compose(pose, se2.inverse(pose)), ORIGIN)
    assert_same_pose(se2.compose(se2.inverse(pose), pose), ORIGIN)


@given(poses, poses)
def test_between_is_what_compose_adds(start, end):
    assert_same_pose(se2.compose(start, se2.between(start, end)), end)
    assert_same_pose(se2.between(start, se2.compose(start, end)), end)


@given(poses, poses, poses)
def test_between_does_not_depend_on_the_frame(frame, start, end):
    moved = se2.between(se2.compose(frame, start), se2.compose(frame, end))
    assert_same_pose(moved, se2.between(start, end))


def test_compose_turns_counter_clockwise():
    assert_same_pose(se2.compose([1.0, 2.0, np.pi / 2], [3.0, 0.0, 0.0]), [1.0, 5.0, np.pi / 2])


@given(motions)
def test_log_undoes_exp(motion):
    np.testing.assert_allclose(se2.log(se2.exp(motion)), motion, atol=1e-6, rtol=1e-9)


@given(poses)
def test_exp_undoes_log(pose):
    assert_same_pose(se2.exp(se2.log(pose)), pose, atol=1e-6)


@given(motions)
def test_exp_is_the_integral_of_the_twist(motion):
    assert_same_pose(se2.exp(motion), integrated(motion), atol=1e-6)


@given(motions, st.floats(-1.0, 1.0), st.floats(-1.0, 1.0))
def test_parts_of_a_motion_add_up(motion, one, other):
    both = se2.compose(se2.exp(one * motion), se2.exp(other * motion))
    assert_same_pose(both, se2.exp((one + other) * motion), atol=1e-8)


@given(motions)
def test_log_of_the_inverse_is_the_motion_backwards(motion):
    np.testing.assert_allclose(se2.log(se2.inverse(se2.exp(motion))), -motion, atol=1e-6)


@given(st.floats(-1e6, 1e6))
def test_wrap_keeps_the_direction_and_the_range(angle):
    wrapped = se2.wrap(angle)
    assert -np.pi <= wrapped < np.pi
    assert np.exp(1j * wrapped) == pytest.approx(np.exp(1j * angle), abs=1e-8)


@given(st.integers(-5, 5), st.floats(-3.0, 3.0))
def test_wrap_forgets_whole_turns(count, angle):
    assert se2.wrap(angle + 2.0 * np.pi * count) == pytest.approx(angle, abs=1e-12)


def test_wrap_of_half_a_turn_is_minus_pi_from_both_sides():
    assert se2.wrap([np.pi, -np.pi]).tolist() == [-np.pi, -np.pi]


@pytest.mark.parametrize('function', [se2.compose, se2.between])
def test_two_arguments_broadcast(function):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 1, 3)), rng.normal(size=(4, 3))
    one_by_one = [[function(x, y) for y in b] for x in a[:, 0]]
    np.testing.assert_array_equal(function(a, b), one_by_one)


@pytest.mark.parametrize('function', [se2.inverse, se2.exp, se2.log])
def test_arrays_are_taken_element_by_element(function):
    a = np.random.default_rng(1).normal(size=(3, 4, 3))
    a[0, 0] = 0.0
    np.testing.assert_array_equal(function(a), [[function(x) for x in row] for row in a])


def test_arguments_are_left_alone():
    a, b = np.array([1.0, 2.0, 4.0]), np.array([3.0, 4.0, 5.0])
    for function in (se2.inverse, se2.exp, se2.log):
        function(a)
    se2.compose(a, b), se2.between(a, b)
    assert a.tolist() == [1.0, 2.0, 4.0] and b.tolist() == [3.0, 4.0, 5.0]
