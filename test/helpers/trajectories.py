"""Random predictions."""

from helpers.messages import SECOND
from lstm_predictor.prediction.trajectory import PredictedTrajectory
import numpy as np


def prediction(seed, horizon=40):
    random = np.random.default_rng(seed)
    factors = random.normal(size=(horizon, 3, 3))
    return PredictedTrajectory(
        anchor_ns=5 * SECOND, anchor=np.zeros(3),
        stamps_ns=5 * SECOND + np.arange(1, horizon + 1) * SECOND // 20,
        poses=random.normal(size=(horizon, 3)), covariances=factors @ factors.swapaxes(1, 2),
        twists=np.zeros((horizon, 3)), twist_stds=np.ones((horizon, 3)), imu_valid=True,
        command_valid=True)
