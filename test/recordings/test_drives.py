"""A drive ends where the node would start afresh, and all of it is on the odometry's clock."""

import math

from hypothesis import given, strategies as st
from lstm_predictor.common.discontinuity import break_between
from lstm_predictor.common.readings import Command, Imu, InvalidMessage, Odometry
from lstm_predictor.recordings.drives import drives_of, findings, Received
import pytest

SECOND = 1_000_000_000  # [ns]
STEP = SECOND // 20
START = 1_000 * SECOND
LATE = 7_000_000  # of every receipt [ns]
SPEED = 0.2  # [m/s]


def odometry(i, stamp_ns=None, **other):
    reading = Odometry(START + i * STEP if stamp_ns is None else stamp_ns,
                       0.05 * SPEED * i, 1.0, 0.1, SPEED, 0.0)
    return reading._replace(**other)


def heard(reading, receive_ns, topic=None, stamped=True):
    topic = topic or {Odometry: '/odom', Imu: '/imu', Command: '/cmd_vel'}[type(reading)]
    return Received(receive_ns, topic, reading, stamped)


def drive(count=200, jump_ns=0, at=100, change=lambda reading, i: reading, sensors_ns=0):
    """
    Return what is received of a drive whose clock jumps at a message.

    `sensors_ns` is by how much the clock of IMU and commands is ahead.
    """
    result = []
    for i in range(count):
        now_ns = START + i * STEP
        stamp_ns = now_ns + (jump_ns if i >= at else 0)
        result += [
            heard(change(odometry(i, stamp_ns), i), now_ns + LATE),
            heard(Imu(stamp_ns + 10 + sensors_ns, 0.1, 0.0), now_ns + LATE + 10),
            heard(Command(stamp_ns + 20 + sensors_ns, SPEED, 0.0), now_ns + LATE + 20)]
    return result


def drives(messages):
    return drives_of(messages, '/odom', SPEED)


def of(found, kind):
    topic = {Odometry: '/odom', Imu: '/imu', Command: '/cmd_vel'}[kind]
    return [[reading.stamp_ns for reading in one.readings(topic)] for one in found]


def test_a_drive_that_goes_on_is_one():
    found = drives(drive())
    assert len(found) == 1 and findings(found) == []
    assert found[0].received == drive()


@pytest.mark.parametrize('jump, words', [
    (-5 * SECOND, 'odom jumps back by 5.0 s at 5.0 s: a new drive begins'),
    (3600 * SECOND, 'odom jumps ahead by 3600.0 s at 5.0 s: a new drive begins')])
def test_a_clock_that_jumps_begins_a_new_drive(jump, words):
    found = drives(drive(jump_ns=jump))
    for kind in (Odometry, Imu, Command):
        assert [len(stamps) for stamps in of(found, kind)] == [100, 100]
    assert findings(found) == [words]


def test_a_pose_that_leaps_begins_a_new_drive():
    found = drives(drive(change=lambda one, i: one._replace(x=one.x + 3.0 * (i >= 100))))
    assert [len(stamps) for stamps in of(found, Odometry)] == [100, 100]
    assert findings(found) == ['the pose of odom jumps by 3.01 m at 5.0 s: a new drive begins']


@pytest.mark.parametrize('x, y, yaw', [(0.3, 0.0, 0.0), (0.0, 0.02, 2.0), (-4.0, 1.0, 1.0)])
def test_odometry_that_is_set_to_zero_begins_a_new_drive_from_near_and_far(x, y, yaw):
    def zeroed(one, i):
        return one._replace(x=x + 1e-4 * i, y=y, yaw=yaw) if i < 100 else \
            one._replace(x=0.05 * SPEED * (i - 100), y=0.0, yaw=0.0)
    found = drives(drive(change=zeroed))
    assert [len(stamps) for stamps in of(found, Odometry)] == [100, 100]
    assert len(findings(found)) == 1 and 'at 5.0 s: a new drive begins' in findings(found)[0]


@given(st.floats(-math.pi, math.pi), st.floats(-1.0, 1.0), st.floats(-2.8, 2.8))
def test_no_motion_through_zero_is_a_new_drive(heading, speed, turn):
    """Of a robot that does 1 m/s, at any yaw rate of wheels."""
    for i in range(-5, 5):
        before, after = (Odometry(
            START + k * STEP, speed * 0.05 * k * math.cos(heading),
            speed * 0.05 * k * math.sin(heading), turn * 0.05 * k, speed, turn)
            for k in (i, i + 1))
        assert not break_between(before, after, 1.0)


