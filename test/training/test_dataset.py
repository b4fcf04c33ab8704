"""An example is what the robot would see, and what came later."""

from dataclasses import replace

from lstm_predictor.common.readings import Odometry
from lstm_predictor.model.response_bank import ResponseBank
from lstm_predictor.model.window import FEATURES, scales, Window, WindowConfig
from lstm_predictor.training import dataset
import numpy as np
import pytest
import torch

HORIZON = 10
CONFIG = WindowConfig(length=20, shortest=10)
COMMAND = [i for i, (name, _) in enumerate(FEATURES) if name.startswith('command')]


@pytest.fixture(scope='module')
def examples(tracks):
    return dataset.join([dataset.examples_of(track, CONFIG, HORIZON, number=i)
                         for i, track in enumerate(tracks)])


def test_a_future_is_the_odometry_that_came_later():
    """Of a robot whose odometry falls on the grid, so that nothing is interpolated."""
    step = CONFIG.step_ns
    odometry = [Odometry(1 + i * step, *np.random.default_rng(i).normal(size=5))
                for i in range(60)]
    window = dataset.filled_window(odometry, CONFIG)
    anchors = dataset.usable_anchors(window, HORIZON)
    made = dataset.examples(window, anchors, HORIZON)
    assert len(made) == 60 - CONFIG.shortest - HORIZON
    for anchor, future in zip(made.anchors_ns, made.futures):
        now = (anchor - 1) // step
        x, y, yaw = odometry[now][1:4]
        for later, pose in zip(odometry[now + 1:now + 1 + HORIZON], future):
            ahead = np.exp(-1j * yaw) * complex(later.x - x, later.y - y)
            assert pose[:2] == pytest.approx([ahead.real, ahead.imag], abs=1e-5)
            assert np.exp(1j * pose[2]) == pytest.approx(np.exp(1j * (later.yaw - yaw)), abs=1e-5)


def test_an_example_is_what_the_robot_would_see(tracks, examples):
    """The windows of a whole track are those of a robot that hears it bit by bit."""
    track = tracks[0]
    live, rows = Window(dataset.window_of(track, CONFIG).config), {}
    readings = sorted(track.readings, key=lambda r: (r.stamp_ns, isinstance(r, Odometry)))
    for reading in readings:
        live.add(reading)
        if isinstance(reading, Odometry) and live.has_coverage(np.array([reading.stamp_ns]))[0]:
            rows[reading.stamp_ns] = live.rows(np.array([reading.stamp_ns]))[0]
    mine = examples[examples.tracks == 0]
    assert len(mine) > 50
    for anchor, window in zip(mine.anchors_ns.tolist(), mine.windows):
        np.testing.assert_allclose(window, rows[anchor], atol=1e-6)


@torch.inference_mode()
def test_a_memory_is_of_all_windows_up_to_its_own(examples):
    """Row by row as they came, each track from nothing."""
    response = ResponseBank(1.0 / CONFIG.rate)
    for number in range(3):
        mine, memory = examples[examples.tracks == number], response.blank(1)
        stamps = [None, *mine.anchors_ns.tolist()]
        for i, (before, now) in enumerate(zip(stamps, stamps[1:])):
            new = 20 if before is None else round((now - before) / CONFIG.step_ns)
            window = torch.from_numpy(mine.windows[i:i + 1])
            scale = torch.from_numpy(scales(mine.windows[i:i + 1].astype(float))).float()
            memory = response.learn(window, scale, torch.tensor([min(max(new, 1), 20)]), memory)
            np.testing.assert_allclose(
                mine.memory[i:i + 1], memory.numpy(), rtol=1e-4, atol=1e-5)
        assert (memory[..., 3] > 0.0).all()


def test_examples_that_are_made_in_parts_are_the_same(tracks, examples, monkeypatch):
    """So many at once as fit into memory; what was learned goes on from part to part."""
    monkeypatch.setattr(dataset, '_CHUNK', 17)
    parted = dataset.examples_of(tracks[0], CONFIG, HORIZON)
    whole = examples[examples.tracks == 0]
    assert parted.sha256() == whole.sha256() and len(whole) > 2 * 17
    np.testing.assert_allclose(parted.memory, whole.memory, rtol=1e-4, atol=1e-5)


