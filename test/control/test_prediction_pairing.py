"""A path and a pose are used together only where they are of one prediction."""

import itertools

from hypothesis import given, strategies as st
from lstm_predictor.common import se2
from lstm_predictor.common.readings import Command, Odometry
from lstm_predictor.control.compensator import Compensator, ReplannerConfig, Target
from lstm_predictor.control.prediction_pairing import PredictedPath, PredictionPairing
from lstm_predictor.prediction.trajectory import PredictedTrajectory
import numpy as np
import pytest

SECOND = 1_000_000_000  # [ns]
STEP_NS = SECOND // 20
START_NS = 1000 * SECOND
HORIZON = 40  # steps


def trajectory(index, speed=0.2, yaw_rate=0.5, error=0.01):
    """Return the prediction of a period: where an arc leads, by an error of its own."""
    anchor = se2.exp(np.array([speed, 0.0, yaw_rate]) * 0.05 * index)
    ahead = np.arange(1, HORIZON + 1)[:, None] * 0.05
    off = error * np.array([np.sin(1.7 * index), np.cos(2.3 * index), np.sin(0.9 * index)])
    poses = se2.compose(anchor, se2.exp(ahead * (np.array([speed, 0.0, yaw_rate]) + off)))
    anchor_ns = START_NS + index * STEP_NS
    nothing = np.zeros((HORIZON, 3))
    return PredictedTrajectory(
        anchor_ns, anchor, anchor_ns + STEP_NS * np.arange(1, HORIZON + 1), poses,
        np.zeros((HORIZON, 3, 3)), nothing, nothing, True, True)


def parts(index, latency, **motion):
    """Return the path and the pose that are published of a prediction."""
    made = trajectory(index, **motion)
    step = made.at(latency)
    return (PredictedPath(made.anchor_ns, made.stamps_ns, made.poses, made.anchor),
            Target(step.stamp_ns, step.pose))


def add(pairing, part):
    return pairing.add_pose(part) if isinstance(part, Target) else pairing.add_path(part)


latencies = st.floats(0.0, 2.0)
moving = st.floats(0.05, 1.0)


@given(latencies, moving, st.floats(-2.0, 2.0), st.lists(st.booleans(), min_size=1, max_size=8))
def test_whichever_arrives_first_they_are_used_together(latency, speed, yaw_rate, path_first):
    pairing = PredictionPairing()
    for index, first in enumerate(path_first):
        path, pose = parts(index, latency, speed=speed, yaw_rate=yaw_rate)
        one, other = (path, pose) if first else (pose, path)
        assert add(pairing, one) is None
        found = add(pairing, other)
        assert found.path is path and found.has_pose
        assert found.latency == pytest.approx(latency, abs=2e-9)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=20),
       st.floats(0.0, 0.4))
def test_no_pose_is_ever_used_with_the_path_of_another_prediction(arrivals, latency):
    """Whatever is lost, in whatever order the rest comes, while the robot moves."""
    pairing = PredictionPairing()
    for index, (has_path, has_pose, path_first) in enumerate(arrivals):
        own = latency + 0.001 * (index % 7)
        path, pose = parts(index, own)
        came = [part for part, there in ((path, has_path), (pose, has_pose)) if there]
        results = [add(pairing, part) for part in (came if path_first else came[::-1])]
        for found in filter(None, results):
            assert found.path is path
            if found.has_pose:
                assert found.latency == pytest.approx(own, abs=2e-9)
        if len(came) == 2:
            assert results[-1].has_pose


def test_a_lost_pose_is_waited_for_until_the_next_path_and_no_longer():
    pairing = PredictionPairing()
    for part in parts(0, 0.3):
        found = add(pairing, part)
    assert found.has_pose
    assert pairing.add_path(parts(1, 0.3)[0]) is None  # whose pose is lost
    path, pose = parts(2, 0.3)
    found = pairing.add_path(path)
    assert found == (path, pytest.approx(0.3), False)  # at the latency of the last pair
    assert pairing.add_pose(pose).has_pose
    assert pairing.add_path(parts(3, 0.3)[0]) is None  # paths wait again
    late = [pairing.add_path(parts(index, 0.3)[0]) for index in range(4, 40)]
    known = [found.latency is not None for found in late]
    assert known.index(False) == 19 and not any(known[19:])  # a second after the last pair


def test_without_any_pose_each_path_is_used_when_it_comes():
    pairing = PredictionPairing()
    found = [pairing.add_path(parts(index, 0.3)[0]) for index in range(5)]
    assert found[0] is None
    assert all(one.latency is None and not one.has_pose for one in found[1:])


def test_a_pose_without_its_path_is_not_used():
    pairing = PredictionPairing()
    assert [pairing.add_pose(parts(index, 0.3)[1]) for index in range(5)] == [None] * 5
    assert pairing.add_path(parts(5, 0.3)[0]) is None


def test_after_a_jump_of_time_nothing_from_before_is_used():
    pairing = PredictionPairing()
    path, pose = parts(100, 0.3)
    pairing.add_path(path)
    pairing.reset()
    assert pairing.add_pose(pose) is None
    for index in (0, 1):
        found = pairing.add_path(parts(index, 0.3)[0])
    assert found.latency is None


@pytest.mark.parametrize('latency', [0.0, 0.02, 0.05, 0.07, 1.99, 2.0])
def test_a_path_leads_through_the_pose_of_its_own_prediction_alone(latency):
    path, pose = parts(3, latency)
    assert path.leads_through(pose)
    for index in (0, 1, 2, 4, 5, 6):
        assert not parts(index, latency)[0].leads_through(pose)
    nowhere = Target(pose.stamp_ns, np.array([1.7e308, -1.7e308, 0.0]))
    assert not path.leads_through(nowhere)


@pytest.mark.parametrize('path_first', [True, False])
def test_the_same_command_comes_of_either_order(path_first):
    """The law for the replanner: what it sends does not depend on the order on the network."""
    sent = {}
    for first in (path_first, True):
        replanner, pairing = Compensator(ReplannerConfig()), PredictionPairing()
        commands = sent.setdefault(first, [])
        for index in range(60):
            steady, stamp_ns = 0.05 * index, START_NS + index * STEP_NS
            replanner.set_upstream(Command(stamp_ns, 0.2, 0.5), steady)
            replanner.set_odometry(Odometry(stamp_ns, *trajectory(index).anchor, 0.2, 0.5))
            path, pose = parts(index, 0.3, error=0.05)
            found = [add(pairing, part) for part in ((path, pose) if first else (pose, path))][-1]
            replanner.set_actuation_latency(found.latency)
            ahead_ns = round(1e9 * max(found.latency, 0.5))
            replanner.set_target(found.path.step_at(found.path.begin_ns + ahead_ns), steady)
            output = replanner.output(steady)
            commands.append((output.speed, output.yaw_rate))
    assert len(set(map(tuple, sent.values()))) == 1
    changes = [abs(a[1] - b[1]) for a, b in itertools.pairwise(commands)]
    assert max(changes[10:]) > 0.0  # it does correct
