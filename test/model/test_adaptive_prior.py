"""The linear predictor that adapts is least squares with forgetting, robot by robot."""

from lstm_predictor.model.adaptive_prior import AdaptedWeights, AdaptivePrior, TrainingPair
from lstm_predictor.model.linear_prior import Arx
from lstm_predictor.model.window import FEATURE, FEATURES
import pytest
import torch

ROWS, HORIZON, LENGTH = 4, 6, 20
TRUST, FORGET = 3.0, 0.97


def prior(**options):
    """Return one that starts from random weights with a random information matrix."""
    torch.manual_seed(0)
    arx = Arx(ROWS, HORIZON)
    for name in ('open', 'given', 'blind'):
        arx.get_buffer(name).normal_()
    width = 3 * ROWS + HORIZON
    root = torch.randn(2, width, 3 * width)
    information = root @ root.transpose(1, 2) / (3 * width)
    arx.information = 0.5 * (information + information.transpose(1, 2))
    return AdaptivePrior(arx, **{'trust': TRUST, 'forget': FORGET, **options})


def windows(robots, seed=1):
    """Return random windows with all of their readings, and open commands."""
    made = torch.randn(robots, LENGTH, len(FEATURES), generator=torch.manual_seed(seed))
    made[:, :, [i for name, i in FEATURE.items() if name.endswith('valid')]] = 1.0
    return made, torch.zeros(robots, HORIZON, 3)


def learned(adaptive, count, robots=1):
    """Return the weights after so many windows, and all pairs that they were learned from."""
    known, pairs = adaptive.blank(robots), []
    for seed in range(count):
        pairs.append(adaptive.pair(windows(robots, seed)[0]))
        known = adaptive.learn(known, pairs[-1])
    return known, pairs


def assert_same(one, other):
    for part, expected in zip(one, other):
        torch.testing.assert_close(part, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize('known, count', [(False, 30), (True, 30), (False, 3000)])
def test_the_weights_are_those_of_weighted_least_squares(known, count):
    """By the normal equations, in which each window counts less than the next one; for long."""
    adaptive = prior(known=known)
    adaptive.most.fill_(torch.inf)
    found, pairs = learned(adaptive, count)
    for axis in range(2):
        information = TRUST * adaptive.arx.information[
            axis, :adaptive.size, :adaptive.size].double()
        moment = information @ adaptive.fitted[axis]
        for pair in pairs:
            x = pair.regressors[0, axis]
            information = FORGET * information + torch.outer(x, x)
            moment = FORGET * moment + torch.outer(x, pair.target[0, axis])
        torch.testing.assert_close(
            found.weights[0, axis], torch.linalg.solve(information, moment), rtol=1e-7, atol=1e-9)
        torch.testing.assert_close(
            found.inverse[0, axis], torch.linalg.inv(information), rtol=1e-7, atol=1e-9)


def test_robots_side_by_side_are_as_each_alone():
    adaptive = prior()
    together, pairs = learned(adaptive, 12, robots=3)
    for robot in range(3):
        alone = adaptive.blank(1)
        for pair in pairs:
            alone = adaptive.learn(alone, TrainingPair(*(part[robot:robot + 1] for part in pair)))
        assert_same(alone, [part[robot:robot + 1] for part in together])


@pytest.mark.parametrize('feature, row', [
    ('odometry_valid', LENGTH - HORIZON - 1), ('command_valid', LENGTH - HORIZON - 1),
    ('command_valid', LENGTH - 1)])
def test_nothing_is_learned_where_readings_are_missing_and_others_learn(feature, row):
    adaptive = prior()
    known = learned(adaptive, 3, robots=2)[0]
    window, _ = windows(2, 9)
    window[0, row, FEATURE[feature]] = 0.0
    after = adaptive.learn(known, adaptive.pair(window))
    assert_same([part[0] for part in after], [part[0] for part in known])
    assert not torch.allclose(after.weights[1], known.weights[1])


def test_a_window_shorter_than_a_pair_teaches_nothing():
    pair = prior().pair(windows(2)[0][:, :HORIZON + ROWS - 1])
    assert pair.regressors.shape == (2, 2, 3 * ROWS) and not pair.usable.any()


def test_an_hour_of_the_same_motion_makes_it_no_less_sure_of_others():
    adaptive = prior()
    known, pair = adaptive.blank(1), adaptive.pair(windows(1)[0])
    for _ in range(3000):
        known = adaptive.learn(known, pair)
    for part in known:
        assert torch.isfinite(part).all()
    grown = known.inverse.diagonal(dim1=-2, dim2=-1).sum(dim=-1)[0]
    assert (grown <= adaptive.most / FORGET).all() and (grown > 0.0).all()


def test_without_commands_it_is_the_fit_for_no_commands():
    adaptive = prior()
    known = learned(adaptive, 5, robots=2)[0]
    window, commands = windows(2)
    window[1, -1, FEATURE['command_valid']] = 0.0
    twists = adaptive(known, window, commands)
    fitted = adaptive.arx(window, commands).double()
    torch.testing.assert_close(twists[1], fitted[1])
    assert not torch.allclose(twists[0], fitted[0], atol=1e-3)


def test_it_can_be_part_of_an_archive():
    adaptive, (window, commands) = prior(), windows(2)
    scripted = torch.jit.script(adaptive)
    known = adaptive.learn(adaptive.blank(2), adaptive.pair(window))
    again = scripted.learn(scripted.blank(2), scripted.pair(window))
    assert_same(again, known)
    torch.testing.assert_close(
        scripted(AdaptedWeights(*again), window, commands), adaptive(known, window, commands))
