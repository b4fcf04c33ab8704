"""Simulated robots: all differ, each is the same again, and each is within its ranges."""

from dataclasses import fields, replace
import math

from hypothesis import given, settings, strategies as st
from lstm_predictor.common.readings import Command, Imu, Odometry
from lstm_predictor.training import simulated_fleet
from lstm_predictor.training.simulated_fleet import FleetConfig
import numpy as np
import pytest

CONFIG = FleetConfig(robots=3, seconds=8.0, seed=4)  # of the fixture `tracks`
RANGES = [item.name for item in fields(FleetConfig) if isinstance(item.default, tuple)]

seeds = st.integers(0, 2**31 - 1)


def driven(config, number=0):
    return simulated_fleet.drive_job(simulated_fleet.jobs(config)[number])


def of(kind, track):
    return np.array([reading for reading in track.readings if isinstance(reading, kind)])


@pytest.mark.parametrize('processes', [1, 3])
def test_a_fleet_is_the_same_in_any_number_of_processes(tracks, processes):
    assert list(simulated_fleet.tracks(CONFIG, processes)) == tracks


def test_every_robot_and_every_seed_is_another_one(tracks):
    other = driven(replace(CONFIG, seed=5))
    readings = [track.readings for track in (*tracks, other)]
    assert all(one != two for i, one in enumerate(readings) for two in readings[:i])


def test_a_fleet_that_is_larger_has_the_same_robots_first(tracks):
    assert driven(replace(CONFIG, robots=9), 2) == tracks[2]


def test_a_track_is_what_a_robot_would_hear(tracks):
    for track in tracks:
        assert {type(reading) for reading in track.readings} == {Odometry, Imu, Command}
        stamps = of(Odometry, track)[:, 0]
        assert (np.diff(stamps) > 0).all() and stamps[0] > 0
        assert stamps[-1] - stamps[0] > 1e9 * (CONFIG.seconds - 1.0)
        heard = [reading.stamp_ns for reading in track.readings]
        assert heard == sorted(heard)


def test_what_the_odometry_would_say_without_noise_is_near_what_it_says(tracks):
    for track in tracks:
        expected = {int(stamp): pose for stamp, *pose in track.expected}
        said = of(Odometry, track)
        distance = [math.dist(expected[int(stamp)][:2], (x, y)) for stamp, x, y, *_ in said]
        assert max(distance) < 0.05 and len(said) <= len(expected)


@settings(max_examples=2)
@given(seeds)
def test_an_ideal_robot_has_no_noise_and_does_at_once_what_it_is_told(seed):
    track = driven(FleetConfig(robots=1, seconds=6.0, seed=seed, ideal_share=1.0, size=(1.0, 1.0)))
    expected = {int(stamp): pose for stamp, *pose in track.expected}
    for stamp, *pose in of(Odometry, track)[:, :4]:
        np.testing.assert_allclose(pose, expected[int(stamp)], atol=1e-9)
    assert track.delay == track.lag == 0.0


@pytest.mark.parametrize('seed', [1, 2])
def test_a_larger_robot_drives_the_same_drive_at_its_size(seed):
    one, twice = (driven(FleetConfig(robots=1, seconds=6.0, seed=seed, size=(size, size)))
                  for size in (1.0, 2.0))
    for kind, scale in ((Odometry, [1, 2, 2, 1, 2, 1]), (Imu, [1, 1, 2]), (Command, [1, 2, 1])):
        np.testing.assert_allclose(of(kind, twice), of(kind, one) * scale, rtol=1e-9)
    assert twice.max_speed == pytest.approx(2.0 * one.max_speed)
    assert twice.max_yaw_rate == pytest.approx(one.max_yaw_rate)


@settings(max_examples=100)
@given(seeds)
def test_every_random_robot_is_within_the_ranges(seed):
    config = FleetConfig(motor_lag=(0.1, 0.2), yaw_rate_gain=(0.05, 0.5))
    robot = simulated_fleet.random_robot(config, np.random.default_rng(seed))
    for name in RANGES:
        if name != 'size':
            low, high = getattr(config, name)
            assert low * (1.0 - 1e-9) <= getattr(robot, name) <= high * (1.0 + 1e-9)
    assert robot.payload <= config.max_payload


@pytest.mark.parametrize('change', [
    {'robots': 0}, {'seconds': 5.0}, {'size': (0.0, 1.0)}, {'motor_lag': (0.5, 0.1)},
    {'command_delay': (-0.1, 0.1)}, {'speed_gain': (math.nan, 1.0)}], ids=str)
def test_a_wrong_value_is_named(change):
    (name, value), = change.items()
    shown = value[0] if isinstance(value, tuple) else value
    with pytest.raises(ValueError, match=f'{name}.*{shown}'):
        FleetConfig(**change)
