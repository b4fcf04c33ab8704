"""Processes that tests start, which always end, and the one line that an error is."""

import ctypes
from dataclasses import dataclass, field
import os
from pathlib import Path
import re
import signal
import subprocess
try:
    import rclpy
except ImportError:
    rclpy = None

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # for what a busy machine does in the end [s]


@dataclass
class Started:
    """A process of its own whose words go to files."""

    arguments: list
    folder: Path
    environment: dict = field(default_factory=dict)

    def __post_init__(self):
        with open(self.folder / 'out', 'w') as out, open(self.folder / 'err', 'w') as err:
            self.process = subprocess.Popen(
                self.arguments, stdout=out, stderr=err, stdin=subprocess.DEVNULL, cwd=self.folder,
                preexec_fn=_end_with_parent,
                env={**os.environ, 'PYTHONPATH': _with_root(), **self.environment})

    @property
    def output(self):
        return (self.folder / 'out').read_text()

    @property
    def errors(self):
        return (self.folder / 'err').read_text()

    @property
    def said(self):
        return self.output + self.errors

    def wait(self):
        """Return the exit code."""
        try:
            return self.process.wait(4.0 * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'{self.arguments} still runs: {self.said}') from None

    def stop(self, number=signal.SIGTERM):
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def catches(self, number):
        """Return whether the process has a handler of its own for a signal."""
        status = Path(f'/proc/{self.process.pid}/status').read_text()
        caught = re.search(r'^SigCgt:\s*(\w+)', status, re.M)
        return bool(caught and int(caught[1], 16) >> (number - 1) & 1)

    def end(self):
        """Make it end."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10.0)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def _end_with_parent():
    """Have the kernel end this process should the tests be killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # which is ignored in what a shell runs behind


def _with_root():
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH')]))


def assert_one_error_line(started, *words):
    """Assert that a process ended by itself with an error that is one line and has the words."""
    assert started.wait() > 0, started.said
    one_error_line(started.errors, words)
    assert 'Traceback' not in started.output


def one_error_line(text, words=()):
    """Return a text that must be one line that speaks of an error."""
    assert len(text.splitlines()) == 1 and 'error' in text.lower(), text
    for word in words:
        assert word in text
    return text
