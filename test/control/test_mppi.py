"""Of many sequences of commands the planner keeps what is cheap, within bounds, repeatably."""

from dataclasses import replace
import math

from helpers.models import golden_inputs, motion_model, small_contract
from helpers.paths import circle, plan_of
from helpers.pursuit import Run
from hypothesis import given, settings, strategies as st
from lstm_predictor.common import se2
from lstm_predictor.control.mppi import kinematic, Mppi, MppiConfig, MppiLaw, targets
from lstm_predictor.model.model_file import LoadedModel
from lstm_predictor.prediction.rollout import learned
import numpy as np
import pytest
import torch

CONFIG = MppiConfig(batch_size=64, time_steps=20)
MOST, LEAST = (0.22, 2.84), (-0.05, -2.84)
STANDING = np.zeros(2)
LINE = plan_of([[0, 0], [2, 0]])
ROLLOUT = kinematic(CONFIG.model_dt)

pytestmark = pytest.mark.usefixtures('one_thread')
seeds = st.integers(0, 2**31 - 1)


def planner(most=MOST, least=LEAST, **changes):
    return Mppi(replace(CONFIG, **changes), most, least)


def arc(speed=0.2, yaw_rate=0.0, steps=CONFIG.time_steps):
    """Return the places due on an arc, from the robot on."""
    seconds = CONFIG.model_dt * np.arange(1, steps + 1)
    return se2.exp(np.multiply.outer(seconds, [speed, 0.0, yaw_rate]))


def planned(mppi, due, cycles=10, rollout=ROLLOUT):
    """Return the plan after some cycles with the same targets."""
    for _ in range(cycles):
        mppi.plan(due, STANDING, rollout)
    return mppi.planned


# The same again, and never out of bounds.

def test_the_same_seed_makes_the_same_plans():
    one, other, third = planner(seed=3), planner(seed=3), planner(seed=4)
    for yaw_rate in (0.5, -0.3, 1.0):
        plans = [mppi.plan(arc(0.2, yaw_rate), STANDING, ROLLOUT) for mppi in (one, other, third)]
        np.testing.assert_array_equal(plans[0], plans[1])
        assert abs(plans[0] - plans[2]).max() > 1e-3
        for mppi in (one, other, third):
            mppi.advance(1.0)


def test_reset_starts_anew():
    mppi = planner()
    first = mppi.plan(arc(), STANDING, ROLLOUT).copy()
    mppi.plan(arc(0.1, 1.0), np.ones(2), ROLLOUT)
    mppi.reset()
    assert not mppi.planned.any()
    np.testing.assert_array_equal(mppi.plan(arc(), STANDING, ROLLOUT), first)


@settings(max_examples=50)
@given(seeds, st.floats(-3.0, 12.0))
def test_no_command_is_out_of_bounds(seed, exponent):
    """Wherever the targets are, and whatever was asked last."""
    rng = np.random.default_rng(seed)
    most, least = rng.uniform(0.0, 2.0, 2), rng.uniform(-2.0, 0.0, 2)
    mppi = planner(tuple(most), tuple(least), seed=seed % 1000)
    for _ in range(3):
        due = 10.0 ** exponent * rng.normal(size=(CONFIG.time_steps, 3))
        commands = mppi.plan(due, rng.normal(0.0, 5.0, 2), ROLLOUT)
        assert commands.shape == (CONFIG.time_steps, 2)
        assert (commands <= most + 1e-12).all() and (commands >= least - 1e-12).all()
        mppi.advance(rng.uniform(0.0, 3.0))


# What it plans.

@pytest.mark.parametrize('speed, yaw_rate', [(0.2, 0.0), (0.15, 0.8), (0.2, -1.0), (0.05, 1.5)])
def test_it_finds_the_commands_that_lead_along_the_targets(speed, yaw_rate):
    commands = planned(planner(smooth_weight=0.001), arc(speed, yaw_rate), 40)
    poses, _ = ROLLOUT(commands[None])
    assert np.hypot(*(poses[0] - arc(speed, yaw_rate)).T[:2]).max() < 0.01
    assert abs(se2.wrap(poses[0, :, 2] - arc(speed, yaw_rate)[:, 2])).max() < 0.2


@pytest.mark.parametrize('yaw_rate', [0.5, 1.5])
def test_left_and_right_are_alike(yaw_rate):
    """As far as the draws are."""
    left, right = (planned(planner(batch_size=512), arc(0.2, side * yaw_rate), 20)
                   for side in (1.0, -1.0))
    np.testing.assert_allclose(left.mean(axis=0), right.mean(axis=0) * [1, -1], rtol=0.1)
    assert left[:, 1].mean() == pytest.approx(yaw_rate, rel=0.3)


