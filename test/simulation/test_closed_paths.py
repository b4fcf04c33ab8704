"""Courses for the robot, the distance from them, and the follower that drives them."""

from hypothesis import given, strategies as st
from lstm_predictor.common import se2
from lstm_predictor.simulation.closed_paths import cross_track, figure_of_eight, random_loop
from lstm_predictor.simulation.pure_pursuit import PurePursuit
import numpy as np
import pytest

EIGHT = figure_of_eight(8.0)
RADIUS = 8.0 / (4.0 * np.pi)  # [m]


def steps(path):
    return np.roll(path, -1, axis=0) - path


@pytest.mark.parametrize('length', [0.5, 8.0, 100.0])
def test_a_figure_of_eight_closes_and_is_as_long_as_asked(length):
    sizes = np.hypot(*steps(figure_of_eight(length)).T)
    assert sizes.sum() == pytest.approx(length, rel=1e-3)
    assert sizes.max() == pytest.approx(sizes.min(), rel=1e-2)


def test_a_figure_of_eight_starts_ahead_and_has_no_corner():
    heading = np.arctan2(*steps(EIGHT).T[::-1])
    assert EIGHT[0].tolist() == [0.0, 0.0] and heading[0] == pytest.approx(0.0, abs=0.05)
    assert np.abs(se2.wrap(np.diff(heading, append=heading[0]))).max() < 0.05


def test_a_figure_of_eight_turns_as_much_left_as_right():
    np.testing.assert_allclose(EIGHT.mean(axis=0), 0.0, atol=1e-9)
    assert EIGHT[:, 1].max() == pytest.approx(2.0 * RADIUS, rel=1e-3)
    assert EIGHT[100, 1] > 0.0 > EIGHT[300, 1]


@pytest.mark.parametrize('seed', range(8))
def test_a_random_loop_closes_starts_ahead_and_has_no_corner(seed):
    path = random_loop(np.random.default_rng(seed), 6.0)
    sizes = np.hypot(*steps(path).T)
    heading = np.arctan2(*steps(path).T[::-1])
    assert path[0] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert heading[0] == pytest.approx(0.0, abs=1e-9)
    assert 0.6 * 6.0 < sizes.sum() < 1.7 * 6.0 and sizes.max() < 0.1
    assert np.abs(se2.wrap(np.diff(heading, append=heading[0]))).max() < 0.5
    other = random_loop(np.random.default_rng(seed + 100), 6.0)
    assert np.abs(path - other).max() > 0.01


def test_random_loops_go_round_to_both_sides():
    sides = {np.sign(random_loop(np.random.default_rng(seed), 6.0).mean(axis=0)[1])
             for seed in range(20)}
    assert sides == {-1.0, 1.0}


def test_the_distance_is_zero_on_the_path_and_between_its_points():
    for share in (0.0, 0.3, 0.5):
        assert cross_track(EIGHT, EIGHT + share * steps(EIGHT)).max() < 1e-9


@given(st.floats(0.0, 0.6), st.integers(0, 399))
def test_the_distance_is_that_across_the_path(aside, index):
    ahead = steps(EIGHT)[index]
    normal = np.array([-ahead[1], ahead[0]]) / np.hypot(*ahead)
    outward = -1.0 if index < 200 else 1.0
    moved = EIGHT[index] + 0.5 * ahead + outward * aside * normal
    assert cross_track(EIGHT, moved[None])[0] <= aside + 1e-9
    if 50 <= index < 150 or 250 <= index < 350:  # away from the crossing
        assert cross_track(EIGHT, moved[None])[0] == pytest.approx(aside, abs=0.002)


def followed(pose, seconds=80.0, period=0.05):
    """Return the positions of an ideal robot without delay under pure pursuit."""
    pursuit, positions = PurePursuit(EIGHT, speed=0.2, lookahead=1.0), []
    for _ in range(round(seconds / period)):
        speed, yaw_rate = pursuit.command(np.asarray(pose))
        pose = se2.compose(pose, se2.exp([speed * period, 0.0, yaw_rate * period]))
        positions.append(pose[:2])
    return np.array(positions)


@pytest.mark.parametrize('start', [
    (0.0, 0.0, 0.0), (0.0, 0.15, 0.0), (0.0, -0.15, 0.0), (0.1, 0.0, 0.5), (-0.1, 0.0, -0.5)])
def test_pure_pursuit_comes_to_the_path_and_stays(start):
    distance = cross_track(EIGHT, followed(start))
    assert distance[-800:].max() < 0.02  # it cuts the corner where the curvature changes
    assert distance[0] > 0.05 or start[1] == 0.0


def test_pure_pursuit_goes_all_the_way_round():
    """In one round of 40 s it comes near every point of the path."""
    positions = followed((0.0, 0.0, 0.0), seconds=41.0)
    gaps = np.hypot(*(EIGHT[:, None] - positions[None]).transpose(2, 0, 1)).min(axis=1)
    assert gaps.max() < 0.02
