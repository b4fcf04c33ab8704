"""What a window says of a robot: dead time, lag, gain, and what follows from commands."""

from helpers.models import flags, motion_model
from hypothesis import given, settings, strategies as st
from lstm_predictor.model.model_state import rows_between
from lstm_predictor.model.response_bank import DELAYS, kernel, LAGS, ResponseBank
from lstm_predictor.model.window import FEATURE, FEATURES
import numpy as np
import pytest
import torch

STEP, ROWS, HORIZON, NEWEST = 0.05, 80, 40, 20
COMMAND = [FEATURE['command_speed'], FEATURE['command_yaw_rate']]
TWIST = [FEATURE['pose_speed'], FEATURE['pose_yaw_rate']]
SCALE = torch.tensor([[1.0, 2.0]])  # [m/s], [rad/s]
RESPONSE = ResponseBank(STEP)

pytestmark = pytest.mark.usefixtures('one_thread', 'no_gradients')
seeds = st.integers(0, 2**31 - 1)
delays, lags = st.sampled_from(DELAYS), st.sampled_from(LAGS)
gains = st.floats(0.4, 1.3)


@pytest.fixture(scope='module')
def no_gradients():
    with torch.inference_mode():
        yield


def steps(seed, count):
    """Return commands (count, 2) [m/s], [rad/s]: to and fro, each held for some steps."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.4, 1.0, (count, 2)) * [0.9, 1.8] * rng.choice([-1.0, 1.0], 2)
    values[1::2] *= -1.0
    return np.repeat(values, rng.integers(6, 24, count), axis=0)[:count]


def moved(asked, delay, lag):
    """
    Return the mean twist (n, 2) of the step after each command (n, 2), of gain 1.

    In closed form: each change is answered by 1 - exp(-(t - delay) / lag), here integrated over
    time. The first command had been held for ever.
    """
    began = STEP * np.arange(len(asked))
    since = np.maximum(began[:, None] + STEP - began - delay, 0.0)
    answers = since - lag * (1.0 - np.exp(-since / lag))
    way = asked[0] * (began[:, None] + STEP) \
        + answers @ np.diff(asked, axis=0, prepend=asked[:1])
    return np.diff(way, axis=0, prepend=[[0.0, 0.0]]) / STEP


def robot(seed=0, delay=0.2, lag=(0.16, 0.16), gain=(0.9, 0.7), noise=0.0, asked=None,
          rows=ROWS):
    """Return a window (1, W, F), the commands (1, H, 3) and the scaled twists (H, 2) to come."""
    asked = steps(seed, rows + HORIZON - 1) if asked is None else asked
    twists = np.stack([moved(asked, delay, lag[i])[:, i] for i in range(2)], axis=1) * gain
    window = np.zeros((1, rows, len(FEATURES)))
    window[..., flags()] = 1.0
    window[0, :, COMMAND] = asked[:rows].T
    window[0, 0, TWIST] = asked[0] * gain
    window[0, 1:, TWIST] = twists[:rows - 1].T
    window[..., TWIST] += noise * np.random.default_rng(seed).normal(size=(1, rows, 2))
    commands = np.ones((1, HORIZON, 3))
    commands[0, :, :2] = asked[rows - 1:]
    return tensor(window), tensor(commands), tensor(twists[rows - 1:]) / SCALE


def tensor(values):
    return torch.tensor(values, dtype=torch.float32)


def found(window, commands, memory=None, scale=SCALE):
    memory = RESPONSE.blank(len(window)) if memory is None else memory
    return RESPONSE(window, commands, scale.expand(len(window), 2), memory)


def learned(windows, memory=None, rows=1):
    """Return the memory after windows (n, W, F) of one robot."""
    memory = RESPONSE.blank(1) if memory is None else memory
    for window in windows:
        memory = RESPONSE.learn(window[None], SCALE, torch.tensor([rows]), memory)
    return memory


def drive(count, seed=0, **options):
    """Return the windows (count, W, F) of a drive, each a row later than the one before."""
    long, _, _ = robot(seed, rows=ROWS + count - 1, **options)
    return long[0].unfold(0, ROWS, 1).transpose(1, 2)


def steady(**options):
    """Return what `robot` does, in a window through which the same command was held."""
    asked = steps(1, ROWS + HORIZON - 1)
    asked[:ROWS + 4] = [0.6, -1.0]
    return robot(asked=asked, **options)


def mirrored(window, commands):
    """Return both with left and right exchanged."""
    other, planned = window.clone(), commands.clone()
    other[..., [i for i, (name, _) in enumerate(FEATURES) if 'yaw' in name]] *= -1.0
    planned[..., 1] *= -1.0
    return other, planned


def shares(window, memory, scale=SCALE):
    """Return the share of each hypothesis (B, 2, D, L)."""
    scale = scale.expand(len(window), 2)
    past, _ = RESPONSE.replayed(window, torch.zeros(len(window), 1, 3), scale)
    share, _, _ = RESPONSE.judged(window, past, RESPONSE.moved(window, scale), memory)
    return share.unflatten(2, (len(DELAYS), len(LAGS)))


# The bank.

@given(delays, lags, st.sampled_from([0.02, 0.05, 0.1]))
def test_a_kernel_is_causal_and_sums_to_one(delay, lag, step):
    weights = kernel(delay, lag, step)
    assert float(weights.sum()) == pytest.approx(1.0, abs=1e-6) and (weights >= 0.0).all()
    late = int(delay / step + 1e-9)
    assert (weights[:late] == 0.0).all() and weights[late] > 0.0


@given(delays, lags)
def test_a_kernel_is_the_answer_to_a_step_in_closed_form(delay, lag):
    asked = np.zeros((50, 2))
    asked[5:] = 1.0
    weights = kernel(delay, lag, STEP).double().numpy()
    after = np.convolve(asked[:, 0], weights)[:50]
    np.testing.assert_allclose(after, moved(asked, delay, lag)[:, 0], atol=1e-3)


@pytest.mark.parametrize('step', [0.02, 0.05, 0.1])
def test_the_bank_has_each_pair_in_its_place(step):
    bank = ResponseBank(step)
    for i, delay in enumerate(DELAYS):
        for j, lag in enumerate(LAGS):
            column = bank.kernels[:, i * len(LAGS) + j]
            torch.testing.assert_close(column, kernel(delay, lag, step))


# A robot that is one of the hypotheses.

@settings(max_examples=25)
@given(seeds, delays, st.tuples(lags, lags), st.tuples(gains, gains))
def test_a_robot_of_the_bank_is_found_and_followed(seed, delay, lag, gain):
    """By its window alone, and all commands given its twists to come are met."""
    window, commands, later = robot(seed, delay, lag, gain)
    says = found(window, commands)
    assert float(says.delay) == pytest.approx(delay, abs=0.02)
    assert says.lag[0].tolist() == pytest.approx(lag, abs=0.06)
    assert says.gain[0].tolist() == pytest.approx(gain, abs=0.1)
    assert float((says.twists[0] - later).square().mean().sqrt()) < 0.04


@settings(max_examples=25)
@given(seeds, delays, st.sampled_from(LAGS[1:4]))
def test_it_is_found_in_noise(seed, delay, lag):
    window, commands, later = robot(seed, delay, (lag, lag), noise=0.03)
    says = found(window, commands)
    assert float(says.delay) == pytest.approx(delay, abs=0.06)
    assert float((says.twists[0] - later).square().mean().sqrt()) < 0.1


def test_the_dead_time_is_one_for_both_axes():
    """Who holds its yaw rate shows by its speed alone when it will turn."""
    asked = steps(3, ROWS + HORIZON - 1)
    asked[:ROWS, 1] = 1.2
    window, commands, later = robot(delay=0.4, lag=(0.08, 0.08), asked=asked)
    says = found(window, commands)
    assert float(says.delay) == pytest.approx(0.4, abs=0.02)
    starts = (later[:, 1] - later[0, 1]).abs() > 0.05
    expected = starts & ((later[:, 1] - says.twists[0, :, 1]).abs() > 0.3)
    assert starts.any() and not expected[:9].any()
    torch.testing.assert_close(says.twists[0, :8, 1], later[:8, 1], rtol=0.0, atol=0.03)


@settings(max_examples=10)
@given(seeds, delays)
def test_what_is_missed_is_what_was_measured_and_not_replayed(seed, delay):
    """And what is missed now is missed a little later, too, but for a while."""
    window, commands, _ = robot(seed, delay)
    pushed = window.clone()
    pushed[:, -1, TWIST] += 0.2 * SCALE[0]
    before, after = found(window, commands), found(pushed, commands)
    assert before.missed.shape == (1, ROWS, 2) and (before.missed[:, 0] == 0.0).all()
    assert float(before.missed.abs().max()) < 0.15
    assert float(after.missed[0, -1].min()) > 0.1
    gone = (after.twists - before.twists)[0]
    assert float(gone[0].min()) > 0.1 and float(gone[-1].abs().max()) < 0.15


def test_without_any_command_the_twist_stays_and_fades():
    window, commands, _ = robot()
    window[..., [i for i, (name, _) in enumerate(FEATURES) if name.startswith('command')]] = 0.0
    says = found(window, 0.0 * commands)
    last = window[0, -1, TWIST] / SCALE[0]
    time = STEP * torch.arange(1, HORIZON + 1)[:, None]
    expected = last * torch.exp(-time / RESPONSE.fading.exp())
    torch.testing.assert_close(says.twists[0], expected)
    torch.testing.assert_close(says.gain[0], RESPONSE.usual)
    assert float(says.delay) == pytest.approx(np.mean(DELAYS))
    assert not RESPONSE.evidence(window, SCALE, torch.tensor([NEWEST])).any()


# Symmetries.

@settings(max_examples=10)
@given(seeds, delays)
def test_left_and_right_are_alike(seed, delay):
    window, commands, _ = robot(seed, delay, noise=0.05)
    other, planned = mirrored(window, commands)
    memory = learned(drive(5, seed, delay=delay))
    here, there = found(window, commands, memory), found(other, planned, memory)
    for name in ('delay', 'lag', 'gain', 'left'):
        assert torch.equal(getattr(here, name), getattr(there, name))
    assert torch.equal(here.twists, there.twists * torch.tensor([1.0, -1.0]))
    assert torch.equal(*(RESPONSE.evidence(each, SCALE, torch.tensor([NEWEST]))
                         for each in (window, other)))


@settings(max_examples=20)
@given(seeds, delays, st.floats(0.3, 30.0))
def test_a_faster_robot_is_the_same_in_its_own_units(seed, delay, factor):
    model = motion_model()
    window, commands, _ = robot(seed, delay, noise=0.05)
    faster, planned = window.clone(), commands.clone()
    faster[..., [*TWIST, *COMMAND]] *= factor
    planned[..., :2] *= factor
    one, other = found(window, commands), found(faster, planned, scale=factor * SCALE)
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=2e-3)
    rows = torch.tensor([NEWEST])
    memory, grown = (model.learn(each, rows, model.blank(1)) for each in (window, faster))
    torch.testing.assert_close(grown, memory, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(
        model.timing(faster, memory), model.timing(window, memory), rtol=1e-3, atol=2e-3)


# Time.

@settings(max_examples=20)
@given(seeds, delays, st.integers(0, HORIZON - 12))
def test_a_command_acts_after_its_dead_time_and_not_before(seed, delay, step):
    window, commands, _ = robot(seed, delay)
    other = commands.clone()
    other[:, step:, :2] = torch.tensor([1.0, -2.0]) * commands[:, step:step + 1, :2].sign().neg()
    before, after = found(window, commands).twists, found(window, other).twists
    assert torch.equal(after[:, :step], before[:, :step])
    late = step + round(delay / STEP)
    torch.testing.assert_close(after[:, :late], before[:, :late], rtol=0.0, atol=0.02)
    assert float((after - before)[:, late + 1].abs().min()) > 0.02


@settings(max_examples=10)
@given(seeds, delays, st.integers(0, HORIZON))
def test_open_commands_are_the_last_one_held(seed, delay, step):
    window, commands, _ = robot(seed, delay)
    open_, kept = commands.clone(), commands.clone()
    open_[:, step:] = torch.tensor([9.0, 9.0, 0.0])
    kept[:, step:, :2] = commands[:, step - 1:step, :2] if step else window[:, -1:, COMMAND]
    assert torch.equal(found(window, open_).twists, found(window, kept).twists)


@settings(max_examples=20)
@given(seeds, delays, st.integers(1, ROWS - NEWEST - 1))
def test_rows_from_before_the_odometry_say_nothing(seed, delay, missing):
    """It is as if the window were so much shorter."""
    window, commands, _ = robot(seed, delay, noise=0.05)
    memory = learned(drive(5, seed, delay=delay))
    late, short = window.clone(), window[:, missing:]
    late[:, :missing] = 0.0
    one, other = found(late, commands, memory), found(short, commands, memory)
    for name in ('twists', 'delay', 'lag', 'gain', 'left'):
        torch.testing.assert_close(getattr(one, name), getattr(other, name))
    torch.testing.assert_close(one.missed[:, missing + 1:], other.missed[:, 1:])
    assert not one.missed[:, :missing].any()
    rows = torch.tensor([NEWEST])
    torch.testing.assert_close(
        RESPONSE.evidence(late, SCALE, rows), RESPONSE.evidence(short, SCALE, rows))


@settings(max_examples=10)
@given(seeds, st.integers(1, NEWEST))
def test_rows_that_have_no_past_are_not_learned_from(seed, there):
    """The first row there is tells a twist, and not of which command."""
    window, _, _ = robot(seed)
    window[:, :-there] = 0.0
    added = RESPONSE.evidence(window, SCALE, torch.tensor([NEWEST]))
    assert bool((added[..., 3] > 0.0).all()) == (there > 1)
    same = RESPONSE.evidence(window, SCALE, torch.tensor([max(there - 1, 0)]))
    torch.testing.assert_close(added, same)


def test_rows_between_are_those_that_are_new():
    stamps = np.cumsum([7, 50, 74, 76, 10, 999, 1001, 5000, 50]) * 1_000_000
    assert rows_between(stamps, 50_000_000).tolist() == [20, 1, 1, 2, 1, 20, 20, 20, 1]
    assert rows_between(stamps[:1], 50_000_000).tolist() == [20]
    assert rows_between(stamps, 500_000_000).tolist() == [20, 1, 1, 1, 1, 2, 2, 10, 1]


# What is remembered.

@settings(max_examples=10)
@given(seeds, st.integers(1, NEWEST))
def test_rows_learned_one_by_one_are_those_learned_at_once(seed, rows):
    """But for the fading: each row makes those before it count less by its weight."""
    windows = drive(rows, seed, noise=0.05)
    one_by_one = RESPONSE.evidence(
        windows, SCALE.expand(rows, 2), torch.ones(rows, dtype=torch.int64))
    at_once = RESPONSE.evidence(windows[-1:], SCALE, torch.tensor([rows]))
    torch.testing.assert_close(one_by_one.sum(dim=0), at_once[0], rtol=1e-4, atol=1e-4)
    stays = 1.0 - one_by_one[..., 3:] / RESPONSE.keeps
    after = torch.cat([stays, torch.ones_like(stays[:1])]).flip(0).cumprod(dim=0).flip(0)[1:]
    torch.testing.assert_close(
        learned(windows)[0], (one_by_one * after).sum(dim=0), rtol=1e-4, atol=1e-4)


@settings(max_examples=5)
@given(seeds, delays.filter(lambda delay: abs(delay - np.mean(DELAYS)) > 0.06))
def test_a_memory_tells_what_a_steady_window_does_not(seed, delay):
    options = {'delay': delay, 'lag': (0.3, 0.08), 'gain': (0.8, 1.1)}
    memory = learned(drive(60, seed, **options))
    window, commands, later = steady(**options)
    without, with_ = found(window, commands), found(window, commands, memory)
    assert abs(float(without.delay) - delay) > 0.04
    assert float(with_.delay) == pytest.approx(delay, abs=0.01)
    assert with_.lag[0].tolist() == pytest.approx(options['lag'], abs=0.05)
    blind, knowing = ((says.twists[0] - later).square().mean().sqrt()
                      for says in (without, with_))
    assert knowing < 0.5 * blind


def test_a_steady_drive_does_not_make_forget():
    """What came before fades by what tells the hypotheses apart alone."""
    memory = learned(drive(40))
    still = steady(delay=0.2)[0].expand(100, -1, -1)
    for windows, least, most in ((still, 0.98, 1.0), (drive(100, 1), 0.5, 0.9)):
        kept = (learned(windows, memory) - learned(windows))[..., 3] / memory[..., 3]
        assert (kept > least).all() and (kept < most).all()


def test_a_robot_that_has_become_another_one_is_learned_anew():
    old, new = ({'delay': delay, 'lag': (lag, lag)} for delay, lag in ((0.1, 0.08), (0.4, 0.3)))
    window, commands, _ = steady(**new)
    memory = learned(drive(300, **old))
    assert float(found(window, commands, memory).delay) == pytest.approx(0.1, abs=0.02)
    memory = learned(drive(1200, 1, **new), memory)
    assert float(found(window, commands, memory).delay) == pytest.approx(0.4, abs=0.02)


def test_a_memory_counts_for_no_more_than_some_rows_however_long_it_is():
    memory = learned(drive(60, delay=0.1))
    window, commands, _ = robot(5, delay=0.4)
    long, longer = (shares(window, size * memory) for size in (1e4, 1e6))
    torch.testing.assert_close(long, longer, rtol=0.05, atol=1e-3)
    count = RESPONSE._trusted(1e6 * memory) * 1e6 * memory[..., 3:]
    torch.testing.assert_close(
        count, RESPONSE.trusts.exp().expand_as(count), rtol=1e-2, atol=0.0)


# Any numbers.

@settings(max_examples=30)
@given(seeds, st.sampled_from([0.0, 1e-30, 1e-6, 1.0, 1e6, 1e15, 1e30]))
def test_shares_are_shares_whatever_the_window(seed, size):
    """And what is learned from it is finite, as often as it may be learned."""
    model, rng = motion_model(), np.random.default_rng(seed)
    window = tensor(size * rng.normal(size=(3, ROWS, len(FEATURES))))
    window[..., flags()] = tensor(rng.random((3, ROWS, 3)) < 0.9)
    window[0, :rng.integers(ROWS)] = 0.0
    scale = model.scale(window, torch.zeros(3, 1, 3))
    memory = model.blank(3)
    for rows in (NEWEST, 1, 0):
        memory = model.learn(window, torch.full((3,), rows), memory)
        assert torch.isfinite(memory).all()
        share = shares(window, memory, scale)
        assert (share >= 0.0).all()
        torch.testing.assert_close(share.sum(dim=(2, 3)), torch.ones(3, 2))
        torch.testing.assert_close(share[:, 0].sum(dim=2), share[:, 1].sum(dim=2))
        says = model.timing(window, memory)
        assert (says[:, 0] <= max(DELAYS) + 1e-5).all() and (says >= 0.0).all()
        assert (says[:, 1:] <= max(LAGS) + 1e-5).all()


def test_a_blank_memory_is_of_nothing():
    blank = RESPONSE.blank(3)
    assert blank.shape == (3, 2, len(DELAYS) * len(LAGS), 4) and not blank.any()
    assert torch.equal(RESPONSE.remember(blank[:1], blank[:1]), blank[:1])
    window, commands, _ = robot()
    share = shares(0.0 * window, RESPONSE.blank(1))
    torch.testing.assert_close(share, torch.full_like(share, 1.0 / blank.shape[2]))