def test_of_sequences_that_are_otherwise_equal_it_prefers_the_sure_one():
    """Here the model is the less sure the faster the robot, and knows nothing else."""
    def rollout(commands):
        return np.zeros((*commands.shape[:2], 3)), np.abs(commands[..., 0])

    speeds = [planned(planner(smooth_weight=0.0, uncertainty_weight=weight, most=(0.22, 2.84),
                              least=(0.0, -2.84)), np.zeros((20, 3)), 3, rollout)[:, 0].mean()
              for weight in (0.0, 0.1)]
    assert 0.0 < speeds[1] < 0.6 * speeds[0]


def test_a_smooth_plan_costs_less():
    def jump(weight):
        commands = planned(planner(smooth_weight=weight), arc(0.2, 1.0))
        return np.abs(np.diff(commands, axis=0, prepend=[STANDING])).sum(axis=0)

    assert (jump(10.0) < 0.7 * jump(0.0)).all()


def test_the_plan_moves_on_with_time():
    mppi = planner()
    before = planned(mppi, arc(0.2, 1.0)).copy()
    mppi.advance(0.0)
    np.testing.assert_array_equal(mppi.planned, before)
    mppi.advance(3.0)
    np.testing.assert_allclose(mppi.planned, before[[*range(3, 20), 19, 19, 19]])
    mppi.planned = before.copy()
    mppi.advance(0.5)
    np.testing.assert_allclose(mppi.planned[:-1], 0.5 * (before[:-1] + before[1:]))
    mppi.advance(1e6)
    np.testing.assert_allclose(mppi.planned, np.broadcast_to(before[-1], before.shape))


# Models that fail.

@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('what', ['pose', 'spread'])
def test_where_no_sequence_can_be_rolled_out_it_stands_and_starts_anew(value, what):
    def broken(commands):
        poses, spread = ROLLOUT(commands)
        (poses if what == 'pose' else spread)[..., -1] = value
        return poses, spread

    mppi = planner()
    fresh = mppi.plan(arc(), STANDING, ROLLOUT).copy()
    planned(mppi, arc(0.2, 1.0))
    with np.errstate(all='ignore'):
        assert not mppi.plan(arc(), STANDING, broken).any()
    np.testing.assert_array_equal(mppi.plan(arc(), STANDING, ROLLOUT), fresh)


@pytest.mark.parametrize('value', [math.nan, math.inf, 1e300])
def test_what_cannot_be_rolled_out_has_no_say(value):
    """The targets are on the left, but every way to the left has no end that is a number."""
    def broken(commands):
        poses, spread = ROLLOUT(commands)
        poses[poses[:, -1, 2] > 0.0, -1] = value
        return poses, spread

    mppi = planner()
    with np.errstate(all='ignore'):
        for _ in range(5):
            commands = mppi.plan(arc(0.2, 1.0), STANDING, broken)
            assert np.isfinite(commands).all()
            assert commands[:, 1].mean() <= 1e-12
    assert commands[:, 0].mean() > 0.02


def test_targets_that_are_not_finite_do_not_stay():
    mppi = planner()
    due = arc()
    due[4, 1] = math.nan
    assert not mppi.plan(due, STANDING, ROLLOUT).any()
    assert np.isfinite(mppi.plan(arc(), STANDING, ROLLOUT)).all()


# As a law of the pursuit.

@pytest.mark.parametrize('plan, start', [
    (LINE, (0.0, 0.05, 0.0)), (circle(0.5, 0.6), (0.0, 0.0, 0.0)),
    (circle(0.4, 0.6, -1.0), (0.0, 0.02, 0.0))], ids=['line', 'left circle', 'right circle'])
def test_it_steers_along_the_plan_to_its_goal(plan, start):
    law = MppiLaw(planner(time_steps=30))
    run = Run(plan, start, law=law)
    run.assert_there()
    assert run.across[40:].max() < 0.01
    assert (run.commands <= MOST).all() and (run.commands >= LEAST).all()
    assert run.commands[20:-60, 0].mean() == pytest.approx(0.2, rel=0.1)


def test_a_law_that_is_reset_does_as_before():
    law = MppiLaw(planner())
    pose = np.array([0.1, 0.05, 0.2])
    first = [law(LINE, 0.1, pose, 0.2) for _ in range(5)]
    law.reset()
    assert [law(LINE, 0.1, pose, 0.2) for _ in range(5)] == first
    assert len(set(first)) == 5


def test_between_two_plans_the_older_one_is_carried_on():
    mppi = planner()
    law = MppiLaw(mppi, every=3, steps=2.0)
    first = law(LINE, 0.1, np.array([0.1, 0.05, 0.2]), 0.2)
    plan = mppi.planned.copy()
    assert first == tuple(plan[0])
    for index in (2, 4):
        assert law(LINE, 0.1, np.array([9.0, 9.0, 2.0]), 0.1) == pytest.approx(tuple(plan[index]))
    assert law(LINE, 0.1, np.zeros(3), 0.2) != pytest.approx(tuple(plan[6]))


