"""The predictor: one prediction per grid step, of the past alone, in the odometry's frame."""

from dataclasses import replace
import re

from helpers.models import motion_model, small_contract
from hypothesis import given, settings, strategies as st
from lstm_predictor.baselines.adaptive_arx import AdaptiveArx
from lstm_predictor.baselines.kinematic import ConstantTurn
from lstm_predictor.common import se2
from lstm_predictor.common.readings import Command, Imu, InvalidMessage, Odometry
from lstm_predictor.common.se2 import integrate
from lstm_predictor.model.model_file import LoadedModel, open_commands
from lstm_predictor.model.window import FEATURE, FEATURES
from lstm_predictor.prediction.mixture import MixtureConfig, PredictorMixture
from lstm_predictor.prediction.predictor import (
    FALLBACK_PREDICTORS, out_of_distribution, Predictor, PredictorConfig)
from lstm_predictor.recordings.drives import drives_of, Received
from lstm_predictor.training import dataset
import numpy as np
import pytest
import torch

pytestmark = pytest.mark.usefixtures('one_thread')

SECOND = 1_000_000_000  # [ns]
START = 1_700_000_000 * SECOND
CONTRACT = small_contract(window=40, shortest=20, horizon=20)
FULL = CONTRACT.shortest / CONTRACT.rate  # of odometry that the first prediction needs [s]


def model_of(spread, linear=False):
    """Return a model with random weights; a linear one of spread 0 keeps the newest twist."""
    return LoadedModel(
        motion_model(spread=spread, horizon=CONTRACT.horizon, linear=linear), CONTRACT)


RANDOM, UNTRAINED = model_of(0.3), model_of(0.0, linear=True)
ANY_ROBOT = PredictorConfig(max_velocity=(1e300, 0.0, 1e300))  # no velocity is refused


def arc(seconds, speed=0.2, yaw_rate=0.7):
    """Return the poses (n, 3) of a constant twist at times [s] (n,)."""
    return se2.exp(np.multiply.outer(seconds, [speed, 0.0, yaw_rate]))


def odometry(rate=20.0, seconds=3.0, jitter=0.0, start_ns=START, yaw_rate=0.7):
    """Return readings of a constant twist; each is late by up to `jitter` of its period."""
    rng = np.random.default_rng(0)
    t = (np.arange(int(rate * seconds)) + jitter * rng.random(int(rate * seconds))) / rate
    return [Odometry(start_ns + round(at * SECOND), *pose, 0.2, yaw_rate)
            for at, pose in zip(t.tolist(), arc(t, yaw_rate=yaw_rate).tolist())]


def predictions(readings, model=RANDOM, config=PredictorConfig(), predictor=None):
    """Return what is predicted while readings come in."""
    predictor = predictor or Predictor(model, config)
    made = []
    for reading in readings:
        try:
            predictor.add(reading)
        except InvalidMessage:
            continue
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
    made = predictions(odometry(rate, 10.0, jitter), UNTRAINED)
    steps = (10.0 - FULL) * CONTRACT.rate
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
        assert (prediction.stamps_ns - prediction.anchor_ns == step * np.arange(1, 21)).all()


def test_a_gap_in_the_odometry_pauses_the_predictions():
    readings = [r for r in odometry(seconds=6.0) if not 2.0 < (r.stamp_ns - START) / SECOND < 3.0]
    seconds = np.array([p.anchor_ns - START for p in predictions(readings, UNTRAINED)]) / SECOND
    assert (seconds <= 2.0).any() and (seconds >= 3.0 + FULL).any()
    assert not ((seconds > 2.0) & (seconds < 3.0 + FULL)).any()


@pytest.mark.parametrize('yaw_rate', [0.7, 0.0, -2.0])
def test_untrained_it_carries_a_constant_twist_on(yaw_rate):
    alone = PredictorConfig(use_fallback_predictors=False)
    for prediction in predictions(odometry(yaw_rate=yaw_rate), UNTRAINED, alone):
        later = arc(1e-9 * (prediction.stamps_ns - START), yaw_rate=yaw_rate)
        difference = se2.between(prediction.poses, later)
        np.testing.assert_allclose(difference, 0.0, atol=1e-5)
        expected = np.broadcast_to([0.2, 0.0, yaw_rate], (20, 3))
        np.testing.assert_allclose(prediction.twists, expected, atol=1e-4)


