"""The predictor: one prediction per grid step, of the past alone, in the odometry's frame."""

from dataclasses import replace

from hypothesis import given, settings, strategies as st
from lstm_predictor.core import se2
from lstm_predictor.core.artifact import Artifact, Contract, open_commands
from lstm_predictor.core.model import MotionLstm
from lstm_predictor.core.predictor import Predictor, PredictorConfig
from lstm_predictor.core.samples import Command, Imu, Odometry
import numpy as np
import pytest
import torch

SECOND = 1_000_000_000  # [ns]
START = 1_700_000_000 * SECOND
CONTRACT = Contract(rate=20.0, window=20, horizon=10, max_gap=0.5, command_memory=2.0)
FULL = CONTRACT.window / CONTRACT.rate  # a window and the step before it [s]


@pytest.fixture(autouse=True, scope='module')
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def artifact_of(spread):
    """Return a model with random weights; spread 0 predicts its prior."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MotionLstm(hidden=8, horizon=CONTRACT.horizon)
        torch.nn.init.normal_(model.head.weight, std=spread)
    return Artifact(model, CONTRACT)


RANDOM, UNTRAINED = artifact_of(0.3), artifact_of(0.0)


def arc(seconds, speed=0.2, yaw_rate=0.7):
    """Return the poses (n, 3) of a constant twist at times [s] (n,)."""
    return se2.exp(np.multiply.outer(seconds, [speed, 0.0, yaw_rate]))


def odometry(rate=20.0, seconds=3.0, jitter=0.0, start_ns=START, yaw_rate=0.7):
    """Return readings of a constant twist; each is late by up to `jitter` of its period."""
    rng = np.random.default_rng(0)
    t = (np.arange(int(rate * seconds)) + jitter * rng.random(int(rate * seconds))) / rate
    return [Odometry(start_ns + round(at * SECOND), *pose, 0.2, yaw_rate)
            for at, pose in zip(t.tolist(), arc(t, yaw_rate=yaw_rate).tolist())]


def predictions(readings, artifact=RANDOM, config=PredictorConfig(), predictor=None):
    """Return what is predicted while readings come in."""
    predictor = predictor or Predictor(artifact, config)
    made = []
    for reading in readings:
        predictor.add(reading)
        made.append(predictor.predict_if_due())
    return [prediction for prediction in made if prediction is not None]


def assert_same(one, other, shift=0):
    assert [p.anchor_ns + shift for p in one] == [p.anchor_ns for p in other]
    for a, b in zip(one, other):
        np.testing.assert_allclose(b.poses, a.poses, atol=1e-9)
        np.testing.assert_allclose(b.covariances, a.covariances, rtol=1e-6)


@pytest.mark.parametrize('rate', [20.0, 29.97, 50.0])
@pytest.mark.parametrize('jitter', [0.0, 0.2])
def test_one_prediction_per_step_of_the_grid(rate, jitter):
    made = predictions(odometry(rate, 20.0, jitter), UNTRAINED)
    steps = (20.0 - FULL) * CONTRACT.rate
    assert steps - 4 <= len(made) <= steps + 1
    anchors = np.array([prediction.anchor_ns for prediction in made])
    assert (np.diff(anchors) > 0).all()


def test_slow_odometry_gives_a_prediction_per_message():
    made = predictions(odometry(5.0, 10.0), UNTRAINED)
    assert len(made) == 10 * 5 - round(5 * FULL)


def test_nothing_is_predicted_before_the_window_is_full():
    made = predictions(odometry(), UNTRAINED)
    assert made[0].anchor_ns == START + round(FULL * SECOND)


def test_every_prediction_is_of_the_newest_odometry():
    readings = odometry(rate=20.0)
    made = predictions(readings, UNTRAINED)
    assert [p.anchor_ns for p in made] == [r.stamp_ns for r in readings[20:]]
    step = round(SECOND / CONTRACT.rate)
    for prediction in made:
        assert (prediction.stamps_ns - prediction.anchor_ns == step * np.arange(1, 11)).all()


def test_a_gap_in_the_odometry_pauses_the_predictions():
    readings = [r for r in odometry(seconds=6.0) if not 2.0 < (r.stamp_ns - START) / SECOND < 3.0]
    seconds = np.array([p.anchor_ns - START for p in predictions(readings, UNTRAINED)]) / SECOND
    assert (seconds <= 2.0).any() and (seconds >= 3.0 + FULL).any()
    assert not ((seconds > 2.0) & (seconds < 3.0 + FULL)).any()


@pytest.mark.parametrize('yaw_rate', [0.7, 0.0, -2.0])
def test_untrained_it_carries_a_constant_twist_on(yaw_rate):
    for prediction in predictions(odometry(yaw_rate=yaw_rate), UNTRAINED):
        later = arc(1e-9 * (prediction.stamps_ns - START), yaw_rate=yaw_rate)
        difference = se2.between(prediction.poses, later)
        np.testing.assert_allclose(difference, 0.0, atol=1e-5)
        expected = np.broadcast_to([0.2, 0.0, yaw_rate], (10, 3))
        np.testing.assert_allclose(prediction.twists, expected, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.floats(-50.0, 50.0), st.floats(-50.0, 50.0), st.floats(-4.0, 4.0))
def test_predictions_move_with_the_frame_of_the_odometry(x, y, yaw):
    readings = odometry(seconds=FULL + 0.2)
    g, cos, sin = [x, y, yaw], np.cos(yaw), np.sin(yaw)
    turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    moved = [Odometry(r.stamp_ns, *se2.compose(g, r[1:4]), *r[4:]) for r in readings]
    here, there = predictions(readings), predictions(moved)
    assert len(here) == len(there) > 0
    for a, b in zip(here, there):
        difference = se2.between(se2.compose(g, a.poses), b.poses)
        np.testing.assert_allclose(difference, 0.0, atol=1e-5)
        expected = turn @ a.covariances @ turn.T
        np.testing.assert_allclose(b.covariances, expected, rtol=1e-3, atol=1e-8)
        np.testing.assert_allclose(b.twists, a.twists, atol=1e-4)


def test_the_error_is_along_the_axes_of_the_odometry():
    """An untrained model is as unsure ahead as aside, so make it surer along the robot's x."""
    artifact = artifact_of(0.0)
    with torch.no_grad():
        artifact._module.head.bias[2] = -3.0
    north = [r._replace(x=0.0, y=0.2 * 1e-9 * (r.stamp_ns - START), yaw=np.pi / 2, yaw_rate=0.0)
             for r in odometry()]
    covariance = predictions(north, artifact)[-1].covariances[-1]
    assert covariance[1, 1] < 0.01 * covariance[0, 0]


