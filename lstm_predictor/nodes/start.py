"""
The executables: Ctrl-C ends them quietly even while their imports still run.

Importing rclpy and torch takes seconds. An interrupt in the middle of it would print a traceback
from whatever was being imported, so it is handled before.
"""

from importlib import import_module
import os
import signal
import sys


def predictor() -> int:
    """Run the predictor node."""
    return _run('predictor_node')


def replanner() -> int:
    """Run the replanner node."""
    return _run('replanner_node')


def sim() -> int:
    """Run the sim node."""
    return _run('sim_node')


def _run(module: str) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        # Nothing has been opened yet that would have to be closed.
        signal.signal(number, lambda *_: os._exit(0))
    return int(import_module(f'lstm_predictor.nodes.{module}').main())


if __name__ == '__main__':
    sys.exit({'predictor': predictor, 'replanner': replanner, 'sim': sim}[sys.argv[1]]())
