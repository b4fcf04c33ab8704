"""One rclpy node in the process of a command, whose callbacks run while the command waits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import signal
import time

from lstm_predictor.nodes.executor import make_executor, spin
from lstm_predictor.nodes.subprocesses import NodeDied

import rclpy
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

_SHORTEST = 0.0005  # [s], so that callbacks run even where the command is behind its schedule


class Session:
    """A node whose callbacks run while `wait` waits."""

    def __init__(self, node: Node, executor: Executor) -> None:
        """Use `session` to get one."""
        self.node = node
        self._executor = executor

    def wait(self, seconds: float) -> None:
        """Run callbacks for a time [s]."""
        with _interrupted_after():
            spin(self._executor, max(seconds, _SHORTEST))

    def wait_for(self, condition: Callable[[], bool], what: str, check: Callable[[], None],
                 seconds: float = 60.0) -> None:
        """Run callbacks until a condition holds; raise NodeDied where it does not come true."""
        end = time.monotonic() + seconds
        while not condition():
            check()
            if time.monotonic() > end:
                raise NodeDied(f'waited {seconds:g} s for {what}')
            self.wait(0.02)


@contextmanager
def _interrupted_after() -> Iterator[None]:
    """
    Raise the KeyboardInterrupt of a Ctrl-C in the block at its end.

    While a message is converted, the executor would turn it into another error.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # ignored, or another handler
        yield
        return
    pressed: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            raise KeyboardInterrupt


@contextmanager
def session(name: str) -> Iterator[Session]:
    """Yield a node that is destroyed with the block; Ctrl-C raises KeyboardInterrupt."""
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = rclpy.create_node(name)
        executor = make_executor()
        executor.add_node(node)
        try:
            yield Session(node, executor)
        finally:
            # A node that an executor still holds is not destroyed, and goes on publishing.
            executor.remove_node(node)
            executor.shutdown()
            node.destroy_node()
    finally:
        rclpy.try_shutdown()
