"""One rclpy node in this process, spun in a thread beside whatever the command does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import threading
import time

from lstm_predictor.cli.processes import NodeDied
from lstm_predictor.nodes.lifecycle import make_executor

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future


@contextmanager
def session(name: str) -> Iterator[Node]:
    """Yield a node whose callbacks run in a thread; Ctrl-C stays with the main thread."""
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node(name)
    executor = make_executor()
    executor.add_node(node)
    stop: Future[None] = Future()

    def spin() -> None:
        while not stop.done():
            executor.spin_until_future_complete(stop, timeout_sec=0.1)

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    try:
        yield node
    finally:
        stop.set_result(None)
        thread.join()
        node.destroy_node()
        rclpy.try_shutdown()


def wait_until(condition: Callable[[], bool], what: str, check: Callable[[], None],
               seconds: float = 60.0) -> None:
    """Wait for a condition; `check` may raise. Raise NodeDied where it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        check()
        if time.monotonic() > end:
            raise NodeDied(f'waited {seconds:g} s for {what}')
        time.sleep(0.02)
