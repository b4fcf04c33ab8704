"""What the replanner may do to a command, whatever it is fed."""

from dataclasses import replace
import math

from hypothesis import given, settings, strategies as st
from lstm_predictor.common import se2
from lstm_predictor.common.readings import Command, InvalidMessage, Odometry
from lstm_predictor.control.compensator import Compensator, ReplannerConfig, Target
from lstm_predictor.control.status import Output, ReplannerStatus as Status
import numpy as np
import pytest

SECOND = 1_000_000_000  # [ns]
START = 1000 * SECOND
CONFIG = ReplannerConfig(
    max_velocity=(0.3, 0.0, 2.0), min_velocity=(-0.1, 0.0, -2.0),
    max_accel=(1.0, 0.0, 3.0), max_decel=(-2.0, 0.0, -5.0))
PERIOD = 0.05  # [s]
HORIZON = 0.5  # [s]

moderate = st.floats(-3.0, 3.0)
extreme = st.floats(allow_nan=False, allow_infinity=False)


def events(numbers, times=st.integers(0, 5 * SECOND)):
    """Return a strategy of (seconds passed, what arrives then)."""
    return st.lists(st.tuples(st.floats(0.0, 0.8), st.one_of(
        st.none(),
        st.builds(Command, times, numbers, numbers),
        st.builds(Odometry, times, numbers, numbers, numbers, numbers, numbers),
        st.builds(Target, times, st.tuples(numbers, numbers, numbers).map(np.array)))),
        max_size=25)


def take(replanner, event, steady):
    if isinstance(event, Command):
        replanner.set_upstream(event, steady)
    elif isinstance(event, Odometry):
        replanner.set_odometry(event)
    elif isinstance(event, Target):
        replanner.set_target(event, steady)
    else:
        replanner.drop_target()


def outputs(sequence, config=CONFIG):
    """Return [(seconds since the last output, output)] of a new replanner."""
    replanner, steady, made = Compensator(config), 0.0, []
    for passed, event in sequence:
        steady += passed
        take(replanner, event, steady)
        made.append((passed, replanner.output(steady)))
    return made


def drive(upstream, gain=1.0, seconds=4.0, config=CONFIG, predicts=True, obeys=True,
          horizon=HORIZON):
    """
    Return the outputs for a robot that moves `gain` times as asked, and for its prediction.

    `upstream` is a function of time [s]. The robot obeys upstream itself, or what the replanner
    sends.
    """
    replanner, pose, made = Compensator(config), np.zeros(3), []
    for index in range(round(seconds / PERIOD)):
        t = index * PERIOD
        command = Command(START + round(t * SECOND), *upstream(t))
        replanner.set_upstream(command, t)
        replanner.set_odometry(Odometry(command.stamp_ns, *pose, 0.0, 0.0))
        sent = (made[-1].speed, made[-1].yaw_rate) if made else (0.0, 0.0)
        sent = sent if obeys else command[1:]
        twist = gain * np.array([sent[0], 0.0, sent[1]])
        if predicts:
            replanner.set_target(Target(command.stamp_ns + round(horizon * SECOND), se2.compose(
                pose, se2.exp(horizon * twist))), t)
        pose = se2.compose(pose, se2.exp(PERIOD * twist))
        made.append(replanner.output(t))
    return made


def constant(speed, yaw_rate):
    return lambda t: (speed, yaw_rate)


# Limits.

def assert_within_limits(made, config=CONFIG):
    before = (0.0, 0.0)
    for passed, output in made:
        now = output.speed, output.yaw_rate
        for axis, old, new in zip((0, 2), before, now):
            assert config.min_velocity[axis] <= new <= config.max_velocity[axis]
            assert old * new >= 0.0
            most = config.max_accel[axis] if abs(new) > abs(old) else -config.max_decel[axis]
            assert abs(new - old) <= most * passed + 1e-12 or output.status in (
                Status.STOPPED, Status.ZERO_REQUESTED)
        before = now


@settings(max_examples=200)
@given(events(moderate))
def test_every_output_is_inside_the_limits(sequence):
    assert_within_limits(outputs(sequence))


