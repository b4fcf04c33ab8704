"""One rclpy node in this process, whose callbacks run while the command waits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import signal
import time

from lstm_predictor.cli.processes import NodeDied
from lstm_predictor.nodes import lifecycle

import rclpy
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

_SHORTEST = 0.0005  # [s], so that callbacks run even where the command is behind its schedule


class Session:
    """A node and the waiting during which it hears."""

    def __init__(self, node: Node, executor: Executor) -> None:
        """Use `session` to get one."""
        self.node = node
        self._executor = executor

    def wait(self, seconds: float) -> None:
        """Run callbacks for so long."""
        with _interrupted_after():
            lifecycle.spin(self._executor, max(seconds, _SHORTEST))

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

    In the midst of a message that is converted the executor would make another error of it.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # ignored, or handled by somebody else
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
    """Yield a node that is gone with the block; Ctrl-C is a KeyboardInterrupt as ever."""
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = rclpy.create_node(name)
        executor = lifecycle.make_executor()
        executor.add_node(node)
        try:
            yield Session(node, executor)
        finally:
            # What an executor still holds is not destroyed, and goes on sending.
            executor.remove_node(node)
            executor.shutdown()
            node.destroy_node()
    finally:
        rclpy.try_shutdown()