@settings(max_examples=25)
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
    model = model_of(0.0)
    with torch.no_grad():
        model._module.head.bias[4] = -3.0
    north = [r._replace(x=0.0, y=0.2 * 1e-9 * (r.stamp_ns - START), yaw=np.pi / 2, yaw_rate=0.0)
             for r in odometry()]
    covariance = predictions(north, model)[-1].covariances[-1]
    assert covariance[1, 1] < 0.01 * covariance[0, 0]


def test_the_covariance_is_that_of_the_model():
    predictor = Predictor(RANDOM, PredictorConfig())
    east = [r._replace(x=0.2e-9 * (r.stamp_ns - START), y=0.0, yaw=0.0) for r in odometry()]
    prediction = predictions(east, predictor=predictor)[0]  # nothing has been scored yet
    rows = predictor.window.rows(np.array([prediction.anchor_ns]))
    _, factors = RANDOM.predict(rows, open_commands(1, CONTRACT.horizon),
                                RANDOM.learn(rows, 20, RANDOM.initial_state()))
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
    made = predictions(readings, predictor=Predictor(UNTRAINED, ANY_ROBOT))
    assert not made[-1].is_finite()


@pytest.mark.parametrize('name, value', [('speed', -4.5), ('yaw_rate', 125.0), ('speed', 1e300)])
def test_odometry_of_a_velocity_that_no_robot_has_is_refused_by_name(name, value):
    predictor = Predictor(UNTRAINED, PredictorConfig())
    readings = odometry()
    expected = predictions(readings[:-1], UNTRAINED)
    made = predictions(readings[:-1], predictor=predictor)
    with pytest.raises(InvalidMessage, match=re.escape(f'{name} is {value:.4g}')):
        predictor.add(readings[-1]._replace(**{name: value}))
    assert_same(made, expected)
    assert predictor.add(readings[-1])


@pytest.mark.parametrize('far, restarts', [(0.3, False), (5.0, True)])
def test_odometry_that_leaps_begins_a_new_window_and_says_so(far, restarts):
    predictor = Predictor(UNTRAINED, PredictorConfig())
    readings = odometry()
    predictions(readings[:-1], predictor=predictor)
    assert predictor.ready()
    predictor.add(readings[-1]._replace(x=readings[-2].x + far, y=readings[-2].y))
    assert predictor.ready() is not restarts
    assert ('m from the one before' in predictor.pop_restart_reason()) is restarts


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
    # Nobody is scored for the message that was late, so it is only the model's word that stays.
    alone = PredictorConfig(use_fallback_predictors=False)
    assert predictions(shuffled, config=alone)[-1].poses == pytest.approx(
        predictions(readings, config=alone)[-1].poses)


@pytest.mark.parametrize('late', [1, 2])
def test_a_late_message_does_not_make_the_newest_due_again(late):
    readings = odometry()
    readings.insert(30 + late, readings.pop(30))
    anchors = [p.anchor_ns for p in predictions(readings, UNTRAINED)]
    assert anchors == [r.stamp_ns for i, r in enumerate(odometry()) if i >= 20 and i != 30]


@pytest.mark.parametrize('kind', [Imu, Command])
def test_what_is_far_ahead_of_the_odometry_is_refused_by_name(kind):
    predictor = Predictor(UNTRAINED, PredictorConfig())
    ahead = kind(START + 1_500_000_000, 0.1, 0.2)
    assert not predictor.add(ahead)  # nobody knows yet what time it is
    predictor.add(odometry()[0])
    with pytest.raises(InvalidMessage, match='1.5 s ahead of odom'):
        predictor.add(ahead)
    assert predictor.add(kind(START + 900_000_000, 0.1, 0.2))


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


# Who is heard.

def commanded(readings, period=0.4):
    """Return readings with a command now and then, so that there is something to learn from."""
    stamps = np.arange(readings[0].stamp_ns, readings[-1].stamp_ns, round(period * SECOND))
    return sorted(readings + [Command(int(stamp) + 1, 0.2, 0.7) for stamp in stamps])


def noisy(seconds=12.0, seed=0):
    """Return odometry of a constant twist whose speed is measured badly, with commands."""
    rng = np.random.default_rng(seed)
    return commanded([r._replace(speed=0.2 + 0.02 * rng.normal()) for r in odometry(
        seconds=seconds)])


def heard(predictor, readings):
    """Return predictions and the candidates (H, 3) that each was chosen from."""
    made, judge = [], predictor.mixture.combine

    def listening(anchor_ns, anchor, candidates, *rest):
        made.append(candidates)
        return judge(anchor_ns, anchor, candidates, *rest)

    predictor.mixture.combine = listening
    return predictions(readings, predictor=predictor), made