def test_commands_are_clamped_to_what_the_robot_can(tracks):
    slow = replace(tracks[0], max_speed=0.01, max_yaw_rate=0.02)
    made = dataset.examples_of(slow, CONFIG, HORIZON)
    assert np.abs(made.commands[..., 0]).max() == pytest.approx(0.01)
    assert np.abs(made.windows[..., COMMAND[1]]).max() == pytest.approx(0.02)


def test_known_commands_are_those_in_force_from_each_step_on(tracks):
    window = dataset.window_of(tracks[0], CONFIG)
    anchors = dataset.usable_anchors(window, HORIZON)
    known = dataset.examples(window, anchors, HORIZON).commands
    now = window.rows(anchors)[:, -1][:, [COMMAND[0], COMMAND[1], COMMAND[3]]]
    np.testing.assert_allclose(known[:, 0], now, rtol=1e-6)
    last = window.commands_at(anchors + (HORIZON - 1) * CONFIG.step_ns)[:, [0, 1, 3]]
    np.testing.assert_allclose(known[:, -1], last, rtol=1e-6)


def test_anchors_keep_their_distance(tracks):
    window = dataset.window_of(tracks[0], CONFIG)
    near, far = (dataset.usable_anchors(window, HORIZON, stride) for stride in (1.0, 4.0))
    assert len(near) == pytest.approx(4 * len(far), abs=6) and set(far) <= set(near)


@pytest.mark.parametrize('jitter', [0, 120, 2_000_000, 10_000_000])  # [ns]
@pytest.mark.parametrize('stride', [1, 4])
def test_jitter_of_the_stamps_costs_no_anchor(jitter, stride):
    """And regular stamps are all taken, every fourth of them for a stride of four steps."""
    step, random = CONFIG.step_ns, np.random.default_rng(0)
    stamps = [1 + 10 * step + i * step + int(random.integers(-jitter // 2, jitter // 2 + 1))
              for i in range(400)]
    window = dataset.filled_window(
        [Odometry(stamp, 0.0, 0.0, 0.0, 0.0, 0.0) for stamp in stamps], CONFIG)
    anchors = dataset.usable_anchors(window, HORIZON, float(stride))
    right = (400 - CONFIG.shortest - HORIZON) // stride
    assert len(anchors) == pytest.approx(right, abs=2 if jitter else 1)
    assert np.diff(anchors) == pytest.approx(stride * step, abs=max(jitter, 1))
    if not jitter:
        assert anchors.tolist() == stamps[CONFIG.shortest:400 - HORIZON:stride]


def test_a_future_never_reaches_across_a_gap(tracks):
    odometry = [r for r in tracks[0].readings if isinstance(r, Odometry)]
    begin, end = odometry[0].stamp_ns + 3_000_000_000, odometry[0].stamp_ns + 4_000_000_000
    broken = [r for r in odometry if not begin < r.stamp_ns < end]
    window = dataset.filled_window(broken, CONFIG)
    anchors = dataset.usable_anchors(window, HORIZON)
    reach, back = HORIZON * CONFIG.step_ns, CONFIG.shortest * CONFIG.step_ns
    assert ((anchors + reach <= begin) | (anchors - back >= end)).all()
    assert (anchors < begin).any() and (anchors > end).any()


def test_a_track_without_odometry_gives_no_examples():
    window = dataset.filled_window([], CONFIG)
    made = dataset.examples(window, dataset.usable_anchors(window, HORIZON), HORIZON)
    assert len(made) == 0
    assert made.windows.shape[1:] == (CONFIG.length, len(FEATURES))
    assert made.memory.shape == (0, *ResponseBank().blank(1).shape[1:])


def test_examples_are_joined_in_order(examples):
    assert (np.diff(examples.tracks) >= 0).all() and set(examples.tracks) == {0, 1, 2}
    parts = [examples[examples.tracks == number] for number in range(3)]
    assert dataset.join(parts).sha256() == examples.sha256()
    assert dataset.join(parts[::-1]).sha256() != examples.sha256()


def test_chunks_are_the_whole(examples):
    assert dataset.join(list(examples.chunks())).sha256() == examples.sha256()


@pytest.mark.parametrize('name', ['windows', 'commands', 'futures'])
def test_the_hash_of_examples_knows_every_number(examples, name):
    changed = replace(examples, **{name: getattr(examples, name).copy()})
    assert changed.sha256() == examples.sha256()
    getattr(changed, name)[-1, -1, 1] += 1e-6
    assert changed.sha256() != examples.sha256()
