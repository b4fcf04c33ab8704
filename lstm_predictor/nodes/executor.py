"""From the command line to a spinning lifecycle node and out again, in one place."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import signal
import socket
import sys
from threading import Thread

from lstm_predictor.nodes.lifecycle_node import ManagedNode

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

# A signal ends a wait at once. In an endless one EventsExecutor keeps a core busy on some builds,
# and each loses some 40 bytes of memory.
_LONG = 5.0  # [s]


def run(make_node: Callable[..., ManagedNode], args: list[str] | None = None) -> int:
    """
    Spin a node until SIGINT or SIGTERM; return the exit code.

    A node with parameter `autostart` is configured and activated first. What is wrong with its
    parameters or files ends the process with one line. On every way out the node is shut down
    while it can still publish.
    """
    with _signals() as waiting:
        return _run(make_node, args, waiting)


class _Waiting:
    """Waits that end for good with the first signal."""

    def __init__(self) -> None:
        self.over = False
        self._future = Future()

    def end(self) -> None:
        """End the wait of now and those to come; from any thread."""
        self.over = True
        self._future.set_result(None)

    def spin(self, executor: Executor) -> None:
        """Run callbacks, for some seconds at most."""
        self._future = Future()
        if not self.over:  # looked at after the future is there to be found by `end`
            spin(executor, _LONG, self._future)


@contextmanager
def _signals() -> Iterator[_Waiting]:
    """
    Yield waits that SIGINT and SIGTERM end.

    Python runs a handler only between two waits of an executor, but the interpreter writes the
    signal's number to a descriptor at once. The handlers stay: of a process that is on its way
    out, a second signal, as `ros2 launch` and the terminal send, shall make no error.
    """
    waiting = _Waiting()
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    signal.set_wakeup_fd(sender.fileno())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)

    def watch() -> None:
        with receiver:
            while receiver.recv(1):  # nothing where the other end is closed
                waiting.end()

    Thread(target=watch, name='signals', daemon=True).start()
    try:
        yield waiting
    finally:
        signal.set_wakeup_fd(-1)
        sender.close()


def _run(make_node: Callable[..., ManagedNode], args: list[str] | None, waiting: _Waiting) -> int:
    node = None
    try:
        try:
            rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
            node = make_node(arguments=sys.argv if args is None else args)
        except (ValueError, RuntimeError, ParameterException) as error:
            print('error: ' + ' '.join(str(error).split()), file=sys.stderr)
            return 1
        if node.get_parameter('autostart').value and not _start(node):
            return 1
        executor = make_executor()
        executor.add_node(node)
        while rclpy.ok() and not waiting.over:
            try:
                waiting.spin(executor)
            except Exception as error:
                # rclpy's own callbacks raise as well, such as for a negative time on /clock. The
                # watchdogs must go on, whatever one message did.
                node.get_logger().error(f'{type(error).__name__}: {error}',
                                        throttle_duration_sec=1.0)
        return 0
    finally:
        if node is not None:
            # Not through the state machine: an error may have left it in any state.
            node.on_shutdown(None)
            node.destroy_node()
        rclpy.try_shutdown()


def make_executor() -> Executor:
    """Return the executor that costs the least: half the CPU where rclpy has EventsExecutor."""
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor()
    return EventsExecutor()


def spin(executor: Executor, seconds: float, future: Future | None = None) -> None:
    """
    Run callbacks for a while, or until the future is done.

    The future must be a new one, because with Jazzy's EventsExecutor each wait leaves a callback
    on it. `spin_once` of Jazzy runs one callback.
    """
    executor.spin_until_future_complete(future or Future(), timeout_sec=seconds)


def _start(node: ManagedNode) -> bool:
    success = TransitionCallbackReturn.SUCCESS
    return node.trigger_configure() == success and node.trigger_activate() == success