@settings(max_examples=200)
@given(events(extreme, st.integers(0, 2**62)))
def test_every_output_is_inside_the_limits_for_extreme_inputs(sequence):
    with np.errstate(all='ignore'):
        assert_within_limits(outputs(sequence))


@pytest.mark.parametrize('speed', [0.2, 0.0])
def test_poses_that_are_no_numbers_to_each_other_do_not_reach_the_robot(speed):
    """The way between two finite poses may be infinite, and zero times that is no number."""
    replanner, far = Compensator(CONFIG), (1.7e308, 1.7e308, 0.785)
    replanner.set_odometry(Odometry(START, *far, 0.0, 0.0))
    with np.errstate(all='ignore'):
        for steady in (0.0, 0.1, 0.2):
            replanner.set_upstream(Command(START, speed, 0.5), steady)
            replanner.set_target(Target(START + SECOND, np.array(far)), steady)
            output = replanner.output(steady)
            assert 0.0 <= output.speed <= 0.3 and abs(output.yaw_rate) <= 2.0


@given(st.floats(0.0, 1.0), extreme, extreme, extreme)
def test_the_correction_is_bounded_relative_to_the_command(part, x, y, yaw):
    config = replace(CONFIG, max_relative_correction=part, max_accel=(100.0, 0.0, 100.0),
                     max_decel=(-100.0, 0.0, -100.0))
    replanner = Compensator(config)
    replanner.set_odometry(Odometry(START, 0.0, 0.0, 0.0, 0.0, 0.0))
    replanner.set_upstream(Command(START, 0.2, 0.5), 0.0)
    replanner.set_target(Target(START + SECOND // 2, np.array([x, y, yaw])), 0.0)
    with np.errstate(all='ignore'):
        replanner.output(0.0)
        output = replanner.output(0.1)
    assert abs(output.speed - 0.2) <= part * 0.3 + 1e-12
    assert abs(output.yaw_rate - 0.5) <= part * 2.0 + 1e-12


# Symmetry.

def mirrored(event):
    if isinstance(event, Command):
        return event._replace(yaw_rate=-event.yaw_rate)
    if isinstance(event, Odometry):
        return event._replace(y=-event.y, yaw=-event.yaw, yaw_rate=-event.yaw_rate)
    return event and replace(event, pose=event.pose * [1.0, -1.0, -1.0])


@settings(max_examples=200)
@given(events(st.floats(-1.5, 1.5)))
def test_left_and_right_are_treated_alike(sequence):
    there = outputs([(passed, mirrored(event)) for passed, event in sequence])
    for (_, one), (_, other) in zip(outputs(sequence), there):
        assert other.speed == pytest.approx(one.speed, abs=1e-9)
        assert other.yaw_rate == pytest.approx(-one.yaw_rate, abs=1e-9)
        assert other.status == one.status


@pytest.mark.parametrize('side', [1.0, -1.0])
def test_a_robot_that_drifts_to_one_side_is_steered_to_the_other(side):
    made = drive(constant(0.2, 0.0), seconds=1.0)
    replanner = Compensator(CONFIG)
    for step in range(20):
        stamp = START + round(step * PERIOD * SECOND)
        replanner.set_upstream(Command(stamp, 0.2, 0.0), step * PERIOD)
        replanner.set_odometry(Odometry(stamp, 0.01 * step, 0.0, 0.0, 0.0, 0.0))
        ahead = np.array([0.01 * step + 0.1, 0.03 * side, 0.1 * side])
        replanner.set_target(Target(stamp + SECOND // 2, ahead), step * PERIOD)
        output = replanner.output(step * PERIOD)
    assert output.yaw_rate * side < -0.05 and made[-1].yaw_rate == pytest.approx(0.0, abs=1e-9)


# Where there is nothing to correct.

@settings(max_examples=100)
@given(events(moderate), st.lists(st.floats(0.0, 0.3), min_size=8, max_size=8))
def test_zero_upstream_stops_the_robot_at_once_and_for_good(sequence, passed):
    """Whatever came before and whatever else is heard."""
    replanner, steady = Compensator(CONFIG), 0.0
    for seconds, event in sequence:
        steady += seconds
        take(replanner, event, steady)
        replanner.output(steady)
    stamp = 6 * SECOND
    for index, (seconds, (_, event)) in enumerate(zip(passed, sequence)):
        steady += seconds
        if not isinstance(event, Command):
            take(replanner, event, steady)
        replanner.set_upstream(Command(stamp + index, 0.0, 0.0), steady)
        assert replanner.output(steady) == Output(0.0, 0.0, Status.ZERO_REQUESTED)
    replanner.set_upstream(Command(stamp + SECOND, 0.0, 0.0), steady)
    assert replanner.output(steady) == Output(0.0, 0.0, Status.ZERO_REQUESTED)


def test_a_correction_never_reverses_the_direction():
    """A robot that is far too fast is slowed down by its share and not driven back."""
    made = drive(constant(0.05, 0.0), gain=6.0)
    assert made[-1].speed == pytest.approx((1.0 - CONFIG.max_relative_correction) * 0.05)
    assert all(output.speed >= 0.0 for output in made)


def test_before_the_first_command_nothing_moves():
    replanner = Compensator(CONFIG)
    replanner.set_odometry(Odometry(START, 0.0, 0.0, 0.0, 0.0, 0.0))
    replanner.set_target(Target(START + SECOND, np.ones(3)), 0.0)
    output = replanner.output(0.1)
    assert (output.speed, output.yaw_rate, output.status) == (0.0, 0.0, Status.IDLE)


@given(st.floats(0.5001, 1e6))
def test_a_stale_upstream_command_stops_the_robot_at_once(age):
    replanner = Compensator(CONFIG)
    for steady in (0.0, 0.2, 0.4):
        replanner.set_upstream(Command(START + round(steady * SECOND), 0.2, 1.0), steady)
        moving = replanner.output(steady)
    assert moving.speed > 0.1
    output = replanner.output(0.4 + age)
    assert (output.speed, output.yaw_rate, output.status) == (0.0, 0.0, Status.STOPPED)


def test_after_a_stop_it_accelerates_from_zero():
    replanner = Compensator(CONFIG)
    for steady in (0.0, 0.3):
        replanner.set_upstream(Command(START + round(steady * SECOND), 0.2, 0.0), steady)
        replanner.output(steady)
    replanner.output(1.0)
    replanner.set_upstream(Command(START + SECOND, 0.2, 0.0), 1.05)
    assert replanner.output(1.05).speed == pytest.approx(0.05 * CONFIG.max_accel[0])


# Where the prediction cannot be used.

def limited(sequence):
    """Return the outputs of a replanner that never had a prediction."""
    return [output for _, output in outputs([
        (passed, Odometry(0, 0.0, 0.0, 0.0, 0.0, 0.0) if isinstance(event, Target) else event)
        for passed, event in sequence])]


def wild_target(t):
    return Target(START + round((t + HORIZON) * SECOND), np.array([5.0, -5.0, 2.0]))


@pytest.mark.parametrize('way', ['never', 'dropped', 'stale', 'of the past'])
def test_without_a_usable_prediction_the_limited_command_passes(way):
    replanner, without = Compensator(CONFIG), Compensator(CONFIG)
    for index in range(40):
        t = 0.05 * index
        for one in (replanner, without):
            one.set_upstream(Command(START + round(t * SECOND), 0.5, math.sin(9.0 * t)), t)
            one.set_odometry(Odometry(START + round(t * SECOND), 0.1 * t, 0.0, 0.0, 0.0, 0.0))
        if way == 'dropped':
            replanner.set_target(wild_target(t), t)
            replanner.drop_target()
        if way == 'stale':
            replanner.set_target(wild_target(t), t - 0.31)
        if way == 'of the past':
            replanner.set_target(wild_target(t - 3.0), t)
        output, expected = replanner.output(t), without.output(t)
        assert output == expected and output.status == Status.UNCORRECTED
    assert output.speed == CONFIG.max_velocity[0]


def test_a_prediction_that_stops_coming_ends_the_correction():
    replanner = Compensator(CONFIG)
    for index in range(20):
        t = 0.05 * index
        replanner.set_upstream(Command(START + round(t * SECOND), 0.2, 0.0), t)
        replanner.set_odometry(Odometry(START + round(t * SECOND), 0.0, 0.0, 0.0, 0.0, 0.0))
        if t <= 0.4:
            stamp_ns = START + round((t + HORIZON) * SECOND)
            replanner.set_target(Target(stamp_ns, np.array([0.1, 0.01, 0.0])), t)
        output = replanner.output(t)
        expected = Status.CORRECTED if index < 14 else Status.UNCORRECTED
        assert output.status is expected or index == 14
    assert output.speed == 0.2


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
def test_a_target_that_is_not_finite_is_refused_by_its_value(value):
    with pytest.raises(InvalidMessage, match=str(value)):
        Target(START, np.array([0.0, value, 0.0]))


# Where the prediction is used.

@pytest.mark.parametrize('speed, yaw_rate', [
    (0.2, 0.0), (0.2, 0.8), (0.1, -1.5), (-0.08, 0.3), (0.0, 1.0)])
def test_a_perfect_robot_is_left_alone(speed, yaw_rate):
    made = drive(constant(speed, yaw_rate))
    assert made[-1].status == Status.CORRECTED
    for output in made[20:]:
        assert output.speed == pytest.approx(speed, rel=0.01, abs=1e-6)
        assert output.yaw_rate == pytest.approx(yaw_rate, rel=0.01, abs=1e-6)


def test_a_perfect_robot_is_left_alone_on_a_winding_way():
    def winding(t):
        return 0.2 + 0.05 * math.sin(t), 1.0 + 0.8 * math.cos(t)
    # It obeys at once, so that nothing is predicted farther ahead.
    for index, output in enumerate(drive(winding, horizon=0.1)[20:], start=20):
        assert output.speed == pytest.approx(winding(index * PERIOD)[0], rel=0.01)
        assert output.yaw_rate == pytest.approx(winding(index * PERIOD)[1], rel=0.01)


@pytest.mark.parametrize('effects, left_alone', [
    ((), True), ((0.25,), True), ((0.4,), True), ((0.25, 0.0), True), ((0.0,), False)])
def test_a_dead_time_is_nothing_to_correct(effects, left_alone):
    """
    Nobody can undo it: a robot that does all it is asked to, only later, is left alone.

    Unless the predictor says all the while that commands have effect earlier: then it is a lag.
    """
    asked = [(0.2 + 0.05 * math.sin(0.1 * i), 1.0 + 0.8 * math.cos(0.1 * i)) for i in range(80)]
    replanner, late, ahead = Compensator(CONFIG), 5, round(HORIZON / PERIOD)
    sent = []

    def moved(pose, begin, end, newest):
        """Return the pose after periods; what is not yet asked for is what was asked last."""
        for index in range(begin, end):
            speed, yaw_rate = sent[min(index, newest)] if index >= 0 and sent else (0.0, 0.0)
            pose = se2.compose(pose, se2.exp([speed * PERIOD, 0.0, yaw_rate * PERIOD]))
        return pose

    pose = np.zeros(3)
    for now, command in enumerate(asked):
        stamp, steady = START + round(now * PERIOD * SECOND), now * PERIOD
        replanner.set_upstream(Command(stamp, *command), steady)
        replanner.set_odometry(Odometry(stamp, *pose, 0.0, 0.0))
        future = moved(pose, now - late, now - late + ahead, now - 1)
        replanner.set_target(Target(stamp + round(HORIZON * SECOND), future), steady)
        for seconds in effects:
            replanner.set_actuation_latency(seconds)
        output = replanner.output(steady)
        sent.append((output.speed, output.yaw_rate))
        if now > 40:
            assert output.status == Status.CORRECTED
            if left_alone:
                assert (output.speed, output.yaw_rate) == pytest.approx(command, rel=0.01)
        pose = moved(pose, now - late, now - late + 1, now)
    assert left_alone or np.abs(np.subtract(sent, asked)[40:, 1]).max() > 0.03


@pytest.mark.parametrize('speed, yaw_rate', [(0.2, 0.0), (-0.08, 0.0), (0.0, 1.0), (0.2, 1.0)])
@pytest.mark.parametrize('gain, sign', [(0.8, 1.0), (1.25, -1.0)])
def test_a_weak_robot_is_asked_for_more_and_a_strong_one_for_less(speed, yaw_rate, gain, sign):
    output = drive(constant(speed, yaw_rate), gain, obeys=True)[-1]
    for wanted, sent in ((speed, output.speed), (yaw_rate, output.yaw_rate)):
        assert sign * math.copysign(1.0, wanted) * (sent - wanted) > 0.02 * abs(wanted) - 1e-6


def test_a_weak_robot_covers_more_of_its_way_with_the_correction():
    def covered(**options):
        return sum(o.speed for o in drive(constant(0.2, 0.0), 0.8, obeys=True, **options))
    assert covered() > 1.05 * covered(predicts=False)


def test_without_authority_nothing_is_corrected():
    calm = replace(CONFIG, max_relative_correction=0.0)
    for one, other in zip(drive(constant(0.2, 0.5), 0.5, config=calm),
                          drive(constant(0.2, 0.5), 0.5, predicts=False)):
        assert (one.speed, one.yaw_rate) == (other.speed, other.yaw_rate)


# State and time.

def test_reset_is_a_new_replanner():
    replanner = Compensator(CONFIG)
    for index in range(20):
        replanner.set_upstream(Command(START + index, 0.2, 1.0), index * PERIOD)
        replanner.set_odometry(Odometry(START + index, 1.0, 2.0, 3.0, 0.0, 0.0))
        replanner.set_target(wild_target(1.0), index * PERIOD)
        replanner.output(index * PERIOD)
    replanner.reset()
    output = replanner.output(1.0)
    assert (output.speed, output.yaw_rate, output.status) == (0.0, 0.0, Status.IDLE)
    replanner.set_upstream(Command(START, 0.2, 1.0), 1.05)
    assert replanner.output(1.05).status == Status.UNCORRECTED


@pytest.mark.parametrize('first', ['odometry', 'upstream'])
def test_time_that_jumps_back_is_survived_and_forgets_the_past(first):
    """As when a simulation starts again, while the steady clock goes on."""
    replanner = Compensator(CONFIG)

    def feed(index, back_ns, upstream=True):
        stamp, steady = START - back_ns + round(index * PERIOD * SECOND), index * PERIOD
        if upstream:
            replanner.set_upstream(Command(stamp, 0.2, 0.0), steady)
        else:
            replanner.set_odometry(Odometry(stamp, 0.01 * index, 0.0, 0.0, 0.0, 0.0))
            pose = np.array([0.01 * index + 0.1, 0.0, 0.0])
            replanner.set_target(Target(stamp + SECOND // 2, pose), steady)
        return replanner.output(steady)

    for index in range(100):
        back_ns = 100 * SECOND if index >= 50 else 0
        output = feed(index, back_ns, first == 'upstream')
        output = feed(index, back_ns, first != 'upstream')
        assert 0.0 <= output.speed <= CONFIG.max_velocity[0]
    assert output.status == Status.CORRECTED
    # What it had learned is forgotten, too; this robot moves as asked, whatever it is told.
    assert output.speed == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize('name, value', [
    ('max_velocity', (-0.1, 0.0, 1.0)), ('max_velocity', (0.1, 0.0)),
    ('max_velocity', (math.inf, 0.0, 1.0)), ('min_velocity', (0.1, 0.0, -1.0)),
    ('max_accel', (math.nan, 0.0, 1.0)), ('max_decel', (1.0, 0.0, 1.0)),
    ('velocity_timeout', 0.0), ('prediction_timeout', -1.0), ('odometry_timeout', math.nan),
    ('k_x', -0.1), ('k_y', math.inf), ('k_theta', math.nan),
    ('max_relative_correction', 1.1), ('max_relative_correction', -0.1)])
def test_a_wrong_value_is_named(name, value):
    with pytest.raises(ValueError, match=name) as wrong:
        ReplannerConfig(**{name: value})
    assert str(list(value) if isinstance(value, tuple) else value) in str(wrong.value)


def test_a_turn_on_the_spot_keeps_its_direction_and_a_little_motion_stays_little():
    turning = drive(constant(0.0, 0.05), gain=6.0)
    assert all(0.0 <= output.yaw_rate <= 0.1 and output.speed == 0.0 for output in turning)
    creeping = drive(constant(0.005, 0.0), gain=0.1)
    assert 0.005 < creeping[-1].speed <= (1.0 + CONFIG.max_relative_correction) * 0.005 + 1e-12


def test_the_watchdog_outlives_a_jump_of_the_odometry():
    """The simulator starts again and upstream dies with it: the robot must be stopped."""
    replanner = Compensator(CONFIG)
    replanner.set_odometry(Odometry(START + 100 * SECOND, 0.0, 0.0, 0.0, 0.0, 0.0))
    replanner.set_upstream(Command(START + 100 * SECOND, 0.2, 0.0), 0.0)
    replanner.output(0.0)
    assert replanner.output(0.3).speed > 0.0
    replanner.set_odometry(Odometry(START, 0.0, 0.0, 0.0, 0.0, 0.0))
    stopped = replanner.output(1.0)
    assert (stopped.speed, stopped.status) == (0.0, Status.STOPPED)


@pytest.mark.parametrize('jump', [-1.5, -2.5, -100.0, 100.0])
def test_time_that_jumps_is_corrected_in_again_within_two_seconds(jump):
    """A weak robot, whose clock jumps; what was learned of it is of another time."""
    replanner, pose, statuses, gains = Compensator(CONFIG), np.zeros(3), [], []
    for index in range(260):
        steady = index * PERIOD
        stamp = START + round((steady + (jump if index >= 180 else 0.0)) * SECOND)
        replanner.set_upstream(Command(stamp, 0.2, 0.0), steady)
        replanner.set_odometry(Odometry(stamp, *pose, 0.0, 0.0))
        output = replanner.output(steady)
        twist = 0.8 * np.array([output.speed, 0.0, output.yaw_rate])
        replanner.set_target(Target(stamp + round(HORIZON * SECOND), se2.compose(
            pose, se2.exp(HORIZON * twist))), steady)
        pose = se2.compose(pose, se2.exp(PERIOD * twist))
        statuses.append(output.status)
        gains.append(replanner.gains.factors.along)
    assert gains[179] < 0.9 and gains[180] == 1.0
    assert set(statuses[40:180]) == {Status.CORRECTED} == set(statuses[220:])


def test_what_it_learned_of_the_robot_outlives_a_stop_but_no_silence():
    """A stop at a corner brings no other robot; a source that falls silent may."""
    replanner, x = Compensator(CONFIG), 0.0
    for index in range(200):
        steady, stamp = index * PERIOD, START + round(index * PERIOD * SECOND)
        replanner.set_upstream(Command(stamp, 0.2 if index < 180 else 0.0, 0.0), steady)
        replanner.set_odometry(Odometry(stamp, x, 0.0, 0.0, 0.0, 0.0))
        replanner.set_target(Target(stamp + SECOND // 2, np.array([x + 0.08, 0.0, 0.0])), steady)
        x += 0.8 * replanner.output(steady).speed * PERIOD
    assert replanner.gains.factors.along < 0.9
    assert replanner.output(steady + 1.0).status == Status.STOPPED
    assert replanner.gains.factors.along == 1.0


def test_a_prediction_of_the_past_corrects_nothing():
    replanner = Compensator(CONFIG)
    for step in range(40):
        stamp_ns, steady = START + step * SECOND // 20, step / 20
        replanner.set_odometry(Odometry(stamp_ns, 0.005 * step, 0.0, 0.0, 0.1, 0.0))
        replanner.set_upstream(Command(stamp_ns, 0.2, 0.0), steady)
        replanner.set_target(Target(stamp_ns - SECOND // 20, np.zeros(3)), steady)
        assert replanner.output(steady).status == Status.UNCORRECTED


@pytest.mark.parametrize('name', ['max_accel', 'max_decel'])
def test_a_robot_that_could_never_start_or_stop_is_refused(name):
    with pytest.raises(ValueError, match=name):
        ReplannerConfig(**{name: (0.0, 0.0, 0.0)})