def test_a_bad_model_hands_over_and_a_good_one_does_not():
    bad = predictions(noisy(), RANDOM)
    assert bad[0].source == 'lstm' and bad[0].reason == ''
    assert bad[-1].source in FALLBACK_PREDICTORS and 'lstm is' in bad[-1].reason
    assert {p.source for p in predictions(commanded(odometry(seconds=12.0)), UNTRAINED)} \
        == {'lstm'}


def test_without_handover_it_is_always_the_model():
    predictor = Predictor(RANDOM, PredictorConfig(use_fallback_predictors=False))
    made, candidates = heard(predictor, noisy())
    assert {p.source for p in made} == {'lstm'} == set(candidates[0])
    start = predictor.window.poses(np.array([made[-1].anchor_ns]))[0]
    np.testing.assert_allclose(
        made[-1].poses, se2.compose(start, candidates[-1]['lstm']), atol=1e-12)
    assert predictor.mixture.errors('lstm').position[0] > 0.0


def test_live_is_as_offline():
    """What the node says is what the same numbers give without it."""
    readings = noisy()
    live = Predictor(RANDOM, PredictorConfig())
    made = predictions(readings, predictor=live)
    window = Predictor(RANDOM, PredictorConfig()).window
    made_of, open_ = {p.anchor_ns: p for p in made}, open_commands(1, CONTRACT.horizon)
    turn, adapted = ConstantTurn(), AdaptiveArx(RANDOM.prior)
    mixture = PredictorMixture(('lstm', *FALLBACK_PREDICTORS), CONTRACT.horizon, SECOND // 20,
                               MixtureConfig())
    memory, new = RANDOM.initial_state(), 20
    for reading in readings:
        window.add(reading)
        if not isinstance(reading, Odometry):
            continue
        mixture.observe(reading.stamp_ns, np.array(reading[1:4]))
        if reading.stamp_ns in made_of:
            rows = window.rows(np.array([reading.stamp_ns]))
            memory, new = RANDOM.learn(rows, new, memory), 1
            poses, factors = RANDOM.predict(rows, open_, memory)
            output = mixture.combine(reading.stamp_ns, np.array(reading[1:4]), {
                'lstm': poses[0], 'constant_turn': turn.predict(rows, open_)[0],
                'arx_online': adapted.predict(rows, open_)[0]}, factors[0], True)
            expected = made_of[reading.stamp_ns]
            assert output.name == expected.source and output.reason == expected.reason
            np.testing.assert_allclose(
                se2.compose(reading[1:4], output.poses), expected.poses, atol=1e-12)
            np.testing.assert_allclose(
                np.linalg.det(output.factors) ** 2, np.linalg.det(expected.covariances))
    for name in mixture.names:
        np.testing.assert_allclose(mixture.errors(name), live.mixture.errors(name))
    assert len({p.source for p in made}) > 1


# What is learned.

