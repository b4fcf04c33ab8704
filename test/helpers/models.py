"""Small models that were not trained, and random input of the right shape."""

import numpy as np
try:
    import rclpy
except ImportError:
    rclpy = None


def motion_model(seed=0, spread=0.3, rows=20, horizon=40, prior_spread=0.0, linear=False,
                 **options):
    """
    Return a small model that was not trained, but whose output depends on its whole input.

    `spread` is that of the weights of the head, 0 leaves the mean of the priors, or where it is
    `linear` the one that reads `rows` rows and keeps the newest twist but for `prior_spread`.
    """
    from lstm_predictor.model.linear_prior import Arx
    from lstm_predictor.model.network import MotionModel
    import torch
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        prior = Arx(rows, horizon)
        for weights in (prior.open, prior.given, prior.blind):
            weights += prior_spread * torch.randn_like(weights)
        # As in every fit: a command acts on what comes after it.
        prior.given[:, 3 * rows:] = prior.given[:, 3 * rows:].triu()
        model = MotionModel(**{'hidden': 8, 'horizon': horizon, 'prior': prior, **options})
        torch.nn.init.normal_(model.head.weight, std=spread)
        torch.nn.init.normal_(model.head.bias, std=0.3 * spread)
        if linear:
            model.head.weight.data[2:4] = 0.0
            model.head.bias.data[2:4] = 100.0
    return model.eval()


def small_contract(**changes):
    """Return the contract of such a model."""
    from lstm_predictor.model.contract import Contract
    return Contract(**{
        'rate': 20.0, 'window': 80, 'shortest': 40, 'horizon': 40, 'max_gap': 0.5,
        'command_memory': 2.0, 'robots': 'nothing', **changes})


def golden_inputs(contract, count=2):
    """Return random windows (n, W, F) and commands that are all given (n, H, 3)."""
    random = np.random.default_rng(0)
    commands = random.normal(size=(count, contract.horizon, 3))
    commands[..., 2] = 1.0
    windows = random.normal(size=(count, contract.window, len(contract.features)))
    windows[..., flags()] = 1.0
    return windows, commands


def flags():
    """Return the columns of a window that are 1 or 0."""
    from lstm_predictor.model.window import FEATURE
    return [FEATURE[name] for name in ('imu_valid', 'command_valid', 'odometry_valid')]


def random_examples(seed=0, tracks=(30, 50), length=60, horizon=40):
    """Return examples of the shape that training takes, so many windows for each track."""
    from lstm_predictor.model.model_state import states_along
    from lstm_predictor.model.window import FEATURES
    from lstm_predictor.training.dataset import Examples
    random, count = np.random.default_rng(seed), sum(tracks)
    windows = random.normal(size=(count, length, len(FEATURES))).astype(np.float32)
    windows[..., flags()] = 1.0
    commands = random.normal(size=(count, horizon, 3)).astype(np.float32)
    commands[..., 2] = 1.0
    futures = random.normal(size=(count, horizon, 3)).cumsum(axis=1).astype(np.float32)
    anchors, numbers = np.arange(count) * 50_000_000, np.repeat(np.arange(len(tracks)), tracks)
    learned = [states_along(windows[numbers == i], anchors[numbers == i], 50_000_000)
               for i in range(len(tracks))]
    return Examples(windows, commands, futures, anchors, numbers.astype(np.int32),
                    np.concatenate(learned))
