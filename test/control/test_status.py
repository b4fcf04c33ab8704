"""What the replanner reports of a command: one line and a severity."""

from lstm_predictor.control.status import GuardStatus, Output, ReplannerStatus, Severity, Slowdown
import pytest

DETAIL = 'slowed to 40 %: predicted error across the path 0.075 m'


@pytest.mark.parametrize('status', [*ReplannerStatus, *GuardStatus])
def test_each_status_has_a_text_and_a_severity_of_its_own(status):
    assert status.text and isinstance(status.severity, Severity)
    assert type(status)(status.value) is status  # none is an alias of another


@pytest.mark.parametrize('status', ReplannerStatus)
def test_severity_is_that_of_the_status_unless_the_robot_is_slowed_down(status):
    assert Output(0.1, 0.0, status).severity == status.severity
    for slowdown in Slowdown:
        slow = Output(0.1, 0.0, status, slowdown=slowdown)
        calm = status is ReplannerStatus.AT_GOAL and slowdown is Slowdown.UNCERTAIN_PREDICTION
        assert slow.severity == (Severity.OK if calm else Severity.WARN)


def test_the_text_has_the_status_then_its_detail_then_why_it_is_slow():
    assert Output(0.1, 0.0, ReplannerStatus.FOLLOWING).text == 'following the plan'
    assert Output(0.0, 0.0, ReplannerStatus.TOO_FAR, '1.20 m', Slowdown.NO_PREDICTION).text == \
        'stopped: too far from the plan: 1.20 m, slowly: no fresh prediction to steer by'
    assert Output(0.1, 0.0, ReplannerStatus.CORRECTED, '', Slowdown.UNCERTAIN_PREDICTION,
                  DETAIL).text == f'corrected from the prediction, {DETAIL}'


def test_nothing_is_published_before_motion_is_requested():
    silent = {status for status in ReplannerStatus if not status.is_requested}
    assert silent == {ReplannerStatus.IDLE, ReplannerStatus.NO_PLAN,
                      ReplannerStatus.NO_PLAN_TO_CANCEL}
