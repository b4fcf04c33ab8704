"""A lifecycle node that closes whatever it opened, on every way out of a state."""

from collections.abc import Callable, Sequence
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class ManagedNode(LifecycleNode):
    """
    Transitions in terms of four steps that a node fills in.

    `configure` reads parameters and opens topics, `start` and `stop` begin and end the work in
    between; a step that raises fails its transition with one line that gives the reason (rclpy
    itself would swallow it). What was made through `publish_on`, `subscribe`, `add_timer` and
    `add_cleanup` is closed here.
    """

    def __init__(self, name: str, arguments: Sequence[str] = (), **options: Any) -> None:
        """Make nothing yet; `arguments` are those with which the process was started."""
        super().__init__(name, **options)
        self.arguments = arguments
        self.active = False
        self.configured = False
        self._closers: list[Callable[[], object]] = []

    def configure(self) -> None:
        """Read the parameters and open the topics."""

    def start(self) -> None:
        """Begin to work."""

    def stop(self) -> None:
        """End the work; topics are still open."""

    def publish_on(self, kind: type, topic: str, depth: int = 10) -> Any:
        """Return a publisher."""
        publisher = self.create_publisher(kind, topic, depth)
        self.add_cleanup(lambda: self.destroy_publisher(publisher))
        return publisher

    def subscribe(self, kind: type, topic: str, callback: Callable[[Any], None], qos: Any) -> Any:
        """Return a subscription, whose messages are dropped while the node is not active."""
        subscription = self.create_subscription(kind, topic, self.while_active(callback), qos)
        self.add_cleanup(lambda: self.destroy_subscription(subscription))
        return subscription

    def while_active(self, callback: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return a callback that drops messages while the node is not active."""
        def called(message: Any) -> None:
            if self.active:
                callback(message)
        return called

    def add_timer(self, period: float, callback: Callable[[], None]) -> None:
        """Call back every so many seconds of monotonic time."""
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        timer = self.create_timer(period, callback, clock=steady)
        self.add_cleanup(lambda: self.destroy_timer(timer))

    def add_cleanup(self, close: Callable[[], object]) -> None:
        """Call `close` when the node is cleaned up, the last added first."""
        self._closers.append(close)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Run `configure`; close what it made where it fails."""
        done = self.configured = self._try(self.configure)
        if not done:
            self._close()
        return _SUCCESS if done else _FAILURE

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Run `start`."""
        self.active = self._try(self.start)
        return _SUCCESS if self.active else _FAILURE

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Run `stop`."""
        self._end()
        return _SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close everything."""
        self._close()
        return _SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Run `stop` where it works, and close everything."""
        self._end()
        self._close()
        return _SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Do as for a shutdown; the node can be configured again."""
        return self.on_shutdown(state)

    def _end(self) -> None:
        if self.active:
            self._try(self.stop)
        self.active = False

    def _close(self) -> None:
        self.configured = False
        while self._closers:
            self._closers.pop()()

    def _try(self, step: Callable[[], None]) -> bool:
        try:
            step()
        except ValueError as error:
            self.get_logger().error(str(error))
        except Exception as error:
            self.get_logger().error(f'{type(error).__name__}: {error}')
        else:
            return True
        return False