def test_the_targets_are_where_the_plan_is_due_as_the_robot_sees_it():
    pose = np.array([0.5, 0.1, 0.4])
    due = se2.compose(pose, targets(LINE, 0.5, pose, 0.2, 20, 0.05))
    expected = [[0.5 + 0.01 * k, 0.0, 0.0] for k in range(1, 21)]
    np.testing.assert_allclose(due, expected, atol=1e-12)


def test_no_target_is_past_the_goal():
    due = targets(LINE, 1.95, np.array([1.95, 0.0, 0.0]), 0.2, 20, 0.05)
    assert due[:, 0].max() == pytest.approx(0.05) and (due[6:, 0] == due[6, 0]).all()


# What rolls out.

@given(st.floats(-1.0, 1.0), st.floats(-3.0, 3.0))
def test_the_kinematic_rollout_is_an_arc_and_sure(speed, yaw_rate):
    commands = np.broadcast_to([speed, yaw_rate], (2, 20, 2))
    poses, spread = ROLLOUT(commands)
    for one in poses:
        np.testing.assert_allclose(se2.between(one, arc(speed, yaw_rate)), 0.0, atol=1e-9)
    assert spread.shape == (2, 20) and not spread.any()


def test_what_is_tried_out_comes_after_what_was_sent():
    contract = small_contract()
    model = LoadedModel(torch.jit.script(motion_model(prior_spread=0.1)), contract)
    window, memory = golden_inputs(contract, 1)[0], model.initial_state()
    commands = np.random.default_rng(2).normal(0.0, [0.2, 1.0], (3, 20, 2))
    sent = np.array([[0.2, 0.3], [0.1, -1.0]])
    whole = np.concatenate([np.broadcast_to(sent, (3, 2, 2)), commands[:, :18]], axis=1)
    for late, plain in zip(learned(model, window, memory, sent)(commands),
                           learned(model, window, memory)(whole)):
        np.testing.assert_array_equal(late, plain)


def test_another_plan_is_planned_for_at_once():
    law, other = MppiLaw(planner(), every=4), plan_of([[0, 0], [0, 2]])
    law(LINE, 0.1, np.array([0.1, 0.0, 0.0]), 0.2)
    before = law.mppi.planned.copy()
    law(other, 0.1, np.array([0.1, 0.0, 0.0]), 0.2)
    law.mppi.advance(-law.steps)
    assert abs(law.mppi.planned - before).max() > 0.01


@pytest.mark.parametrize('steps', [20, 40])
@pytest.mark.parametrize('blank', [False, True])
def test_the_learned_rollout_is_the_model_asked_one_by_one(steps, blank):
    contract = small_contract()
    model = LoadedModel(torch.jit.script(motion_model(prior_spread=0.1)), contract)
    window = golden_inputs(contract, 1)[0]
    memory = model.initial_state()
    if not blank:
        memory = model.learn(golden_inputs(contract, 2)[0][1:], 40, memory)
    commands = np.random.default_rng(1).normal(0.0, [0.2, 1.0], (5, steps, 2))
    poses, spread = learned(model, window, memory)(commands)
    assert poses.shape == (5, steps, 3) and spread.shape == (5, steps)
    for i in range(5):
        given_ = np.zeros((1, contract.horizon, 3))
        given_[0, :steps] = np.column_stack([commands[i], np.ones(steps)])
        path, factors = model.predict(window, given_, memory)
        covariance = factors[0] @ factors[0].swapaxes(1, 2)
        np.testing.assert_allclose(poses[i], path[0, :steps], atol=1e-4)
        np.testing.assert_allclose(spread[i] ** 2, (
            covariance[:, 0, 0] + covariance[:, 1, 1])[:steps], rtol=1e-3)
    assert abs(poses[0] - poses[1]).max() > 0.01 and spread.min() > 0.0


# What it is told.

@pytest.mark.parametrize('name, values', [
    *((name, (0, -1, math.nan, math.inf)) for name in (
        'batch_size', 'time_steps', 'model_dt', 'knots', 'vx_std', 'wz_std', 'temperature')),
    ('knots', (1, 31)),
    *((f'{name}_weight', (-0.1, math.nan, math.inf)) for name in (
        'path', 'heading', 'smooth', 'uncertainty')),
    ('seed', (-1,))])
def test_a_bad_value_is_refused_by_its_name(name, values):
    for value in values:
        with pytest.raises(ValueError, match=f'{name} must .*{value}'):
            MppiConfig(**{name: value})