def test_the_covariance_is_that_of_the_model():
    predictor = Predictor(RANDOM, PredictorConfig())
    east = [r._replace(x=0.2e-9 * (r.stamp_ns - START), y=0.0, yaw=0.0) for r in odometry()]
    prediction = predictions(east, predictor=predictor)[-1]
    rows = predictor.window.rows(np.array([prediction.anchor_ns]))
    _, factors = RANDOM.predict(rows, open_commands(1, CONTRACT.horizon))
    np.testing.assert_allclose(
        prediction.covariances, factors[0] @ factors[0].swapaxes(1, 2), rtol=1e-6)


def test_every_number_can_be_published():
    for prediction in predictions(odometry(29.97, 3.0, 0.3)):
        assert prediction.is_finite()
        assert (np.linalg.eigvalsh(prediction.covariances) > 0.0).all()
        np.testing.assert_allclose(
            prediction.covariances, prediction.covariances.swapaxes(1, 2), rtol=1e-12)
        assert (prediction.twist_stds > 0.0).all()


@pytest.mark.parametrize('name', ['poses', 'covariances', 'twists', 'twist_stds'])
@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_noticed(name, value):
    prediction = predictions(odometry())[0]
    broken = getattr(prediction, name).copy()
    broken[-1] = value
    assert not replace(prediction, **{name: broken}).is_finite()


