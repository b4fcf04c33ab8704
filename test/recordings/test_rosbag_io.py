"""Recordings are read as they were written, and anything else is refused in one line."""

from itertools import islice
import math
import shutil

from helpers.bags import (
    assert_same, DATA, drive, message, ODOMETRY, recorded, SECOND, START, STORE)
from lstm_predictor.common.readings import Command, Imu, Odometry
from lstm_predictor.model.window import WindowConfig
from lstm_predictor.recordings.rosbag_io import (
    BagError, BagWriter, limits_of, Message, Recording, Topics)
from lstm_predictor.training import dataset
import numpy as np
import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

TURTLEBOTS = sorted((DATA / 'turtlebot3_burger').glob('*'))
OTHERS = sorted((DATA / 'norlab_drive').glob('*'))


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    """Return a good recording; a test that changes it makes a copy."""
    return recorded(tmp_path_factory.mktemp('bag') / 'good', map(message, drive()))


def assert_refused(path, *words, use=list):
    with pytest.raises(BagError) as refused:
        with Recording(path) as recording:
            use(recording.readings())
    text = str(refused.value)
    assert len(text.splitlines()) == 1 and str(path) in text
    for word in words:
        assert word in text


# Round trips.


def test_readings_are_read_as_they_were_written(bag):
    with Recording(bag) as recording:
        assert_same(recording.readings(), drive())
        assert recording.rejected == {}
        assert recording.duration == pytest.approx(39 / 20, abs=1e-6)


KINDS = [(storage, mode) for storage in StoragePlugin for mode in CompressionMode
         if (storage, mode) != (StoragePlugin.SQLITE3, CompressionMode.STORAGE)]


@pytest.mark.parametrize('storage, mode', KINDS, ids=lambda kind: kind.name.lower())
@pytest.mark.parametrize('stamped', [True, False], ids=['TwistStamped', 'Twist'])
def test_every_kind_of_rosbag2_is_read(tmp_path, storage, mode, stamped):
    """MCAP or SQLite, by file, by message or by chunk compressed with zstd, or not."""
    writer = Writer(tmp_path / 'bag', version=9, storage_plugin=storage)
    if mode is not CompressionMode.NONE:
        writer.set_compression(mode, CompressionFormat.ZSTD)
    connections = {}
    with writer:
        for one in (message(reading, stamped=stamped) for reading in drive()):
            if one.topic not in connections:
                connections[one.topic] = writer.add_connection(
                    one.topic, one.msgtype, typestore=STORE)
            writer.write(connections[one.topic], one.receive_ns, one.data)
    with Recording(tmp_path / 'bag') as recording:
        assert_same(recording.readings(), drive())
        assert recording.rejected == {}


def test_messages_are_kept_byte_for_byte(bag):
    with Recording(bag) as recording:
        assert list(recording.messages()) == [message(reading) for reading in drive()]


def test_a_command_without_stamp_is_put_on_the_clock_of_the_odometry(tmp_path):
    path = recorded(tmp_path / 'bag', [message(r, stamped=False) for r in drive()])
    with Recording(path) as recording:
        assert_same(recording.readings(), drive())
        assert recording.types() == {
            '/odom': ODOMETRY, '/imu': 'sensor_msgs/msg/Imu',
            '/cmd_vel': 'geometry_msgs/msg/Twist'}


def test_topics_of_other_names_are_found_when_they_are_told(tmp_path):
    path = recorded(tmp_path / 'bag', [
        message(r, topic=f'/robot/{type(r).__name__}') for r in drive()])
    topics = Topics('/robot/Odometry', '/robot/Imu', '/robot/Command')
    with Recording(path, topics) as recording:
        assert_same(recording.readings(), drive())
    assert_refused(path, ODOMETRY, '/odom', '/robot/Odometry')


def test_other_topics_are_not_heard(tmp_path):
    noise = [message(r, topic='/noise') for r in drive() if isinstance(r, Odometry)]
    path = recorded(tmp_path / 'bag', [*map(message, drive()), *noise])
    with Recording(path) as recording:
        assert_same(recording.readings(), drive())
        assert '/noise' not in recording.types()


def test_poses_on_another_topic_are_found_where_they_are(tmp_path, bag):
    odometry = [r for r in drive() if isinstance(r, Odometry)]
    true = [r._replace(x=r.x + 0.1, speed=0.0) for r in odometry]
    broken = true[3]._replace(stamp_ns=START + 7, x=math.nan)
    path = recorded(tmp_path / 'bag', [*map(message, drive()), *(
        message(r, topic='/ground_truth') for r in [*true, broken])])
    with Recording(path) as recording:
        only, = recording.drives('/ground_truth')
        assert_same(only.readings('/ground_truth'), true)
        assert_same(recording.readings_of(only), drive())
    with Recording(bag) as recording:
        only, = recording.drives('/ground_truth')
        assert list(only.readings('/ground_truth')) == []
        assert list(recording.messages_on('/ground_truth')) == []


