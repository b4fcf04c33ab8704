"""The demo leaves what it promises, and no process behind."""

import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

from lstm_predictor.common import readings
from lstm_predictor.common.metrics import position_error
from lstm_predictor.model.model_file import load
from lstm_predictor.recordings.rosbag_io import Recording
from lstm_predictor.training.dataset import filled_window

import numpy as np

import pytest

pytestmark = pytest.mark.ros
pytest.importorskip('rclpy')
pytest.importorskip('mujoco')

MODEL = Path(__file__).parents[2] / 'models' / 'turtlebot3.pt'
RUNS = ('without_replanner', 'with_replanner')


@pytest.fixture(scope='module')
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp('demo')
    result = subprocess.run([*command(), '--seconds', '6', '--out', out],
                            capture_output=True, text=True, timeout=200)
    assert result.returncode == 0, result.stderr
    return out, result.stdout


def command():
    return [sys.executable, '-m', 'lstm_predictor.cli.demo']


def children_of(session):
    """Return the command lines of our nodes whose parent is or was a process."""
    found = []
    for folder in Path('/proc').iterdir():
        try:
            line = (folder / 'cmdline').read_bytes().split(b'\0')
            environment = (folder / 'environ').read_bytes()
        except (OSError, PermissionError):
            continue
        if b'lstm_predictor.entry_points' in line and session.encode() in environment:
            found.append(line)
    return found


def test_table_picture_and_recordings_are_there(demo):
    out, printed = demo
    numbers = json.loads((out / 'demo.json').read_text())
    for run in RUNS:
        scores = numbers['groups'][run]['predictors']
        assert np.isfinite(scores['published']['position_rmse_m']).all()
        assert f'{numbers["cross_track_rmse_m"][run]:.4f}' in printed
        assert (out / run / 'metadata.yaml').is_file()
    half_a_second = {name: np.hypot(*(
        numbers['groups'][run]['predictors'][name]['position_rmse_m'][2] for run in RUNS))
        for name in ('published', 'constant_velocity')}
    assert half_a_second['published'] < half_a_second['constant_velocity']
    assert (out / 'demo.png').read_bytes().startswith(b'\x89PNG')


@pytest.mark.parametrize('run', RUNS)
def test_a_predicted_pose_is_where_the_robot_is_at_its_stamp(demo, run):
    contract = load(MODEL).contract
    with Recording(demo[0] / run) as recording:
        window = filled_window(recording.readings(), contract.window_config(0.22, 2.84))
        poses, stamps, begins, begin_ns = [], [], [], 0
        for message in recording.messages_on('/predicted_path', '/predicted_pose'):
            content = message.decoded()
            if message.topic == '/predicted_path':
                begin_ns = readings.stamp_ns(content.header)
                continue
            planar = content.pose.covariance.reshape(6, 6)[np.ix_([0, 1, 5], [0, 1, 5])]
            assert np.linalg.eigvalsh(planar).min() > 0.0
            stamps.append(readings.stamp_ns(content.header))
            begins.append(begin_ns)
            poses.append(readings.read_pose(content.pose.pose))
    stamps, begins, poses = np.array(stamps), np.array(begins), np.array(poses)
    known = window.without_gap(begins, stamps)
    poses, then, before = poses[known], window.poses(stamps[known]), window.poses(begins[known])
    # On a busy machine the robot is told little, and stands.
    moved = position_error(then, before) > 0.01
    assert moved.sum() > 20
    assert np.median(position_error(poses, then)[moved]) \
        < 0.25 * np.median(position_error(before, then)[moved])


def test_ctrl_c_leaves_no_process_behind(tmp_path):
    mark = f'LSTM_PREDICTOR_TEST={os.getpid()}-{time.monotonic_ns()}'
    name, value = mark.split('=')
    process = subprocess.Popen(
        [*command(), '--seconds', '60', '--out', tmp_path], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ, name: value},
        # It is ignored in what a shell runs behind.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    end = time.monotonic() + 60.0
    while len(children_of(mark)) < 3 and time.monotonic() < end:
        time.sleep(0.05)
    assert len(children_of(mark)) == 3
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert 'Traceback' not in errors
    assert children_of(mark) == []
