"""A ROS domain of its own, and a node beside the nodes under test."""

from contextlib import contextmanager
import itertools
import math
import os
import time

from helpers.processes import PATIENCE
import pytest

try:
    from domain_coordinator import domain_id
    from lifecycle_msgs.srv import GetState
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.parameter import Parameter
    from rclpy.qos import QoSProfile, ReliabilityPolicy
except ImportError:
    rclpy = None

# Workers of pytest-xdist have neighbouring process numbers: they begin far from one another.
_WORKER = int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw'))
_turns = itertools.count(os.getpid() + 37 * _WORKER)


class Probe:
    """A node beside the ones under test: it hears, sends and calls, and spins all of them."""

    def __init__(self, domain):
        self._domain = domain
        self._spun = []
        self.node = self.add(lambda **options: rclpy.create_node('probe', **options))

    def add(self, make, **parameters):
        """
        Return a node made by `make` with parameters, to be spun here and destroyed at the end.

        It has a context of its own, hence it is to the others as if it were another process.
        """
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=self._domain)
        node = make(context=context, parameter_overrides=[
            Parameter(name, value=value) for name, value in parameters.items()])
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        self._spun.append((executor, node, context))
        return node

    def activate(self, make, **parameters):
        """Return a managed node that was added, configured and activated."""
        node = self.add(make, **parameters)
        node.trigger_configure()
        node.trigger_activate()
        return node

    def hear(self, kind, topic, reliable=False):
        """Return the list to which every message of a topic will be appended."""
        heard = []
        self.node.create_subscription(kind, topic, heard.append, _qos(reliable))
        return heard

    def talk(self, kind, topic, reliable=True):
        """Return a publisher."""
        return self.node.create_publisher(kind, topic, _qos(reliable))

    def until(self, condition, what='', busy=None):
        """Spin until the condition is true; `busy` is called between two looks at it."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f'waited {PATIENCE:g} s for {what or condition}'
            if busy is not None:
                busy()
            self.turn()

    def turn(self, count=1):
        """Let every node handle so many things that wait for it, at most."""
        for _ in range(count):
            for executor, _, _ in self._spun:
                executor.spin_once(timeout_sec=0.001 if len(self._spun) > 1 else 0.02)

    def spin(self, seconds):
        """Let time pass."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end)

    def call(self, kind, name, request):
        """Return the answer of a service."""
        client = self.node.create_client(kind, name)
        self.until(client.service_is_ready, f'service {name}')
        answer = client.call_async(request)
        self.until(answer.done, f'an answer of {name}')
        self.node.destroy_client(client)
        return answer.result()

    def state(self, node):
        """
        Return the lifecycle state of a node.

        A server may answer before it has found who asked, so the question is put again.
        """
        client = self.node.create_client(GetState, f'{node}/get_state')
        self.until(client.service_is_ready, f'{node} to come up')
        answers, asked = [], [-math.inf]

        def ask():
            if time.monotonic() - asked[-1] > 2.0:
                asked.append(time.monotonic())
                answers.append(client.call_async(GetState.Request()))

        self.until(lambda: any(answer.done() for answer in answers), f'the state of {node}', ask)
        self.node.destroy_client(client)
        return next(a for a in answers if a.done()).result().current_state.label

    def end(self):
        """Destroy everything."""
        for executor, node, context in reversed(self._spun):
            executor.remove_node(node)
            node.destroy_node()
            executor.shutdown()
            context.try_shutdown()


def _qos(reliable):
    policy = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
    return QoSProfile(depth=1000, reliability=policy)


@contextmanager
def own_domain():
    """Reserve a ROS_DOMAIN_ID that nothing else uses; it holds for child processes as well."""
    if rclpy is None:
        pytest.skip('rclpy or domain_coordinator is not installed')
    # Another one for every test: who was just here may not have been forgotten yet.
    turn = domain_id(lambda: next(_turns) % 100 + 1)
    with pytest.MonkeyPatch.context() as patch, turn as number:
        patch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
        # Shared memory of a process that had to be killed would break the next one.
        patch.setenv('FASTDDS_BUILTIN_TRANSPORTS', 'UDPv4')
        patch.setenv('ROS_DOMAIN_ID', str(number))
        yield number
