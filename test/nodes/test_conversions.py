"""What is published of one prediction is read as one prediction."""

from dataclasses import replace

from helpers.messages import SECOND, stamp_of
from helpers.trajectories import prediction
from lstm_predictor.common.readings import read_pose
from lstm_predictor.control.compensator import Target
import numpy as np
import pytest

pytest.importorskip('rclpy')

from lstm_predictor.nodes.conversions import path_message, pose_message  # noqa: E402
from lstm_predictor.nodes.modes.compensate import read_path  # noqa: E402

pytestmark = pytest.mark.ros


@pytest.mark.parametrize('latency', [0.0, 0.03, 0.05, 0.27, 1.3, 9.0])
def test_path_and_pose_of_one_prediction_belong_together_and_no_others(latency):
    made = [replace(prediction(seed), anchor_ns=5 * SECOND + seed * SECOND // 20,
                    anchor=np.array([0.01 * seed, 1e5, 3.14]),
                    stamps_ns=5 * SECOND + np.arange(seed + 1, seed + 41) * SECOND // 20)
            for seed in range(3)]
    paths = [read_path(path_message(one, 'odom'))._replace(begin=one.anchor) for one in made]
    for number, one in enumerate(made):
        message = pose_message(one.at(latency), 'odom')
        pose = Target(stamp_of(message), np.array(read_pose(message.pose.pose)))
        assert [path.leads_through(pose) for path in paths] == [
            index == number for index in range(3)]