def test_a_recording_is_never_overwritten(bag):
    with pytest.raises(BagError, match='exists') as refused:
        BagWriter(bag)
    assert str(bag) in str(refused.value)


# What is read of a robot.

def test_limits_are_the_largest_speeds(tmp_path):
    readings = [r._replace(speed=-0.22, yaw_rate=1.5) if isinstance(r, Odometry) and
                r.stamp_ns > START + SECOND else r for r in drive()]
    with Recording(recorded(tmp_path / 'bag', map(message, readings))) as recording:
        assert limits_of(recording.readings()) == pytest.approx((0.22, 1.5))


@pytest.mark.parametrize('spikes', [1, 3])
def test_limits_are_not_the_jumps_where_the_yaw_wraps(tmp_path, spikes):
    """TurtleBot3's driver says about 125.7 rad/s for one message."""
    odometry = [r for r in drive(300) if isinstance(r, Odometry)]
    for index in range(spikes):
        odometry[50 * index + 20] = odometry[50 * index + 20]._replace(yaw_rate=-125.66)
    with Recording(recorded(tmp_path / 'bag', map(message, odometry))) as recording:
        assert limits_of(recording.readings()) == pytest.approx((0.2, 0.1))


def test_bad_messages_are_counted_by_reason_and_left_out(tmp_path):
    good = drive()
    bad = [Odometry(0, 0.0, 0.0, 0.0, 0.0, 0.0),
           Odometry(START + 3, 0.0, 0.0, 0.0, math.nan, 0.0),
           Odometry(START + 4, 0.0, 0.0, 0.0, math.nan, 0.0),
           Imu(START + 5, math.inf, 0.0)]
    path = recorded(tmp_path / 'bag', map(message, good + bad))
    expected = {'/odom: header.stamp is zero': 1, '/odom: speed is nan': 2,
                '/imu: yaw_rate is inf': 1}
    with Recording(path) as recording:
        assert_same(recording.readings(), good)
        assert recording.rejected == expected


def test_bad_messages_are_counted_once_however_often_they_are_read(tmp_path):
    bad = Odometry(START + 3, 0.0, 0.0, 0.0, math.nan, 0.0)
    path = recorded(tmp_path / 'bag', map(message, drive() + [bad]))
    with Recording(path) as recording:
        limits_of(recording.readings())
        list(recording.readings())
        assert recording.rejected == {'/odom: speed is nan': 1}


# What is no recording.

def test_a_missing_folder_is_refused(tmp_path):
    assert_refused(tmp_path / 'none', 'does not exist')


def test_an_empty_folder_is_refused(tmp_path):
    assert_refused(tmp_path)


def test_a_foreign_file_is_refused(tmp_path):
    (tmp_path / 'notes.txt').write_text('nothing\nto see\n')
    assert_refused(tmp_path / 'notes.txt')


def test_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / 'metadata.yaml').write_text('colour: [green\n')
    assert_refused(tmp_path)


def test_a_recording_without_a_message_is_refused(tmp_path):
    assert_refused(recorded(tmp_path / 'bag', []), '/odom', 'no topic')


def test_a_recording_without_odometry_is_refused(tmp_path):
    path = recorded(tmp_path / 'bag', [message(r) for r in drive() if isinstance(r, Imu)])
    assert_refused(path, ODOMETRY, '/odom', '/imu')


def test_odometry_of_another_type_is_refused(tmp_path):
    path = recorded(tmp_path / 'bag', [
        message(r, topic='/odom') for r in drive() if isinstance(r, Command)])
    assert_refused(path, ODOMETRY, '/odom')


def odometry_on(topic, count=3):
    return [message(r, topic=topic) for r in drive(count) if isinstance(r, Odometry)]


def test_odometry_on_other_topics_comes_first_with_the_option_to_name_it(tmp_path):
    path = recorded(tmp_path / 'bag', [
        *odometry_on('/wheel/odom', 5), *odometry_on('/zed/odom', 3),
        *(message(r, topic='/arm/imu') for r in drive() if isinstance(r, Imu))])
    assert_refused(
        path, f'no {ODOMETRY} on /odom; it has /wheel/odom ({ODOMETRY}, 5 messages), /zed/odom '
        f'({ODOMETRY}, 3 messages), /arm/imu', 'name another one with --odom-topic')


