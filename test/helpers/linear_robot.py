"""A robot that is nothing but a dead time, a lag and a gain."""

from functools import cache

from lstm_predictor.common import metrics, se2
from lstm_predictor.common.readings import Command, Odometry
from lstm_predictor.common.se2 import integrate
from lstm_predictor.model.window import WindowConfig
from lstm_predictor.training import dataset, fit_linear_prior
from lstm_predictor.training.batches import Source
from lstm_predictor.training.track import Track
import numpy as np
from scipy.signal import lfilter

CONFIG = WindowConfig()
HORIZON = 40
STEP = 1.0 / CONFIG.rate  # [s]
STEP_NS = CONFIG.step_ns


def driven(seed=0, delay=0.2, lag=0.15, gain=(1.0, 1.0), seconds=40.0, noise=0.0, hold=(8, 24)):
    """
    Return the examples of a robot that is nothing but a dead time, a lag and a gain.

    Its commands change at steps of the grid, after `hold` steps. It is stepped by 1 ms, exactly
    where the dead time is whole milliseconds; `noise` [-] is that of the twist it reports.
    """
    rng = np.random.default_rng(seed)
    steps, fine = round(seconds / STEP), 50
    asked = np.repeat(rng.uniform(-1.0, 1.0, (steps, 2)) * [0.2, 1.0],
                      rng.integers(*hold, steps), axis=0)[:steps]
    late = np.concatenate([np.zeros((round(1000 * delay), 2)), np.repeat(asked, fine, axis=0)])
    stay = np.exp(-0.001 / lag)
    after = lfilter([1.0 - stay], [1.0, -stay], late[:steps * fine] * gain, axis=0)
    twists = np.concatenate([[[0.0, 0.0]], after])
    poses = integrate(0.5 * (twists[1:] + twists[:-1])[None], 0.001)[0]
    poses = np.concatenate([[[0.0, 0.0, 0.0]], poses])
    said = twists * (1.0 + noise * rng.standard_normal(twists.shape))
    readings = []
    for i in range(steps):
        x, y, yaw = poses[i * fine]
        readings += [Odometry((i + 1) * STEP_NS, x, y, float(se2.wrap(yaw)), *said[i * fine]),
                     Command((i + 1) * STEP_NS, *asked[i])]
    return dataset.examples_of(Track('lag', readings), CONFIG, HORIZON)


def inputs(examples, known=True):
    """Return the windows and the commands as predictors take them."""
    commands = examples.commands.astype(float)
    return examples.windows.astype(float), commands if known else np.zeros_like(commands)


def errors(predictor, examples, known=True):
    """Return the RMS errors [m], [rad] after 2 s."""
    poses = predictor.predict(*inputs(examples, known))[:, -1]
    later = examples.futures[:, -1].astype(float)
    return np.array([metrics.rms(metrics.position_error(poses, later)),
                     metrics.rms(metrics.heading_error(poses, later))])


def source_of(examples):
    return Source(examples, fit_linear_prior.error_scales(examples, STEP), 1.0)


@cache
def fitted(delay=0.2, lag=0.15):
    """Return the linear predictor of a robot without gain."""
    return fit_linear_prior.fit_arx([source_of(driven(1, delay, lag, seconds=120.0))], STEP,
                                    ridge=1e-9)
