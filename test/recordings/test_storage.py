"""Recordings without metadata.yaml, named by a file, cut off or damaged: what is there is read."""

import random
import re
import shutil
import sqlite3

from helpers.bags import assert_same, drive, message, recorded, STORE
from lstm_predictor.common.readings import Odometry
from lstm_predictor.recordings.rosbag_io import BagError, Recording
from lstm_predictor.recordings.storage import name_of, recording_of
from lstm_predictor.training import recorded_tracks
import numpy as np
import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

KINDS = [(storage, mode) for storage in StoragePlugin for mode in CompressionMode
         if (storage, mode) != (StoragePlugin.SQLITE3, CompressionMode.STORAGE)]
every_kind = pytest.mark.parametrize('storage, mode', KINDS, ids=lambda kind: kind.name.lower())
COUNT = 1000


def written(path, readings, storage=StoragePlugin.MCAP, mode=CompressionMode.NONE):
    writer = Writer(path, version=9, storage_plugin=storage)
    if mode is not CompressionMode.NONE:
        writer.set_compression(mode, CompressionFormat.ZSTD)
    connections = {}
    with writer:
        for one in map(message, readings):
            if one.topic not in connections:
                connections[one.topic] = writer.add_connection(
                    one.topic, one.msgtype, typestore=STORE)
            writer.write(connections[one.topic], one.receive_ns, one.data)
    return path


def file_of(folder):
    found, = [path for path in folder.iterdir() if path.name != 'metadata.yaml']
    return found


def read(path):
    """Return the readings in a recording and what is said of it."""
    with Recording(path) as recording:
        return list(recording.readings()), recording.findings


@pytest.fixture(scope='module')
def long(tmp_path_factory):
    """Return folders of one long recording by storage and mode."""
    made = {}

    def of(storage, mode):
        if (storage, mode) not in made:
            made[storage, mode] = written(
                tmp_path_factory.mktemp('long') / 'bag', drive(COUNT), storage, mode)
        return made[storage, mode]

    return of


@pytest.fixture
def copy(long, tmp_path):
    return lambda storage, mode: shutil.copytree(long(storage, mode), tmp_path / 'bag')


# Without metadata.yaml, and by the file.

@every_kind
def test_a_folder_without_metadata_is_read(copy, storage, mode):
    bag = copy(storage, mode)
    (bag / 'metadata.yaml').unlink()
    readings, findings = read(bag)
    assert_same(readings, drive(COUNT))
    assert findings == ['there is no metadata.yaml, the messages are read without it']
    assert recorded_tracks.find([bag]) == [bag] and recorded_tracks.find([file_of(bag)]) == [bag]


@every_kind
def test_a_file_is_read_by_its_name(copy, storage, mode):
    bag = copy(storage, mode)
    file = file_of(bag)
    alone = shutil.move(file, bag.parent / file.name)
    readings, findings = read(alone)
    assert_same(readings, drive(COUNT))
    assert findings == [] and name_of(alone) == 'bag'


@pytest.mark.parametrize('kind', ['', 'null', 'mcup'])
def test_a_storage_that_is_not_named_is_found_out(copy, kind):
    bag = copy(StoragePlugin.MCAP, CompressionMode.NONE)
    file = bag / 'metadata.yaml'
    file.write_text(re.sub('storage_identifier: .*', f'storage_identifier: {kind}',
                           file.read_text()))
    readings, findings = read(bag)
    assert_same(readings, drive(COUNT))
    assert len(findings) == 1 and findings[0].startswith('metadata.yaml cannot be used')


@pytest.mark.parametrize('content', ['{: nothing', '', '- 1', 'rosbag2_bagfile_information: 3',
                                     '\x00', 'rosbag2_bagfile_information: {version: 99}'])
