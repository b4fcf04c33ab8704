"""Recordings are read as they were written, and anything else is refused in one line."""

from itertools import islice
import math
from pathlib import Path
import shutil

from lstm_predictor.bags import BagError, BagWriter, limits_of, Message, Recording, Topics
from lstm_predictor.core.samples import Command, Imu, Odometry
from lstm_predictor.core.window import WindowConfig
from lstm_predictor.learning import dataset
import numpy as np
import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import get_typestore, Stores

STORE = get_typestore(Stores.LATEST)
SECOND = 1_000_000_000  # [ns]
START = 1_700_000_000 * SECOND
LATE = 7_000_000  # by which the recorder's clock is ahead [ns]
ODOMETRY = 'nav_msgs/msg/Odometry'
DATA = Path(__file__).parents[2] / 'shared' / 'data'
TURTLEBOTS = sorted((DATA / 'turtlebot3_burger').glob('*'))
OTHERS = sorted((DATA / 'norlab_drive').glob('*'))


def bag_type(name):
    return STORE.types[name]


def vector(x=0.0, y=0.0, z=0.0, name='Vector3'):
    return bag_type(f'geometry_msgs/msg/{name}')(x=x, y=y, z=z)


def header(stamp_ns):
    time = bag_type('builtin_interfaces/msg/Time')(*divmod(stamp_ns, SECOND))
    return bag_type('std_msgs/msg/Header')(stamp=time, frame_id='odom')


def quaternion(yaw):
    return bag_type('geometry_msgs/msg/Quaternion')(
        0.0, 0.0, math.sin(yaw / 2.0), math.cos(yaw / 2.0))


def twist(speed, yaw_rate):
    return bag_type('geometry_msgs/msg/Twist')(vector(speed), vector(z=yaw_rate))


def message(reading, topic=None, stamped=True, orientation=None):
    """
    Return a reading as the message that was recorded LATE after its stamp.

    `orientation` (x, y, z, w) stands in for the yaw.
    """
    stamp_ns, *values = reading
    if isinstance(reading, Odometry):
        x, y, yaw, speed, yaw_rate = values
        name, topic = ODOMETRY, topic or '/odom'
        turned = quaternion(yaw) if orientation is None else \
            bag_type('geometry_msgs/msg/Quaternion')(*orientation)
        pose = bag_type('geometry_msgs/msg/Pose')(vector(x, y, name='Point'), turned)
        content = bag_type(name)(
            header(stamp_ns), 'base',
            bag_type('geometry_msgs/msg/PoseWithCovariance')(pose, np.zeros(36)),
            bag_type('geometry_msgs/msg/TwistWithCovariance')(
                twist(speed, yaw_rate), np.zeros(36)))
    elif isinstance(reading, Imu):
        name, topic = 'sensor_msgs/msg/Imu', topic or '/imu'
        content = bag_type(name)(
            header(stamp_ns), quaternion(0.0), np.zeros(9), vector(z=values[0]), np.zeros(9),
            vector(values[1]), np.zeros(9))
    else:
        name, topic = 'geometry_msgs/msg/Twist', topic or '/cmd_vel'
        content = twist(*values)
        if stamped:
            name = 'geometry_msgs/msg/TwistStamped'
            content = bag_type(name)(header(stamp_ns), content)
    return Message(stamp_ns + LATE, topic, name, bytes(STORE.serialize_cdr(content, name)))


def drive(count=40):
    """Return a short drive in the order of its stamps."""
    step = SECOND // 20
    readings = [Odometry(START + i * step, 0.01 * i, 0.0, 0.3, 0.2, 0.1) for i in range(count)]
    readings += [Imu(START + i * step + 1, 0.1, 0.02 * i) for i in range(count)]
    readings += [Command(START + i * step + 2, 0.2, 0.3) for i in range(0, count, 5)]
    return sorted(readings)


def recorded(path, messages):
    with BagWriter(path) as writer:
        for one in messages:
            writer.write(one)
    return path


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

def assert_same(readings, expected):
    for one, other in zip(readings, expected, strict=True):
        assert type(one) is type(other) and one == pytest.approx(other, rel=1e-12)


def test_readings_are_read_as_they_were_written(bag):
    with Recording(bag) as recording:
        assert_same(recording.readings(), drive())
        assert recording.refused == {}
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
        assert recording.refused == {}


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


def test_poses_on_another_topic_are_found_or_missed_by_name(tmp_path, bag):
    odometry = [r for r in drive() if isinstance(r, Odometry)]
    true = [r._replace(x=r.x + 0.1, speed=0.0) for r in odometry]
    broken = true[3]._replace(stamp_ns=START + 7, x=math.nan)
    path = recorded(tmp_path / 'bag', [*map(message, drive()), *(
        message(r, topic='/ground_truth') for r in [*true, broken])])
    with Recording(path) as recording:
        assert_same(recording.poses('/ground_truth'), true)
    with Recording(bag) as recording:
        with pytest.raises(BagError, match='nav_msgs/msg/Odometry on /ground_truth'):
            recording.poses('/ground_truth')
        with pytest.raises(BagError, match='/imu'):
            recording.poses('/imu')
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
        assert recording.refused == expected


def test_bad_messages_are_counted_once_however_often_they_are_read(tmp_path):
    bad = Odometry(START + 3, 0.0, 0.0, 0.0, math.nan, 0.0)
    path = recorded(tmp_path / 'bag', map(message, drive() + [bad]))
    with Recording(path) as recording:
        limits_of(recording.readings())
        list(recording.readings())
        assert recording.refused == {'/odom: speed is nan': 1}


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


def damaged(tmp_path, bag, change):
    """Return a copy of a recording whose MCAP file was changed."""
    copy = shutil.copytree(bag, tmp_path / 'damaged')
    file, = copy.glob('*.mcap')
    file.write_bytes(change(file.read_bytes()))
    return copy


@pytest.mark.parametrize('share', [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_recording_is_refused(tmp_path, bag, share):
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
            assert sum(recording.refused.values()) == 1
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
        assert recording.refused == {}
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