@pytest.mark.parametrize('late', [0.2, 0.9])
def test_a_message_that_comes_late_is_no_new_drive(late):
    messages = drive()
    moved = messages.pop(150)
    assert isinstance(moved.reading, Odometry)
    place = 150 + 3 * round(late * 20.0)
    messages.insert(place, moved._replace(receive_ns=messages[place].receive_ns))
    found = drives(messages)
    assert len(found) == 1 and len(found[0].stamps_ns()) == 200


def test_silence_is_no_new_drive():
    """Of odometry alone, or of the whole recording; the rest of it comes all at once."""
    messages = drive(400)
    begin, end = messages[300].receive_ns, messages[600].receive_ns
    silent = [item for item in messages if item.topic != '/odom'
              or not begin <= item.receive_ns < end]
    assert len(drives(silent)) == 1
    held = [item._replace(receive_ns=end) if begin <= item.receive_ns < end else item
            for item in messages]
    assert len(drives(held)) == 1
    lost = [item for item in held
            if item.receive_ns != end or item.reading.stamp_ns < begin + STEP]
    assert len(drives(lost)) == 1


def test_messages_around_a_jump_go_to_the_drive_of_their_clock():
    messages = drive(jump_ns=-5 * SECOND)
    place = 3 * 100
    seam = messages[place].receive_ns
    early = heard(Command(messages[place].reading.stamp_ns - 5, 0.7, 0.0), seam - 1)
    late = heard(Command(messages[place - 3].reading.stamp_ns + 5, 0.8, 0.0), seam + 1)
    messages[place:place + 1] = [early, messages[place], late]
    old, new = drives(messages)
    assert late in old.received and early in new.received
    assert findings([old, new])[0].startswith('odom jumps back')


def test_many_breaks_are_counted():
    found = drives(drive(change=lambda one, i: one._replace(x=one.x + 9.0 * (i // 20 % 2))))
    assert len(found) == 10 and len(findings(found)) == 4
    assert findings(found)[-1] == 'and 6 more breaks of odom: 10 drives in all'


@pytest.mark.parametrize('kind', [Imu, Command])
@pytest.mark.parametrize('offset', [-0.77, -0.3, 0.77])
def test_topics_of_another_clock_are_moved_to_that_of_the_odometry(kind, offset):
    found, = drives(drive(sensors_ns=round(offset * SECOND)))
    right, = of(drives(drive()), kind)
    assert of([found], kind) == [right]
    topic = {Imu: '/imu', Command: '/cmd_vel'}[kind]
    assert f'{topic}: stamp offset {-offset:+.2f} s relative to odom, compensated' in \
        findings([found])


@pytest.mark.parametrize('offset', [0.05, 1.5])
def test_what_a_network_takes_and_what_is_no_offset_stay(offset):
    found, = drives(drive(sensors_ns=round(offset * SECOND)))
    assert found.received == drive(sensors_ns=round(offset * SECOND))
    assert bool(findings([found])) == (offset > 1.0)
    assert all('too large' in text for text in findings([found]))


def test_commands_without_a_stamp_are_placed_by_each_drive():
    """On the clock of before and on that of after, 2 ms after the odometry."""
    messages = []
    for item in drive(jump_ns=-5 * SECOND):
        if isinstance(item.reading, Command):
            now_ns = item.receive_ns + 2_000_000
            item = heard(item.reading._replace(stamp_ns=0), now_ns, stamped=False)
        messages.append(item)
    for stamps, times in zip(of(drives(messages), Command), of(drives(messages), Odometry)):
        assert [stamp - time for stamp, time in zip(stamps, times)] == [2_000_020] * 100


def test_bad_messages_and_other_topics_stay_where_they_were_received():
    bad = Received(START + 5, '/odom', InvalidMessage('speed is nan'))
    true = heard(odometry(3), START + 6, topic='/ground_truth')
    found, = drives([bad, true, *drive()])
    assert found.received[:2] == [bad, true]
    assert list(found.readings('/ground_truth')) == [true.reading]


def test_nothing_but_bad_messages_is_a_drive_without_odometry():
    found, = drives([Received(START, '/odom', InvalidMessage('speed is nan'))])
    assert len(found.stamps_ns()) == 0 and found.receipts is None
    assert len(drives([])) == 1
