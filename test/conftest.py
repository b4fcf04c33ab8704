"""What the tests of the nodes share: a domain of their own, a probe, processes that always end."""

from contextlib import contextmanager
import ctypes
from dataclasses import dataclass, field
import itertools
import math
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import threading
import time

import hypothesis
import numpy as np
import pytest

try:
    from domain_coordinator import domain_id
    from lifecycle_msgs.srv import GetState
    from nav_msgs.msg import Odometry
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.parameter import Parameter
    from rclpy.qos import QoSProfile, ReliabilityPolicy
except ImportError:
    rclpy = None

# Tests run beside others: threads that wait for work must not take the core from those that have
# some. It counts for the processes that tests start as well.
os.environ.setdefault('OMP_NUM_THREADS', '1')

# How long an example takes is up to what else the machine does.
hypothesis.settings.register_profile('busy machine', deadline=None)
hypothesis.settings.load_profile('busy machine')

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0  # for what a busy machine does in the end [s]
SECOND = 1_000_000_000  # [ns]

_turns = itertools.count(os.getpid())


def pytest_addoption(parser):
    parser.addoption('--first-cases', action='store_true',
                     help='run of each parametrized test the first case alone')


def pytest_collection_modifyitems(config, items):
    if not config.getoption('--first-cases'):
        return
    first = {}
    for item in items:
        first.setdefault(item.nodeid.partition('[')[0], item)
    config.hook.pytest_deselected(items=[item for item in items if item not in first.values()])
    items[:] = first.values()


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
            return self.process.wait(2.0 * PATIENCE)
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
    _one_error_line(started.errors, words)
    assert 'Traceback' not in started.output


def _one_error_line(text, words=()):
    """Return a text that must be one line that speaks of an error."""
    assert len(text.splitlines()) == 1 and 'error' in text.lower(), text
    for word in words:
        assert word in text
    return text


def drive(rate, seconds, begin_ns=1_000 * SECOND):
    """Return odometry at `rate` [Hz] of a robot that goes along a winding line."""
    x = y = yaw = 0.0
    messages = []
    for index in range(round(rate * seconds) + 1):
        elapsed = index / rate
        speed, yaw_rate = 0.15 + 0.05 * math.sin(elapsed), 0.8 * math.cos(1.3 * elapsed)
        message = Odometry()
        message.header.frame_id, message.child_frame_id = 'odom', 'base_footprint'
        set_stamp(message, begin_ns + round(SECOND * elapsed))
        message.pose.pose.position.x, message.pose.pose.position.y = x, y
        message.pose.pose.orientation.z = math.sin(yaw / 2.0)
        message.pose.pose.orientation.w = math.cos(yaw / 2.0)
        message.twist.twist.linear.x, message.twist.twist.angular.z = speed, yaw_rate
        messages.append(message)
        x += math.cos(yaw) * speed / rate
        y += math.sin(yaw) * speed / rate
        yaw += yaw_rate / rate
    return messages


def stamp_of(message):
    """Return the stamp of a message [ns]."""
    return message.header.stamp.sec * SECOND + message.header.stamp.nanosec


def set_stamp(message, stamp_ns):
    """Give a message its stamp [ns]."""
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, SECOND)


def velocity(kind, speed, yaw_rate):
    """Return a command [m/s], [rad/s] as a message: Twist or TwistStamped."""
    message = kind()
    twist = getattr(message, 'twist', message)
    twist.linear.x, twist.angular.z = speed, yaw_rate
    return message


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


@pytest.fixture
def domain():
    """Return a ROS_DOMAIN_ID that nothing else uses."""
    with own_domain() as number:
        yield number


@pytest.fixture
def probe(domain):
    """Return a probe in a domain of its own."""
    made = Probe(domain)
    yield made
    made.end()


@pytest.fixture(scope='module')
def launch(tmp_path_factory):
    """Return a function that starts a Python module as a process, which ends with the tests."""
    started = []

    def start(*arguments, **environment):
        folder = tmp_path_factory.mktemp('process')
        started.append(Started(
            [sys.executable, '-m', *map(str, arguments)], folder, environment))
        return started[-1]

    yield start
    for process in started:
        process.end()


@pytest.fixture(scope='module')
def start(launch):
    """Return a function that starts a node as a process, with ROS arguments and parameters."""

    def start_node(name, *arguments, **parameters):
        values = itertools.chain.from_iterable(
            ('-p', f'{key}:={value}') for key, value in parameters.items())
        return launch('lstm_predictor.start', name, '--ros-args', '--log-level', 'warn',
                      *arguments, *values)

    return start_node


