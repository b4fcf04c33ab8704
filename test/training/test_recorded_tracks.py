"""Recordings are found where they lie, and a variant of one is a robot like it."""

from dataclasses import replace
from pathlib import Path

from helpers.bags import message, recorded
from hypothesis import given, settings, strategies as st
from lstm_predictor.common.readings import Command, Imu, Odometry
from lstm_predictor.model.window import FEATURE, WindowConfig
from lstm_predictor.recordings.rosbag_io import BagError
from lstm_predictor.training import dataset, recorded_tracks
from lstm_predictor.training.track import Track
import numpy as np
import pytest

seeds = st.integers(0, 2**31 - 1)
LIMITS = np.array([0.3, 2.0])
HORIZON = 20


@pytest.fixture(scope='module')
def track(tracks):
    return replace(tracks[0], max_speed=LIMITS[0], max_yaw_rate=LIMITS[1])


def of(kind, track):
    return np.array([reading for reading in track.readings if isinstance(reading, kind)])


def changes(track, varied):
    """Return by what the duration is multiplied, the delay [s] and the gains."""
    before, after = of(Odometry, track), of(Odometry, varied)
    pace = (after[-1, 0] - after[0, 0]) / (before[-1, 0] - before[0, 0])
    asked, heard = of(Command, track), of(Command, varied)
    delay = np.median(asked[:, 0] * pace - heard[:, 0]) * 1e-9
    gains = [np.median(h / a) * pace for a, h in (
        (np.clip(asked[:, i], -limit, limit)[mask], heard[:, i][mask])
        for i, limit in ((1, LIMITS[0]), (2, LIMITS[1]))
        for mask in [asked[:, i] != 0.0])]
    return pace, delay, np.array(gains)


@settings(max_examples=20)
@given(seed=seeds)
def test_a_variant_takes_longer_and_is_as_much_slower(track, seed):
    """The path stays; speeds are those of the new pace, accelerations of its square."""
    varied = recorded_tracks.variant(track, np.random.default_rng(seed))
    pace, _, _ = changes(track, varied)
    assert np.exp(-0.31) < pace < np.exp(0.31)
    for kind, powers in ((Odometry, [0, 0, 0, 1, 1]), (Imu, [1, 2])):
        before, after = of(kind, track), of(kind, varied)
        np.testing.assert_allclose(after[:, 0], before[:, 0] * pace, rtol=0.0, atol=2000.0)
        np.testing.assert_allclose(
            after[:, 1:] * pace ** np.array(powers, float), before[:, 1:], rtol=1e-6, atol=1e-9)


@settings(max_examples=20)
@given(seed=seeds)
def test_the_commands_of_a_variant_come_sooner_and_mean_something_else(track, seed):
    varied = recorded_tracks.variant(track, np.random.default_rng(seed))
    pace, delay, gains = changes(track, varied)
    assert -1e-3 < delay < 0.25 + 1e-3 and (np.abs(np.log(gains)) < 0.71).all()
    asked, heard = of(Command, track), of(Command, varied)
    np.testing.assert_allclose(
        heard[:, 1:] * pace, np.clip(asked[:, 1:], -LIMITS, LIMITS) * gains, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(heard[:, 0] * 1e-9, asked[:, 0] * 1e-9 * pace - delay, atol=1e-4)
    most = np.abs(heard[:, 1:]).max(axis=0)
    assert (most <= np.array([varied.max_speed, varied.max_yaw_rate]) * (1.0 + 1e-9)).all()


def test_the_speeds_of_a_variant_are_the_slopes_of_its_poses(track):
    """As those of the recording are."""
    for each in (track, recorded_tracks.variant(track, np.random.default_rng(1))):
        rows = dataset.examples_of(each, WindowConfig(), HORIZON).windows
        rows = rows[rows[..., FEATURE['odometry_valid']] > 0.5]
        assert rows[:, FEATURE['pose_speed']].std() > 0.01
        away = rows[:, FEATURE['pose_speed']] - rows[:, FEATURE['speed']]
        assert away.std() < 0.5 * rows[:, FEATURE['pose_speed']].std()


def test_no_variant_is_like_another(track):
    names = [recorded_tracks.variant(track, np.random.default_rng(seed)) for seed in range(5)]
    assert len({each.readings[5] for each in names}) == 5
    assert all(track.name in each.name for each in names)


# Files.

@pytest.fixture(scope='module')
def folder(tmp_path_factory, tracks):
    top = tmp_path_factory.mktemp('recordings')
    for i, path in enumerate(('b', 'deep/deeper/a')):
        (top / path).parent.mkdir(exist_ok=True, parents=True)
        recorded(top / path, map(message, tracks[i].readings))
    (top / 'notes.txt').write_text('not a recording')
    return top


def test_recordings_are_found_wherever_they_lie(folder):
    both = [folder / 'b', folder / 'deep' / 'deeper' / 'a']
    assert recorded_tracks.find([folder]) == both
    assert recorded_tracks.find([folder / 'deep']) == both[1:]
    assert recorded_tracks.find([both[1], folder]) == both[::-1]  # none of them twice
    assert recorded_tracks.find([next(both[0].glob('*.mcap'))]) == both[:1]


def test_a_group_is_the_folder_as_it_was_named_also_behind_a_link(folder, tmp_path):
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'one').symlink_to(folder / 'b')
    (tmp_path / 'other').symlink_to(folder / 'deep' / 'deeper')
    (tmp_path / 'mine' / 'round').symlink_to(tmp_path)  # and never comes to an end
    found = recorded_tracks.find([tmp_path])
    assert sorted(path.name for path in found) == ['a', 'one']
    assert sorted(recorded_tracks.groups_of(found)) == ['mine', 'other']
    assert sorted(recorded_tracks.groups_of(found, by_recording=True)) == ['a', 'one']


def test_groups_of_one_name_are_told_apart():
    bags = [Path('/x/june/test/b1'), Path('/x/july/test/b1'), Path('/x/july/test/b2'),
            Path('/x/train/b1')]
    assert recorded_tracks.groups_of(bags) == ['june/test', 'july/test', 'july/test', 'train']
    assert recorded_tracks.groups_of(bags, by_recording=True) == [
        'june/test/b1', 'july/test/b1', 'b2', 'train/b1']


@pytest.mark.parametrize('name, words', [
    ('nowhere', 'does not exist'), ('notes.txt', 'no rosbag2 recording')])
def test_what_holds_no_recording_is_named(folder, name, words):
    with pytest.raises(BagError, match=words) as refused:
        recorded_tracks.find([folder / 'b', folder / name])
    assert str(folder / name) in str(refused.value)


def test_a_recording_is_read_as_the_track_it_was(folder, tracks):
    found = recorded_tracks.read(folder / 'b')
    track, = found.tracks
    assert track.name == 'b' and found.findings == []
    expected = sorted(tracks[0].readings, key=lambda r: r.stamp_ns)
    assert [r.stamp_ns for r in track.readings] == [r.stamp_ns for r in expected]
    speeds = np.abs(of(Odometry, track)[:, 4:6])
    assert (track.max_speed, track.max_yaw_rate) == pytest.approx(
        np.quantile(speeds, 0.999, axis=0), rel=1e-6)
    assert isinstance(track, Track) and np.isnan(track.delay)


def test_the_present_folder_has_a_name(folder, monkeypatch):
    monkeypatch.chdir(folder / 'b')
    found, = recorded_tracks.find([Path('.')])
    assert recorded_tracks.read(found).tracks[0].name == 'b'