def test_metadata_that_says_nothing_is_left_aside(copy, content):
    bag = copy(StoragePlugin.MCAP, CompressionMode.NONE)
    (bag / 'metadata.yaml').write_text(content)
    readings, findings = read(bag)
    assert_same(readings, drive(COUNT))
    assert len(findings) == 1 and 'metadata.yaml cannot be used' in findings[0]
    assert '\n' not in findings[0]


@pytest.mark.parametrize('same_name', [False, True])
def test_metadata_of_another_recording_is_left_aside(copy, tmp_path, same_name):
    bag = copy(StoragePlugin.MCAP, CompressionMode.NONE)
    other = recorded(tmp_path / 'other' / ('bag' if same_name else 'x'), [
        message(r, topic='/elsewhere') for r in drive() if isinstance(r, Odometry)])
    shutil.copy(other / 'metadata.yaml', bag)
    readings, findings = read(bag)
    assert_same(readings, drive(COUNT))
    assert len(findings) == 1 and 'metadata.yaml cannot be used' in findings[0]


def halves():
    readings = drive(COUNT)
    return readings[:COUNT], readings[COUNT:]


@pytest.mark.parametrize('storage', StoragePlugin)
def test_numbered_files_are_parts_of_one_recording(tmp_path, storage):
    """In the order of their numbers, not of their letters."""
    (tmp_path / 'bag').mkdir()
    for number, part in zip((9, 10), halves()):
        file = file_of(written(tmp_path / f'part{number}', part, storage))
        shutil.move(file, tmp_path / 'bag' / f'bag_{number}{file.suffix}')
    readings, _ = read(tmp_path / 'bag')
    assert_same(readings, drive(COUNT))
    assert recorded_tracks.find([tmp_path / 'bag']) == [tmp_path / 'bag']
    one = tmp_path / 'bag' / f'bag_9{file.suffix}'
    assert recording_of(one) == one
    assert_same(read(one)[0], halves()[0])


def test_files_of_other_names_are_recordings_of_their_own(tmp_path):
    for name, part in zip(('monday', 'tuesday'), halves()):
        file = file_of(written(tmp_path / name / 'bag', part))
        shutil.move(file, tmp_path / f'{name}.mcap')
        shutil.rmtree(tmp_path / name)
    both = [tmp_path / 'monday.mcap', tmp_path / 'tuesday.mcap']
    assert recorded_tracks.find([tmp_path]) == both
    for path, part in zip(both, halves()):
        track, = recorded_tracks.read(path).tracks
        assert track.name == path.stem
        assert_same(track.readings, part)
    with pytest.raises(BagError, match='monday.mcap, tuesday.mcap'):
        Recording(tmp_path)


# Cut off.

@every_kind
@pytest.mark.parametrize('share', [0.3, 0.7, 0.97])
@pytest.mark.parametrize('metadata', [True, False])
def test_of_a_file_that_was_cut_off_what_is_there_is_read(copy, storage, mode, share, metadata):
    bag = copy(storage, mode)
    file = file_of(bag)
    content = file.read_bytes()
    file.write_bytes(content[:int(share * len(content))])
    if not metadata:
        (bag / 'metadata.yaml').unlink()
    readings, findings = read(bag)
    assert_same(readings, drive(COUNT)[:len(readings)])
    assert len(readings) > 0.6 * share * len(drive(COUNT))
    line, = [text for text in findings if 'metadata' not in text and 'messages of' not in text]
    assert f'{file.name} breaks off, what is there is used' in line


@pytest.mark.parametrize('storage', StoragePlugin)
def test_where_nothing_can_be_read_the_way_out_is_named(copy, storage):
    bag = copy(storage, CompressionMode.NONE)
    file = file_of(bag)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(BagError, match='ros2 bag reindex') as refused:
        Recording(bag)
    assert str(bag) in str(refused.value) and '\n' not in str(refused.value)


@pytest.mark.parametrize('storage, mode', [
    (StoragePlugin.MCAP, CompressionMode.NONE), (StoragePlugin.MCAP, CompressionMode.STORAGE),
    (StoragePlugin.SQLITE3, CompressionMode.NONE)])
