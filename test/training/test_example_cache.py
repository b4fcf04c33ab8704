"""The examples of a run are made once, and are those of its robots and recordings."""

from dataclasses import replace

from helpers.bags import message, recorded
from helpers.models import random_examples
from lstm_predictor.model.window import WindowConfig
from lstm_predictor.recordings.rosbag_io import BagError
from lstm_predictor.training import dataset, example_cache, recorded_tracks
from lstm_predictor.training.example_cache import ExampleCache
from lstm_predictor.training.recorded_tracks import RecordingsConfig
from lstm_predictor.training.simulated_fleet import drive_job, FleetConfig, jobs
import numpy as np
import pytest

WINDOW, HORIZON = WindowConfig(length=20, shortest=10), 20
FLEET = FleetConfig(robots=3, seconds=8.0, seed=4)  # of the fixture `tracks`
STRIDE = 4.0
VARIANTS = 2


@pytest.fixture(scope='module')
def folder(tmp_path_factory, tracks):
    """Return a folder with a recording of each track, two of them in folders of their own."""
    top = tmp_path_factory.mktemp('recordings')
    for i, path in enumerate(('one', 'deeper/two', 'deeper/three')):
        (top / path).parent.mkdir(exist_ok=True)
        recorded(top / path, map(message, tracks[i].readings))
    return top


@pytest.fixture(scope='module')
def maker(tmp_path_factory):
    return ExampleCache(WINDOW, HORIZON, tmp_path_factory.mktemp('cache'))


def files(maker):
    return {path: path.stat().st_mtime_ns for path in maker.folder.rglob('*') if path.is_file()}


def assert_same(one, other):
    assert one.sha256() == other.sha256()
    np.testing.assert_array_equal(one.tracks, other.tracks)


# The fleet.

def test_a_fleet_is_made_once_and_is_that_of_its_robots(maker):
    made = maker.fleet(FLEET, STRIDE)
    assert_same(made, dataset.join([
        dataset.examples_of(drive_job(job), WINDOW, HORIZON, STRIDE, i)
        for i, job in enumerate(jobs(FLEET))]))
    before = files(maker)
    assert_same(maker.fleet(FLEET, STRIDE), made)
    assert files(maker) == before
    other = replace(FLEET, robots=2, seed=9)
    assert (other.robots, other.seed, other.size) == (2, 9, FLEET.size)
    assert maker.fleet(other, STRIDE).sha256() != made.sha256() and len(files(maker)) > len(before)


# Recordings.

def test_recordings_are_followed_by_their_variants(maker, folder):
    folders = recorded_tracks.find([folder])
    made = maker.recorded(folders, VARIANTS)
    assert set(made.tracks) == set(range(3 * (VARIANTS + 1)))
    for i, path in enumerate(folders):
        track, = recorded_tracks.read(path).tracks
        real = made[made.tracks == i * (VARIANTS + 1)]
        assert real.sha256() == dataset.examples_of(track, WINDOW, HORIZON).sha256()
        varied = made[made.tracks == i * (VARIANTS + 1) + 1]
        assert len(varied) > 10 and varied.sha256() != real.sha256()
    weights = example_cache.variant_weights(made, VARIANTS)
    assert (weights[made.tracks % 3 == 0] == 1.0).all()
    assert (weights[made.tracks % 3 != 0] == 0.5).all()
    alone = maker.recorded(folders)
    assert_same(replace(alone, tracks=alone.tracks * 3), made[made.tracks % 3 == 0])


def test_every_drive_of_a_recording_is_a_robot_of_its_own(tmp_path, tracks, capfd):
    """Followed by its variants; and what was found is told again when nothing is read."""
    readings = sorted(tracks[0].readings, key=lambda reading: reading.stamp_ns)
    middle = readings[len(readings) // 2].stamp_ns
    moved = [replace(message(r), data=message(r._replace(
        stamp_ns=r.stamp_ns - 4_000_000_000 * (r.stamp_ns > middle))).data) for r in readings]
    for name, messages in (('a', moved), ('b', map(message, readings))):
        recorded(tmp_path / name, messages)
    maker = ExampleCache(WINDOW, HORIZON, tmp_path / 'cache')
    folders = recorded_tracks.find([tmp_path / 'a', tmp_path / 'b'])
    made = maker.recorded(folders, VARIANTS)
    assert set(made.tracks) == set(range(3 * (VARIANTS + 1)))
    drives = [track for folder in folders for track in recorded_tracks.read(folder).tracks]
    assert [track.name for track in drives] == ['a', 'a, drive 2', 'b']
    for i, track in enumerate(drives):
        real = made[made.tracks == i * (VARIANTS + 1)]
        assert real.sha256() == dataset.examples_of(track, WINDOW, HORIZON).sha256()
    for again in range(2):
        assert 'a: odom jumps back by' in capfd.readouterr().err
        assert maker.recorded(folders, VARIANTS).sha256() == made.sha256()


def test_another_file_in_a_recording_makes_it_another_one(folder):
    path = recorded_tracks.find([folder])[0]
    before = example_cache.folder_stamp(path)
    assert example_cache.folder_stamp(path) == before
    next(path.glob('*.mcap')).touch()
    assert example_cache.folder_stamp(path) != before


def test_recordings_are_split_by_their_names(folder):
    config = RecordingsConfig(validation=('two',), test=('three',))
    split = example_cache.split_recordings(folder, config)
    assert [path.name for path in split.train] == ['one']
    assert [path.name for path in split.validation] == ['two']
    assert [path.name for path in split.test] == ['three'] and split.left_out == []
    left = example_cache.split_recordings(folder, replace(config, left_out=('one',), test=()))
    assert [path.name for path in left.train] == ['three']


@pytest.mark.parametrize('config, word', [
    (RecordingsConfig(validation=('five',)), 'five'),
    (RecordingsConfig(test=('one', 'six')), 'six'),
    (RecordingsConfig(left_out=('seven',)), 'seven'),
    (RecordingsConfig(test=('one', 'two'), validation=('three',)), 'training')])
def test_a_split_that_cannot_be_is_named(folder, config, word):
    with pytest.raises(ValueError, match=f'recordings: .*{word}') as refused:
        example_cache.split_recordings(folder, config)
    assert str(folder) in str(refused.value)


def test_a_folder_without_recordings_is_named(tmp_path):
    with pytest.raises(BagError, match=str(tmp_path)):
        example_cache.split_recordings(tmp_path, RecordingsConfig())


def test_two_recordings_of_one_name_are_refused(tmp_path, tracks):
    """Which of them is meant for what nobody could say."""
    for parent in ('a', 'b'):
        (tmp_path / parent).mkdir()
        recorded(tmp_path / parent / 'same', map(message, tracks[0].readings[:50]))
    with pytest.raises(ValueError, match='same'):
        example_cache.split_recordings(tmp_path, RecordingsConfig())


def test_tracks_are_numbered_on_from_part_to_part():
    parts = [random_examples(seed) for seed in range(3)]
    whole = example_cache.renumbered(parts)
    assert sorted(set(whole.tracks)) == list(range(6)) and (np.diff(whole.tracks) >= 0).all()
    assert whole.sha256() == dataset.join(parts).sha256()
