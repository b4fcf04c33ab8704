"""A prediction is compared with the odometry at its own stamp."""

import math

from hypothesis import given, strategies as st
from lstm_predictor.core import se2
from lstm_predictor.core.samples import Odometry
from lstm_predictor.core.scoreboard import Scoreboard
import numpy as np
import pytest

STEP = 50_000_000  # [ns]
CHORD = 1e-4  # how far the arc between two messages is from its chord, at most [m]


def pose(stamp_ns, yaw_rate=0.9):
    """Return where a robot is that drives in a circle."""
    return se2.exp(1e-9 * stamp_ns * np.array([0.3, 0.0, yaw_rate]))


def odometry(stamp_ns):
    return Odometry(stamp_ns, *pose(stamp_ns).tolist(), 0.3, 0.9)


def observed(board, stamps):
    return [score for stamp in stamps for score in board.observed(odometry(stamp))]


@given(st.lists(st.integers(1, 100 * STEP), max_size=40, unique=True))
def test_perfect_predictions_score_zero_at_any_stamp(stamps):
    board = Scoreboard()
    for stamp in sorted(stamps):
        board.predicted(stamp, pose(stamp))
    scores = observed(board, range(0, 101 * STEP, STEP))
    assert [score.stamp_ns for score in scores] == sorted(stamps)
    assert all(score.position < CHORD and abs(score.heading) < 1e-9 for score in scores)


@given(st.integers(1, STEP), st.floats(-1.0, 1.0), st.floats(-1.0, 1.0), st.floats(-3.0, 3.0))
def test_a_score_is_the_error_at_the_stamp_between_two_messages(at, x, y, yaw):
    board = Scoreboard()
    board.predicted(40 * STEP + at, pose(40 * STEP + at) + [x, y, yaw])
    score, = observed(board, [40 * STEP, 41 * STEP])
    assert score.position == pytest.approx(math.hypot(x, y), abs=CHORD)
    assert score.heading == pytest.approx(yaw, abs=1e-9)


def test_nothing_is_scored_before_its_time():
    board = Scoreboard()
    board.predicted(10 * STEP + 1, pose(10 * STEP + 1))
    assert observed(board, [9 * STEP, 10 * STEP]) == []
    assert len(observed(board, [11 * STEP])) == 1 and observed(board, [12 * STEP]) == []


def test_a_prediction_from_before_the_first_odometry_is_not_scored():
    board = Scoreboard()
    board.predicted(STEP, pose(STEP))
    assert observed(board, [2 * STEP, 3 * STEP]) == []


def test_repeated_odometry_is_harmless():
    board = Scoreboard()
    board.predicted(STEP // 2, pose(STEP // 2))
    assert len(observed(board, [0, 0, STEP, STEP])) == 1


def test_the_running_error_is_over_the_newest_scores():
    board = Scoreboard(window=2)
    assert math.isnan(board.position_rmse)
    for index, error in enumerate((9.0, 3.0, 4.0), start=1):
        board.predicted(index * STEP, pose(index * STEP) + [error, 0.0, 0.0])
    observed(board, range(0, 4 * STEP, STEP))
    assert board.position_rmse == pytest.approx(math.sqrt((3.0**2 + 4.0**2) / 2.0))
