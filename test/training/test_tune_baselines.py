"""The constants of the classical predictors are found, and not for the network's sake."""

import json

from helpers.linear_robot import driven, errors, fitted, STEP
from lstm_predictor.baselines.registry import baselines
from lstm_predictor.training import fit_linear_prior
from lstm_predictor.training.tune_baselines import tune
import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(scope='module')
def constants():
    """Return what is found for a robot with a delay of 0.3 s, a lag of 0.2 s and gains."""
    examples = driven(20, 0.3, 0.2, (0.8, 1.3), seconds=24.0, noise=0.05)
    error_scales = fit_linear_prior.error_scales(examples, STEP)[examples.tracks]
    return tune(examples, error_scales, [examples[::2]], fitted(), 1.0 / STEP)


def test_they_are_found_for_each_predictor_and_survive_json(constants):
    assert set(constants) == {'constant_turn', 'command_replay_mean', 'ekf', 'arx_online'}
    again = json.loads(json.dumps(constants))
    made = [baselines(each, fitted(), STEP, False, float('nan'), float('nan'))
            for each in (constants, again)]
    examples = driven(21, seconds=10.0)
    for name in made[0]:
        np.testing.assert_array_equal(*(errors(each[name], examples, False) for each in made))


def test_delay_lag_and_gain_of_a_robot_are_found(constants):
    found = constants['command_replay_mean']
    assert found['delay'] == pytest.approx(0.3, abs=0.03)
    assert found['lag'] == pytest.approx(0.2, abs=0.04)
    assert found['gain'] == pytest.approx((0.8, 1.3), rel=0.05)
    assert constants['ekf']['delay'] == pytest.approx(0.3, abs=0.05)


def test_they_are_better_than_the_defaults_on_another_drive_of_the_robot(constants):
    examples = driven(22, 0.3, 0.2, (0.8, 1.3), seconds=24.0, noise=0.05)
    nan = float('nan')
    with_them, without = (baselines(each, fitted(), STEP, True, nan, nan)
                          for each in (constants, {}))
    for name in ('command_replay_mean', 'ekf'):
        assert (errors(with_them[name], examples) < 0.5 * errors(without[name], examples)).all()
