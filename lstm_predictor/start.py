"""
The executables: Ctrl-C ends them quietly even while their imports still run.

Importing rclpy and torch takes seconds. An interrupt in the middle of it would print a traceback
from whatever was being imported, so it is handled before.
"""

from importlib import import_module
import os
import signal
import sys

from lstm_predictor.extras import missing


def predictor() -> int:
    """Run the predictor node."""
    return _run('nodes.predictor_node', interrupted=0)


def replanner() -> int:
    """Run the replanner node."""
    return _run('nodes.replanner_node', interrupted=0)


def command_guard() -> int:
    """Run the command guard."""
    return _run('nodes.command_guard', interrupted=0)


def slow_link() -> int:
    """Run the slow link."""
    return _run('nodes.slow_link', interrupted=0)


def sim() -> int:
    """Run the sim node."""
    return _run('nodes.sim_node', interrupted=0)


def demo() -> int:
    """Run the demo."""
    return _run('cli.demo', interrupted=130)


def replay() -> int:
    """Replay recordings."""
    return _run('cli.replay', interrupted=130)


def train() -> int:
    """Train a model."""
    return _run('cli.train', interrupted=130)


def evaluate() -> int:
    """Score a model on recordings and simulated robots."""
    return _run('cli.evaluate', interrupted=130)


def view() -> int:
    """Show a recording as one HTML page."""
    return _run('cli.view', interrupted=130)


def closed_loop() -> int:
    """Drive simulated robots around courses, with and without prediction."""
    return _run('cli.closed_loop', interrupted=130)


def faults() -> int:
    """Let everything go wrong, one thing at a time."""
    return _run('faults.main', interrupted=130)


def soak() -> int:
    """Let the nodes run for long."""
    return _run('faults.soak', interrupted=130)


def _run(module: str, interrupted: int) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        # Nothing has been opened yet that would have to be closed.
        signal.signal(number, lambda *_: os._exit(interrupted))
    try:
        main = import_module(f'lstm_predictor.{module}').main
    except ModuleNotFoundError as error:
        part, name = module.split('.')
        print(f'error: {missing(error, part if name == "main" else name)}', file=sys.stderr)
        return 1
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    code = int(main())
    for number in (signal.SIGINT, signal.SIGTERM):
        # `ros2 launch` sends a second one, which must not turn a good end into a bad one.
        signal.signal(number, signal.SIG_IGN)
    return code


if __name__ == '__main__':
    sys.exit({'predictor': predictor, 'replanner': replanner, 'command_guard': command_guard,
              'slow_link': slow_link, 'sim': sim}[sys.argv.pop(1)]())