def test_odometry_without_a_message_is_called_so(tmp_path):
    writer = Writer(tmp_path / 'bag', version=9, storage_plugin=StoragePlugin.MCAP)
    with writer:
        writer.add_connection('/odom', ODOMETRY, typestore=STORE)
        one = message(drive()[2])
        writer.write(writer.add_connection(one.topic, one.msgtype, typestore=STORE),
                     one.receive_ns, one.data)
    assert_refused(tmp_path / 'bag', f'0 messages of {ODOMETRY} on /odom; it has /odom',
                   f'{ODOMETRY}, 0 messages')


@pytest.mark.parametrize('field, kind', [('imu', 'sensor_msgs/msg/Imu'), (
    'cmd_vel', 'geometry_msgs/msg/Twist or geometry_msgs/msg/TwistStamped')])
def test_a_sensor_topic_is_refused_where_it_was_named_and_else_one_line(tmp_path, field, kind):
    path = recorded(tmp_path / 'bag', odometry_on('/odom') + odometry_on('/drive'))
    for topic, what in (('/drive', f'/drive is {ODOMETRY}'), ('/no', 'there is no /no')):
        with pytest.raises(BagError) as refused:
            Recording(path, Topics(**{field: topic}, named=frozenset({field})))
        option = f'--{field.replace("_", "-")}-topic'
        assert f'has no {kind} on {option} {topic}: {what}' in str(refused.value)
        with Recording(path, Topics(**{field: topic})) as recording:
            line, = [text for text in recording.findings if topic in text]
            assert line.startswith(f'no {kind} on {topic}')


def damaged(tmp_path, bag, change):
    """Return a copy of a recording whose MCAP file was changed."""
    copy = shutil.copytree(bag, tmp_path / 'damaged')
    file, = copy.glob('*.mcap')
    file.write_bytes(change(file.read_bytes()))
    return copy


@pytest.mark.parametrize('share', [0.0, 0.01])
def test_a_recording_of_which_nothing_is_left_is_refused(tmp_path, bag, share):
    assert_refused(damaged(tmp_path, bag, lambda content: content[:int(share * len(content))]))


def test_a_recording_without_its_file_is_refused(tmp_path, bag):
    copy = shutil.copytree(bag, tmp_path / 'damaged')
    next(copy.glob('*.mcap')).unlink()
    assert_refused(copy)


def test_a_message_that_is_no_message_is_refused_or_left_out(tmp_path):
    """A bit that flipped on a disk: a length inside of a message that cannot be."""
    good = message(drive()[0])
    broken = Message(good.receive_ns, good.topic, good.msgtype, good.data[:12] + b'\xff' * 30)
    path = recorded(tmp_path / 'bag', [*map(message, drive()), broken])
    try:
        with Recording(path) as recording:
            assert_same(recording.readings(), drive())
            assert sum(recording.rejected.values()) == 1
    except BagError as error:
        assert len(str(error).splitlines()) == 1 and str(path) in str(error)


# Real ones.

def real(paths):
    """Return the parameters of a test over recordings; it is skipped where there are none."""
    missing = pytest.mark.skip(reason='shared/data is not beside the checkout')
    return pytest.mark.parametrize(
        'path', paths or [pytest.param(None, marks=missing)],
        ids=lambda path: path.name if path else 'none')


@real(TURTLEBOTS + OTHERS)
def test_a_real_recording_opens_and_its_readings_are_finite(path):
    with Recording(path) as recording:
        readings = list(islice(recording.readings(), 2000))
        assert len(readings) > 1000 and recording.duration > 10.0
        assert all(math.isfinite(value) for reading in readings for value in reading)
        assert recording.rejected == {}
        assert len(recording.drives()) == 1
        assert all(text.startswith('no ') for text in recording.findings)
    stamps = [reading.stamp_ns for reading in readings if isinstance(reading, Odometry)]
    assert (np.diff(stamps) > 0).all()


@real(TURTLEBOTS)
def test_a_real_turtlebot_moves_within_its_limits_and_can_be_learned_from(path):
    with Recording(path) as recording:
        speed, yaw_rate = limits_of(recording.readings())
        assert 0.05 < speed < 0.3 and 0.1 < yaw_rate < 3.0
        config = WindowConfig(max_speed=speed, max_yaw_rate=yaw_rate)
        window = dataset.filled_window(recording.readings(), config)
        anchors = dataset.usable_anchors(window, horizon=40)
        assert len(anchors) > 0.3 * 20.0 * recording.duration
    examples = dataset.examples(window, anchors, horizon=40)
    assert np.isfinite(examples.windows).all() and np.isfinite(examples.futures).all()
    assert np.abs(examples.windows[..., :5]).max() < 4.0