@pytest.fixture
def refused(capfd):
    """Return a function that runs a command's `main`, which must fail, and returns its line."""

    def run(main, *arguments):
        assert main(list(arguments)) == 1
        return _one_error_line(capfd.readouterr().err)

    return run


@pytest.fixture
def refusal(domain, capfd):
    """Return a function that runs a node's `main`, which must fail, and returns its one line."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(main, *arguments, **parameters):
        values = itertools.chain.from_iterable(
            ('-p', f'{key}:={value}') for key, value in parameters.items())
        # A node that does start must end again.
        timer = threading.Timer(20.0, os.kill, (os.getpid(), signal.SIGTERM))
        timer.start()
        try:
            code = main(['--ros-args', *arguments, *values])
        finally:
            timer.cancel()
        output, errors = capfd.readouterr()
        assert code not in (0, None), errors
        assert output == ''
        return _one_error_line(errors)

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope='module')
def one_thread():
    """Keep torch to one thread, as on the robot."""
    import torch
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def motion_model(seed=0, spread=0.3, rows=20, horizon=40, prior_spread=0.0, linear=False,
                 **options):
    """
    Return a small model that was not trained, but whose output depends on its whole input.

    `spread` is that of the weights of the head, 0 leaves the mean of the priors, or where it is
    `linear` the one that reads `rows` rows and keeps the newest twist but for `prior_spread`.
    """
    from lstm_predictor.core.arx import Arx
    from lstm_predictor.core.model import MotionModel
    import torch
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        prior = Arx(rows, horizon)
        for weights in (prior.open, prior.given, prior.blind):
            weights += prior_spread * torch.randn_like(weights)
        # As in every fit: a command acts on what comes after it.
        prior.given[:, 3 * rows:] = prior.given[:, 3 * rows:].triu()
        model = MotionModel(**{'hidden': 8, 'horizon': horizon, 'prior': prior, **options})
        torch.nn.init.normal_(model.head.weight, std=spread)
        torch.nn.init.normal_(model.head.bias, std=0.3 * spread)
        if linear:
            model.head.weight.data[2:4] = 0.0
            model.head.bias.data[2:4] = 100.0
    return model.eval()


def small_contract(**changes):
    """Return the contract of such a model."""
    from lstm_predictor.core.contract import Contract
    return Contract(**{
        'rate': 20.0, 'window': 80, 'shortest': 40, 'horizon': 40, 'max_gap': 0.5,
        'command_memory': 2.0, 'robots': 'nothing', **changes})


def golden_inputs(contract, count=2):
    """Return random windows (n, W, F) and commands that are all given (n, H, 3)."""
    random = np.random.default_rng(0)
    commands = random.normal(size=(count, contract.horizon, 3))
    commands[..., 2] = 1.0
    windows = random.normal(size=(count, contract.window, len(contract.features)))
    windows[..., flags()] = 1.0
    return windows, commands


@pytest.fixture(scope='session')
def tracks():
    """Return what three simulated robots heard, each other than the next."""
    from lstm_predictor.learning.fleet import drive_job, FleetConfig, jobs
    return [drive_job(job) for job in jobs(FleetConfig(robots=3, seconds=8.0, seed=4))]


def flags():
    """Return the columns of a window that are 1 or 0."""
    from lstm_predictor.core.window import FEATURE
    return [FEATURE[name] for name in ('imu_valid', 'command_valid', 'odometry_valid')]


def random_examples(seed=0, tracks=(30, 50), length=60, horizon=40):
    """Return examples of the shape that training takes, so many windows for each track."""
    from lstm_predictor.core.window import FEATURES
    from lstm_predictor.learning.dataset import Examples, memories
    random, count = np.random.default_rng(seed), sum(tracks)
    windows = random.normal(size=(count, length, len(FEATURES))).astype(np.float32)
    windows[..., flags()] = 1.0
    commands = random.normal(size=(count, horizon, 3)).astype(np.float32)
    commands[..., 2] = 1.0
    futures = random.normal(size=(count, horizon, 3)).cumsum(axis=1).astype(np.float32)
    anchors, numbers = np.arange(count) * 50_000_000, np.repeat(np.arange(len(tracks)), tracks)
    learned = [memories(windows[numbers == i], anchors[numbers == i], 50_000_000)
               for i in range(len(tracks))]
    return Examples(windows, commands, futures, anchors, numbers.astype(np.int32),
                    np.concatenate(learned))


@pytest.fixture(scope='session')
def model_path(tmp_path_factory):
    """Return a model file that was not trained."""
    from lstm_predictor.core.artifact import save
    path = tmp_path_factory.mktemp('models') / 'untrained.pt'
    contract = small_contract()
    save(path, motion_model(hidden=16), contract, *golden_inputs(contract))
    return path
