"""Fixtures of more than one test, and the options of the suite."""

import itertools
import os
import signal
import sys
import threading

from helpers.models import golden_inputs, motion_model, small_contract
from helpers.probe import own_domain, Probe
from helpers.processes import one_error_line, Started
import hypothesis
import pytest

# Tests run beside others: threads that wait for work must not take the core from those that have
# some. It counts for the processes that tests start as well.
os.environ.setdefault('OMP_NUM_THREADS', '1')
# A process that is started for a small piece of work takes longer to import torch than to do it.
os.environ.setdefault('LSTM_PREDICTOR_JOBS', '1')

# How long an example takes is up to what else the machine does.
hypothesis.settings.register_profile('busy machine', deadline=None)
hypothesis.settings.load_profile('busy machine')

collect_ignore = ['helpers']  # which has no tests, and imports what may not be installed


# The files that take longest, in this order: a worker that began one of them last would work alone
# at the end.
LONGEST = (
    'test_demo', 'test_train', 'test_predictor_node', 'test_command_lines',
    'test_override_detection', 'test_closed_loop', 'test_follow_path_node', 'test_launch',
    'test_evaluate', 'test_sensor_correction', 'test_replanner_node', 'test_faults',
    'test_package', 'test_queued_messages', 'test_style', 'test_textbook', 'test_predictor',
    'test_trainer', 'test_mppi_node', 'test_example_cache', 'test_dev')


def pytest_addoption(parser):
    parser.addoption('--first-cases', action='store_true',
                     help='run of each parametrized test the first case alone')
    parser.addoption('--endurance', action='store_true',
                     help='run the tests as well that take long')


def pytest_collection_modifyitems(config, items):
    chosen = list(items)
    if not config.getoption('--endurance'):
        chosen = [item for item in chosen if not item.get_closest_marker('endurance')]
    if config.getoption('--first-cases'):
        first = {}
        for item in chosen:
            first.setdefault(item.nodeid.partition('[')[0], item)
        chosen = list(first.values())
    kept = set(chosen)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    if hasattr(config, 'workerinput'):
        chosen.sort(key=lambda item: LONGEST.index(item.path.stem)
                    if item.path.stem in LONGEST else len(LONGEST))
    items[:] = chosen


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
        return launch('lstm_predictor.entry_points', name, '--ros-args', '--log-level', 'warn',
                      *arguments, *values)

    return start_node


@pytest.fixture
def refused(capfd):
    """Return a function that runs a command's `main`, which must fail, and returns its line."""

    def run(main, *arguments):
        assert main(list(arguments)) == 1
        return one_error_line(capfd.readouterr().err)

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
        return one_error_line(errors)

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


@pytest.fixture(scope='session')
def tracks():
    """Return what three simulated robots heard, each other than the next."""
    from lstm_predictor.training.simulated_fleet import drive_job, FleetConfig, jobs
    return [drive_job(job) for job in jobs(FleetConfig(robots=3, seconds=8.0, seed=4))]


@pytest.fixture(scope='session')
def model_path(tmp_path_factory):
    """Return a model file that was not trained."""
    from lstm_predictor.model.model_file import save
    path = tmp_path_factory.mktemp('models') / 'untrained.pt'
    contract = small_contract()
    save(path, motion_model(hidden=16), contract, *golden_inputs(contract))
    return path
