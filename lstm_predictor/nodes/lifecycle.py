"""From the command line to a spinning lifecycle node and out again, in one place."""

from collections.abc import Callable
import signal
import sys
from threading import Event

from lstm_predictor.nodes.managed import ManagedNode

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

_SHORT = 0.03  # between two looks at signals: the robot goes on meanwhile [s]


def run(make_node: Callable[[], ManagedNode], args: list[str] | None = None) -> int:
    """
    Spin a node until SIGINT or SIGTERM; return the exit code.

    A node with parameter `autostart` is configured and activated first. What is wrong with its
    parameters or files ends the process with one line. On every way out the node is shut down
    while it can still publish.
    """
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    node = None
    try:
        try:
            rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
            node = make_node()
        except (ValueError, RuntimeError, ParameterException) as error:
            print('error: ' + ' '.join(str(error).split()), file=sys.stderr)
            return 1
        if node.get_parameter('autostart').value and not _start(node):
            return 1
        executor = make_executor()
        executor.add_node(node)
        while rclpy.ok() and not stop.is_set():
            try:
                spin(executor, _SHORT)
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


def spin(executor: Executor, seconds: float) -> None:
    """
    Run callbacks for a while.

    In one endless spin EventsExecutor keeps a core busy on some builds, and Python handles a
    signal only between two waits. The future is a new one each time, because each wait leaves a
    callback on it. A wait loses some 40 bytes of memory; with `spin_once`, which loses none, a
    node on Jazzy was seen not to hear its commands.
    """
    executor.spin_until_future_complete(Future(), timeout_sec=seconds)


def _start(node: ManagedNode) -> bool:
    success = TransitionCallbackReturn.SUCCESS
    return node.trigger_configure() == success and node.trigger_activate() == success