def test_a_damaged_place_costs_no_more_than_what_lies_there(tmp_path, storage, mode):
    bag = written(tmp_path / 'bag', drive(3 * COUNT), storage, mode)
    file = file_of(bag)
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle:middle + 40] = b'\xff' * 40
    file.write_bytes(content)
    readings, _ = read(bag)
    right = {one.stamp_ns: one for one in drive(3 * COUNT)}
    assert len(readings) > 0.3 * len(right)
    wrong = [one for one in readings if right.get(one.stamp_ns) != pytest.approx(one, rel=1e-9)]
    assert len(wrong) < 3  # what the storage has no sum for


def test_any_cut_is_a_beginning_or_one_line(tmp_path, long):
    """Wherever it falls; never an error of a library."""
    choose = random.Random(5)
    for storage, mode in KINDS:
        content = file_of(long(storage, mode)).read_bytes()
        for size in [0, 1, 8, 9, 37, *(choose.randrange(len(content)) for _ in range(4))]:
            path = tmp_path / file_of(long(storage, mode)).name
            path.write_bytes(content[:size])
            try:
                readings, findings = read(path)
            except BagError as error:
                assert '\n' not in str(error)
            else:
                assert_same(readings, drive(COUNT)[:len(readings)])
                assert findings


def test_a_log_that_the_recorder_left_is_read(tmp_path, long):
    """SQLite's write-ahead log, of a recorder that was killed."""
    bag = shutil.copytree(long(StoragePlugin.SQLITE3, CompressionMode.NONE), tmp_path / 'bag')
    file = file_of(bag)
    database = sqlite3.connect(file)
    database.execute('PRAGMA journal_mode=WAL')
    database.execute('PRAGMA wal_autocheckpoint=0')
    database.execute('INSERT INTO messages (topic_id, timestamp, data) '
                     'SELECT topic_id, timestamp + 1, data FROM messages WHERE id = 1')
    database.commit()
    killed = tmp_path / 'killed'
    killed.mkdir()
    for one in bag.glob('*.db3*'):
        if not one.name.endswith('-shm'):
            shutil.copy(one, killed)
    database.close()
    before = {path: path.read_bytes() for path in killed.iterdir()}
    with Recording(killed) as recording:
        assert sum(1 for _ in recording.messages()) == len(drive(COUNT)) + 1
        assert any('was not closed' in text for text in recording.findings)
    assert {path: path.read_bytes() for path in killed.iterdir()} == before


# The order of what was written.

@pytest.mark.parametrize('storage', StoragePlugin)
def test_a_recorder_in_simulated_time_that_was_reset_does_not_mix_two_drives(tmp_path, storage):
    """Its own clock went back with the simulation, so that times of receipt come twice."""
    begin = drive()[0].stamp_ns - 50 * 1_000_000_000
    first = [one._replace(stamp_ns=one.stamp_ns - begin) for one in drive(200)]
    again = [one._replace(stamp_ns=one.stamp_ns - 5_000_000_000) for one in first]
    bag = written(tmp_path / 'bag', first + again, storage)
    found = recorded_tracks.read(bag)
    assert [len(track.readings) for track in found.tracks] == [len(first), len(again)]
    assert_same(found.tracks[0].readings, first)
    assert_same(found.tracks[1].readings, again)
    assert any('jumps back by' in text for text in found.findings)


def test_messages_out_of_order_are_put_in_order(tmp_path):
    """As recorders of several threads write them, also in a file that was cut off."""
    readings = drive(COUNT)
    mixed = [readings[i] for i in np.argsort(
        np.arange(len(readings)) + np.random.default_rng(0).uniform(0.0, 5.0, len(readings)))]
    bag = written(tmp_path / 'bag', mixed)
    assert_same(read(bag)[0], readings)
    file = file_of(bag)
    file.write_bytes(file.read_bytes()[:-40])
    assert_same(read(bag)[0], readings)