def obeying(seconds=6.0, late=3, seed=0):
    """Return readings of a robot that does `late` steps later what it is told."""
    rng, count = np.random.default_rng(seed), round(2.5 * seconds)
    asked = np.repeat(rng.uniform(-1.0, 1.0, (count, 2)) * [0.2, 1.0], 8, axis=0)
    twists = np.concatenate([np.zeros((late + 1, 2)), asked])[:len(asked)]
    poses = integrate(twists[None], 0.05)[0]
    return [reading for i, (pose, twist, command) in enumerate(zip(
                poses.tolist(), twists.tolist(), asked.tolist()))
            for reading in (Odometry(START + i * SECOND // 20, *pose, *twist),
                            Command(START + i * SECOND // 20 + 1, *command))]


def remembered(readings, predictor=None):
    """Return with what memory (2, M, 4) each prediction was made, by its anchor [ns]."""
    predictor = predictor or Predictor(RANDOM, PredictorConfig())
    model = predictor.observer.model = LoadedModel(RANDOM._module, CONTRACT)
    step, kept = model.step, []

    def listening(*given):
        output = step(*given)
        kept.append(output.state[0])
        return output

    model.step = listening
    made = predictions(readings, predictor=predictor)
    return {prediction.anchor_ns: memory
            for prediction, memory in zip(made, kept, strict=True)}


def test_what_is_learned_live_is_what_training_sees():
    readings = obeying()
    live = remembered(readings)
    window = dataset.filled_window(readings, CONTRACT.window_config(0.22, 2.84))
    anchors = dataset.usable_anchors(window, CONTRACT.horizon)
    made = dataset.examples(window, anchors, CONTRACT.horizon)
    assert list(live)[:len(made)] == made.anchors_ns.tolist() and len(made) > 60
    for memory, expected in zip(live.values(), made.memory):
        np.testing.assert_allclose(memory, expected, rtol=1e-4, atol=1e-5)
    assert (made.memory[-1, :, :, 0] > 1.0).any()


@pytest.mark.parametrize('rate', [20.0, 29.97, 50.0])
@pytest.mark.parametrize('jitter', [0.0, 2.4e-6, 0.2])  # of a step: 120 ns, 10 ms
def test_windows_are_cut_where_the_node_predicts(rate, jitter):
    readings = odometry(rate, 12.0, jitter)
    readings = [r for r in readings if not 5.0 < (r.stamp_ns - START) / SECOND < 6.0]
    window = dataset.filled_window(readings, CONTRACT.window_config(0.22, 2.84))
    cut = set(dataset.usable_anchors(window, CONTRACT.horizon).tolist())
    live = {prediction.anchor_ns for prediction in predictions(readings, UNTRAINED)}
    ends = [START + 5 * SECOND, max(r.stamp_ns for r in readings)]
    reach = CONTRACT.horizon * window.config.step_ns
    assert cut == {anchor for anchor in live if not any(
        end - reach < anchor <= end for end in ends)} and len(cut) > 60


def zeroed_after_5_s(reading):
    """Return odometry whose pose was set to zero then, and went on from there."""
    pose = se2.between(arc(5.0), reading[1:4])
    return Odometry(reading.stamp_ns, *pose.tolist(), *reading[4:])


@pytest.mark.parametrize('change', [
    lambda r: r._replace(stamp_ns=r.stamp_ns - 5 * SECOND), lambda r: r._replace(x=r.x + 4.0),
    zeroed_after_5_s])
def test_a_recording_is_split_where_the_node_starts_afresh(change):
    readings = [r if i < 100 else change(r) for i, r in enumerate(odometry(seconds=10.0))]
    anew, predictor = [], Predictor(UNTRAINED, PredictorConfig())
    for i, reading in enumerate(readings):
        predictor.add(reading)
        if predictor.pop_restart_reason():
            anew.append(i)
    heard = [Received(START + i * (SECOND // 20), '/odom', r) for i, r in enumerate(readings)]
    first, _ = drives_of(heard, '/odom', 0.22)
    assert anew == [len(first.received)] == [100]


def test_reset_forgets_what_was_learned():
    predictor = Predictor(RANDOM, PredictorConfig())
    before = remembered(obeying(), predictor)
    predictor.reset()
    after = remembered(obeying(), predictor)
    assert list(after) == list(before)
    for memory, expected in zip(after.values(), before.values()):
        np.testing.assert_array_equal(memory, expected)


def test_a_prediction_that_was_missed_costs_nothing_of_what_is_learned():
    """The next one learns from all rows since the last one, and from none of them twice."""
    predictor, sparse = (Predictor(RANDOM, PredictorConfig()) for _ in range(2))
    for i, reading in enumerate(obeying()):
        for each in (predictor, sparse):
            each.add(reading)
        predictor.predict_if_due()
        if i % 12 == 0:
            sparse.predict_if_due()
    rows = predictor.observer.model_state[..., 3]
    assert (rows > 20.0).all()
    np.testing.assert_allclose(sparse.observer.model_state[..., 3], rows, rtol=0.1)


def test_odometry_that_is_absurd_is_not_learned_from():
    readings = obeying()
    at = next(i for i, r in enumerate(readings) if r.stamp_ns == START + 2 * SECOND)
    readings[at] = readings[at]._replace(x=1e300)
    kept = list(remembered(readings).values())
    assert np.isfinite(kept).all()
    assert (kept[-1][..., 3] > kept[20][..., 3]).all()  # and what came later is


@pytest.mark.parametrize('x', [0.0, 1e20, 1e300])
def test_what_can_be_published_says_when_a_command_takes_effect(x):
    """A number also where the odometry was absurd for once."""
    readings = obeying()
    at = next(i for i, r in enumerate(readings) if r.stamp_ns == START + 3 * SECOND)
    readings[at] = readings[at]._replace(x=x)
    late = [p.actuation_latency for p in predictions(readings) if p.is_finite()]
    assert len(late) > 40 and np.isfinite(late).all()
    assert min(late) >= 0.0 and max(late) < 0.5


def test_the_constants_of_the_model_file_are_taken():
    tuned = replace(CONTRACT, classical={
        'constant_turn': {'memory': [20.0, 20.0], 'from_pose': 1.0},
        'arx_online': {'trust': 1e-6, 'forget': 0.9}})
    usual = heard(Predictor(RANDOM, PredictorConfig()), noisy(4.0))[1][-1]
    model = LoadedModel(RANDOM._module, tuned)
    other = heard(Predictor(model, PredictorConfig()), noisy(4.0))[1][-1]
    np.testing.assert_array_equal(usual['lstm'], other['lstm'])
    for name in FALLBACK_PREDICTORS:
        assert np.abs(usual[name] - other[name]).max() > 1e-6


def test_outside_of_its_training_the_model_hands_over_at_once():
    narrow = LoadedModel(UNTRAINED._module, replace(CONTRACT, max_speed=0.1))
    made = predictions(odometry(), narrow)
    assert {p.source for p in made} <= set(FALLBACK_PREDICTORS)
    assert all(p.reason.endswith('speed 0.20 m/s, trained up to 0.10 m/s') for p in made)
    wide = LoadedModel(UNTRAINED._module, replace(CONTRACT, max_speed=0.15, max_yaw_rate=0.5))
    assert {p.source for p in predictions(odometry(), wide)} == {'lstm'}


@pytest.mark.parametrize('name, value, reason', [
    ('speed', -1.32, 'speed 1.32 m/s, trained up to 0.30 m/s'),
    ('command_speed', 0.5, 'command speed 0.50 m/s, trained up to 0.30 m/s'),
    ('pose_yaw_rate', -9.0, 'pose yaw rate 9.00 rad/s, trained up to 2.00 rad/s'),
    ('imu_yaw_rate', np.nan, 'imu yaw rate nan rad/s, trained up to 2.00 rad/s'),
    ('imu_acceleration', 50.0, ''), ('speed', 0.44, ''), ('yaw_rate', 2.9, '')])
@pytest.mark.parametrize('row', [0, 20, -1])
def test_it_names_what_no_training_has_seen(name, value, reason, row):
    rows = np.zeros((40, len(FEATURES)))
    rows[row, FEATURE[name]] = value
    assert out_of_distribution(rows, replace(CONTRACT, max_speed=0.3, max_yaw_rate=2.0)) == reason
    # Of a model that does not say what it was trained for:
    assert out_of_distribution(rows, CONTRACT) == ''


def test_one_absurd_reading_spoils_nobody_for_good():
    readings = commanded(odometry(seconds=10.0))
    at = next(i for i, r in enumerate(readings) if r.stamp_ns == START + 4 * SECOND)
    readings[at] = readings[at]._replace(speed=1e300)
    predictor = Predictor(UNTRAINED, ANY_ROBOT)
    made, candidates = heard(predictor, readings)
    assert not all(p.is_finite() for p in made)
    assert all(p.is_finite() for p in made[-60:])
    for name in ('lstm', *FALLBACK_PREDICTORS):
        assert not all(np.isfinite(paths[name]).all() for paths in candidates) or \
            name == 'constant_turn'
        assert np.isfinite(candidates[-1][name]).all()
        assert np.isfinite(predictor.mixture.errors(name)).all()


def test_reset_forgets_who_was_better():
    predictor = Predictor(RANDOM, PredictorConfig())
    first = predictions(noisy(), predictor=predictor)
    assert first[-1].source != 'lstm'
    predictor.reset()
    assert np.isnan(predictor.mixture.errors('lstm')).all()
    again = predictions(noisy(), predictor=predictor)
    assert [p.source for p in again] == [p.source for p in first]
    assert_same(again, first)


@pytest.mark.parametrize('name, value', [
    ('max_velocity', (0.0, 0.0, 1.0)), ('max_velocity', (1.0, 0.0, -1.0)),
    ('max_velocity', (1.0, 2.0)), ('max_backward_time_jump', 0.0),
    ('max_backward_time_jump', float('nan')),
    ('max_velocity', (float('nan'), 0.0, 1.0)), ('max_velocity', (1.0, 0.0, float('nan')))])
def test_a_wrong_value_is_named(name, value):
    with pytest.raises(ValueError, match=name) as wrong:
        PredictorConfig(**{name: value})
    assert str(list(value) if isinstance(value, tuple) else value) in str(wrong.value)
