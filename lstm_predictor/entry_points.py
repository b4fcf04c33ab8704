"""
The executables: Ctrl-C ends them quietly even while their imports still run.

Importing rclpy and torch takes seconds. An interrupt in the middle of it would print a traceback
from whatever was being imported, so it is handled before.
"""

from importlib import import_module
import os
import signal
import sys

from lstm_predictor.optional_dependencies import missing


def predictor() -> int:
    """Run the predictor node."""
    return run('predictor', 'lstm_predictor.nodes.predictor_node', interrupted=0)


def replanner() -> int:
    """Run the replanner node."""
    return run('replanner', 'lstm_predictor.nodes.replanner_node', interrupted=0)


def command_guard() -> int:
    """Run the command guard."""
    return run('command_guard', 'lstm_predictor.nodes.command_guard_node', interrupted=0)


def slow_link() -> int:
    """Run the slow link."""
    return run('slow_link', 'lstm_predictor.nodes.slow_link_node', interrupted=0)


def sim() -> int:
    """Run the sim node."""
    return run('sim', 'lstm_predictor.nodes.sim_node', interrupted=0)


def demo() -> int:
    """Run the demo."""
    return run('demo', 'lstm_predictor.cli.demo', interrupted=130)


def replay() -> int:
    """Replay recordings."""
    return run('replay', 'lstm_predictor.cli.replay', interrupted=130)


def train() -> int:
    """Train a model."""
    return run('train', 'lstm_predictor.cli.train', interrupted=130)


def evaluate() -> int:
    """Score a model on recordings and simulated robots."""
    return run('evaluate', 'lstm_predictor.cli.evaluate', interrupted=130)


def view() -> int:
    """Show a recording as one HTML page."""
    return run('view', 'lstm_predictor.cli.view', interrupted=130)


def closed_loop() -> int:
    """Drive simulated robots around courses, with and without prediction."""
    return run('closed-loop', 'lstm_predictor.cli.closed_loop', interrupted=130)


def run(name: str, module: str, interrupted: int) -> int:
    """Run `main` of a module; return its exit code, `interrupted` after Ctrl-C in its imports."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Nothing has been opened yet that would have to be closed.
        signal.signal(number, lambda *_: os._exit(interrupted))
    try:
        main = import_module(module).main
    except ModuleNotFoundError as error:
        print(f'error: {missing(error, name)}', file=sys.stderr)
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
