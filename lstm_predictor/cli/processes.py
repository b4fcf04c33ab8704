"""Nodes as processes of their own, none of which outlives the command that started it."""

from collections.abc import Iterator
from contextlib import contextmanager
import ctypes
import os
import signal
import socket
import subprocess
import sys
from types import TracebackType

_GRACE = 5.0  # time to end in an orderly way [s]
_PR_SET_PDEATHSIG = 1


class NodeDied(RuntimeError):
    """A node ended by itself; its own output says why."""


class Nodes:
    """Starts the package's nodes and ends them with the block; use it as a context manager."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> 'Nodes':
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.end()

    def start(self, name: str, **parameters: object) -> None:
        """Start predictor, replanner or sim with ROS parameters."""
        arguments = [sys.executable, '-m', 'lstm_predictor.start', name, '--ros-args',
                     '--log-level', 'warn']
        for key, value in parameters.items():
            arguments += ['-p', f'{key}:={_yaml(value)}']
        # A session of its own: Ctrl-C in the terminal reaches only the parent, which ends it.
        self._processes[name] = subprocess.Popen(
            arguments, start_new_session=True, preexec_fn=_end_with_parent)

    def check(self) -> None:
        """Raise NodeDied where one of them has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise NodeDied(f'the {name} node ended with exit code {process.returncode}')

    def end(self) -> None:
        """Ask all of them to end, and make them."""
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            try:
                process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()


@contextmanager
def own_domain() -> Iterator[int]:
    """
    Give this process and its children a ROS_DOMAIN_ID of their own, on this machine alone.

    A recording that is played must not be heard by a robot that is running. TurtleBot3 uses 30.
    """
    for domain in range(40, 100):
        if str(domain) == os.environ.get('ROS_DOMAIN_ID'):
            continue
        with socket.socket() as reserved:
            try:
                reserved.bind(('127.0.0.1', 41000 + domain))
            except OSError:
                continue
            os.environ['ROS_DOMAIN_ID'] = str(domain)
            os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
            if os.environ.get('ROS_DISTRO') == 'humble':
                os.environ['ROS_LOCALHOST_ONLY'] = '1'
            yield domain
            return
    raise NodeDied('no ROS_DOMAIN_ID from 40 to 99 is free')


def _end_with_parent() -> None:
    """Have the kernel end this process should the parent be killed; elsewhere do nothing."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    except (OSError, AttributeError):
        pass


def _yaml(value: object) -> str:
    """Return a parameter's value as the command line takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return '[' + ', '.join(_yaml(item) for item in value) + ']'
    return repr(value) if isinstance(value, float) else f"'{value}'" \
        if isinstance(value, str) else str(value)
