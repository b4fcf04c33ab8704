"""Nodes as child processes, none of which outlives the command that started it."""

from collections.abc import Iterator
from contextlib import contextmanager, ExitStack
import ctypes
import itertools
import os
from pathlib import Path
import resource
import signal
import socket
import subprocess
import sys
from types import TracebackType

from lstm_predictor.common.errors import LstmPredictorError

_GRACE = 5.0  # time to end in an orderly way [s]
_PR_SET_PDEATHSIG = 1
_FIRST_DOMAIN, _DOMAINS = 40, 60
_turns = itertools.count(os.getpid())
_PORTS = 32768  # by which ros2's domain_coordinator reserves domains for tests as well


class NodeDied(LstmPredictorError, RuntimeError):
    """A node ended by itself; its own output has the reason."""


class Nodes:
    """Starts the package's nodes and ends them with the block; use it as a context manager."""

    def __init__(self, log: Path | None = None) -> None:
        """Start nothing yet; the output of the nodes goes to `log`, or to that of this process."""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._log = log

    def __enter__(self) -> 'Nodes':
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.end()

    def start(self, name: str, *renamed: str, full_disk: bool = False,
              **parameters: object) -> None:
        """
        Start a node by the name of its executable, with topics `FROM:=TO` and parameters.

        With `full_disk` no file that it writes can grow.
        """
        arguments = [sys.executable, '-m', 'lstm_predictor.entry_points', name, '--ros-args',
                     '--log-level', 'warn']
        for rule in renamed:
            arguments += ['-r', rule]
        for key, value in parameters.items():
            arguments += ['-p', f'{key}:={as_yaml(value)}']
        with ExitStack() as opened:
            log = None if self._log is None else opened.enter_context(self._log.open('ab'))
            # A session of its own: Ctrl-C in the terminal reaches only the parent, which ends it.
            self._processes[name] = subprocess.Popen(
                arguments, start_new_session=True, stdout=log, stderr=log,
                preexec_fn=_without_disk if full_disk else end_with_parent)

    def check(self) -> None:
        """Raise NodeDied where one of them has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                output = '' if self._log is None else ''.join(
                    f'\n  {line}' for line in self._log.read_text().splitlines()[-12:])
                raise NodeDied(
                    f'the {name} node ended with exit code {process.returncode}{output}')

    def signal(self, name: str, number: int) -> None:
        """Send a signal to one of them, which may well end it."""
        self._processes[name].send_signal(number)

    def signal_and_forget(self, name: str, number: int) -> 'subprocess.Popen[bytes]':
        """Send a signal to one of them and forget it: it may end."""
        self.signal(name, number)
        return self._processes.pop(name)

    def memory(self, name: str) -> float:
        """Return the memory of its own that one of them holds [MB], where the system tells."""
        pages = Path(f'/proc/{self._processes[name].pid}/statm').read_text().split()
        return (int(pages[1]) - int(pages[2])) * os.sysconf('SC_PAGE_SIZE') / 1e6

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

    A robot that is running must not receive a recording that is played. TurtleBot3 uses 30.
    """
    for _ in range(_DOMAINS):
        # Participants of a moment ago may still be known in their domain: take the next one.
        domain = _FIRST_DOMAIN + next(_turns) % _DOMAINS
        if str(domain) == os.environ.get('ROS_DOMAIN_ID'):
            continue
        with socket.socket() as reserved:
            try:
                reserved.bind(('', _PORTS + domain))
            except OSError:
                continue
            os.environ['ROS_DOMAIN_ID'] = str(domain)
            os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
            # In shared memory that a killed process left behind, messages get lost.
            os.environ['FASTDDS_BUILTIN_TRANSPORTS'] = 'UDPv4'
            if os.environ.get('ROS_DISTRO') == 'humble':
                os.environ['ROS_LOCALHOST_ONLY'] = '1'
            yield domain
            return
    raise NodeDied('every ROS_DOMAIN_ID from 40 to 99 is in use')


def end_with_parent() -> None:
    """Have the kernel end this process should the parent be killed; elsewhere do nothing."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    except (OSError, AttributeError):
        pass


def _without_disk() -> None:
    end_with_parent()
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def as_yaml(value: object) -> str:
    """Return a parameter's value as the command line takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return '[' + ', '.join(as_yaml(item) for item in value) + ']'
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value) if isinstance(value, float) else str(value)