def test_absurd_odometry_is_noticed_in_the_prediction():
    readings = odometry()
    readings[-1] = readings[-1]._replace(speed=1e300)
    assert not predictions(readings)[-1].is_finite()


# Time.

def test_time_that_jumps_back_is_a_new_start():
    first, second = odometry(), odometry(start_ns=START - 100 * SECOND)
    predictor = Predictor(RANDOM, PredictorConfig())
    predictions(first, predictor=predictor)
    assert_same(predictions(second, predictor=predictor), predictions(second))


def test_a_late_message_is_no_jump():
    readings = odometry()
    shuffled = readings[:]
    shuffled[30], shuffled[33] = readings[33], readings[30]
    assert predictions(shuffled)[-1].poses == pytest.approx(predictions(readings)[-1].poses)


@pytest.mark.parametrize('kind', [Imu, Command, Odometry])
def test_one_stamp_from_the_future_does_not_silence_what_follows(kind):
    """A clock that was wrong for one message must not cost an input for good."""
    readings = odometry(seconds=8.0)
    others = [other(r.stamp_ns - 1, 0.1, 0.2) for r in readings for other in (Imu, Command)]
    readings = sorted(readings + others)
    wrong = kind(START + 3600 * SECOND, *[0.0] * (len(kind._fields) - 1))
    last = predictions(readings[:60] + [wrong] + readings[60:], UNTRAINED)[-1]
    assert last.anchor_ns == readings[-1].stamp_ns
    assert last.imu_valid and last.command_valid


def test_predictions_do_not_depend_on_the_time_of_day():
    later = odometry(start_ns=START + 12345)
    assert_same(predictions(odometry()), predictions(later), shift=12345)


def test_reset_is_a_new_predictor():
    predictor = Predictor(RANDOM, PredictorConfig())
    predictions(odometry(), predictor=predictor)
    predictor.reset()
    assert not predictor.ready()
    assert_same(predictions(odometry(), predictor=predictor), predictions(odometry()))


# Inputs.

def test_repetitions_are_refused_and_change_nothing():
    readings = odometry()
    predictor = Predictor(RANDOM, PredictorConfig())
    assert predictor.add(readings[0]) and not predictor.add(readings[0])
    twice = [reading for reading in readings for _ in range(2)]
    assert_same(predictions(twice), predictions(readings))


def with_imu(readings):
    return sorted(readings + [Imu(r.stamp_ns - 1, 0.3, 0.1) for r in readings])


def test_without_imu_it_predicts_as_if_there_were_none():
    deaf = PredictorConfig(use_imu=False)
    made = predictions(with_imu(odometry()), config=deaf)
    assert_same(made, predictions(odometry()))
    assert made and not any(p.imu_valid for p in made)


def test_with_imu_it_listens():
    heard, unheard = predictions(with_imu(odometry())), predictions(odometry())
    assert heard[-1].imu_valid
    assert np.abs(heard[-1].poses - unheard[-1].poses).max() > 1e-5


def test_commands_count_up_to_the_limits_of_the_robot():
    def commanded(speed, yaw_rate):
        return sorted(odometry() + [Command(START + SECOND, speed, yaw_rate)])
    assert_same(predictions(commanded(50.0, 94.0)), predictions(commanded(0.22, 2.84)))
    assert predictions(commanded(50.0, 94.0))[-1].command_valid
    assert not predictions(odometry())[-1].command_valid


@pytest.mark.parametrize('name, value', [
    ('max_velocity', (0.0, 0.0, 1.0)), ('max_velocity', (1.0, 0.0, -1.0)),
    ('max_velocity', (1.0, 2.0)), ('max_step_back', 0.0), ('max_step_back', float('nan')),
    ('max_velocity', (float('nan'), 0.0, 1.0)), ('max_velocity', (1.0, 0.0, float('nan')))])
def test_a_wrong_value_is_named(name, value):
    with pytest.raises(ValueError, match=name) as wrong:
        PredictorConfig(**{name: value})
    assert str(list(value) if isinstance(value, tuple) else value) in str(wrong.value)
