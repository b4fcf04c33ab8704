"""The injections: what each changes in the testbed, and how that is undone."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
import os
from pathlib import Path as FilePath
import random
import signal
import subprocess
import sys
import time
from typing import Any

from geometry_msgs.msg import TwistStamped

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from fault_injection import message_faults
from fault_injection.testbed import Change, LIMITS, Setting, Testbed
from lstm_predictor.nodes.conversions import set_pose, time_message
from lstm_predictor.nodes.diagnostics import InputStatus
from lstm_predictor.nodes.subprocesses import end_with_parent
from lstm_predictor.paths import default_model

from nav_msgs.msg import Path

import numpy as np

from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import SetParameters

import rclpy
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile

from std_msgs.msg import Header

PLANNED = (0.2, 0.0)  # desired twist along a path [m/s], [rad/s]
_TOLERANCE = (0.03, 0.03)  # of the mean twist after a release [-], [rad/s]
_MODEL = 'model.pt'
_TRANSITIONS = (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE,
                Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)


# The diagnostics that show that a node, or the next one after it, receives its input.
_RECEIVING = {'predictor': 'replanner: predicted_path',
              'replanner': 'command_guard: cmd_vel_in',
              'command_guard': 'command_guard: cmd_vel_in'}


@dataclass
class Injection:
    """A fault that is active, and how to end it."""

    end: Callable[[], object] = lambda: None
    problem: Callable[[], str] = str  # any further problem, as text
    # A problem of the motion from a time [s] on, after the end, as text; only of an override.
    released: Callable[[float], str] | None = None
    plan_is_off: bool = False  # the robot must not continue along its path


Inject = Callable[[Testbed], Injection]


def nothing(testbed: Testbed) -> Injection:
    """Inject nothing: the setting of the testbed is the fault."""
    return Injection()


def wire(**changes: Change) -> Inject:
    """Change messages on their way."""
    def begin(testbed: Testbed) -> Injection:
        testbed.wires.changes.update(changes)
        return Injection(testbed.wires.changes.clear)

    return begin


def overridden(change: Callable[[float, float], tuple[float, float]]) -> Inject:
    """Override the commands on their way to the robot [m/s], [rad/s]."""
    def replaced(message: TwistStamped) -> list[TwistStamped]:
        twist = message.twist
        twist.linear.x, twist.angular.z = change(twist.linear.x, twist.angular.z)
        return [message]

    def begin(testbed: Testbed) -> Injection:
        testbed.wires.changes['cmd_vel'] = replaced
        began = time.monotonic()
        return Injection(testbed.wires.changes.clear,
                         released=lambda since: _too_fast(testbed, began, since))

    return begin


def _too_fast(testbed: Testbed, began: float, since: float) -> str:
    """
    Return as text how the robot exceeds the requested twist from a time [s] on, or nothing.

    MPPI varies its commands by itself; allowed is as much as before the fault `began` [s].
    """
    moved = np.array(testbed.observations.moved)
    before, after = moved[moved[:, 0] < began], moved[moved[:, 0] > since]
    if not len(after):
        return 'the ground truth of the robot did not arrive after its release'
    requested = (testbed.command or (0.0, 0.0)) \
        if testbed.setting.mode == 'compensate' else PLANNED
    variation = float(np.abs(before[:, 2]).max()) if testbed.setting.mode == 'mppi' else 0.0
    speed, yaw_rate = after[:, 1].mean(), after[:, 2].mean()
    if abs(speed) > (1.0 + _TOLERANCE[0]) * abs(requested[0]) or \
            abs(yaw_rate - requested[1]) > _TOLERANCE[1] + variation:
        return f'after its release the robot moves at {speed:.3f} m/s, {yaw_rate:.3f} rad/s, ' \
               f'asked for are {requested[0]:.3f} and {requested[1]:.3f}'
    return ''


def lossy(fraction: float) -> Inject:
    """Drop a fraction of the messages on each wire."""
    return wire(**{topic: message_faults.losing(fraction, seed) for seed, topic in enumerate(
        ('odom', 'imu', 'predicted_path', 'predicted_pose', 'cmd_vel_in'))})


def silence(testbed: Testbed) -> Injection:
    """Stop the source while it requests motion."""
    testbed.command = None
    return Injection()


def request(speed: float, yaw_rate: float) -> Inject:
    """Request a twist, however large."""
    def begin(testbed: Testbed) -> Injection:
        testbed.command = (speed, yaw_rate)
        return Injection()

    return begin


def ended(name: str, number: int) -> Inject:
    """End a process by a signal, and start it again at the end."""
    def begin(testbed: Testbed) -> Injection:
        process = testbed.nodes.signal_and_forget(name, number)

        def problem() -> str:
            expected = -number if number == signal.SIGKILL else 0
            return '' if process.poll() == expected else f'{name} ended with {process.poll()}'

        def end() -> None:
            testbed.start(name)
            started = time.monotonic()

            def connected() -> bool:
                testbed.follow_on()  # a new replanner has no path and publishes nothing
                return any(entry.at > started and entry.status == InputStatus.ARRIVES.name
                           for entry in testbed.observations.diagnostics
                           if entry.name == _RECEIVING[name])

            # The end of the fault is when it is connected again, at both ends.
            testbed.wait_for(connected, 30.0)

        return Injection(end, problem, plan_is_off=name == 'replanner')

    return begin


def hung(name: str) -> Inject:
    """Suspend a process, as if it hung."""
    def begin(testbed: Testbed) -> Injection:
        testbed.nodes.signal(name, signal.SIGSTOP)
        return Injection(lambda: testbed.nodes.signal(name, signal.SIGCONT))

    return begin


def clock(jump_ns: int) -> Inject:
    """Let /clock and every stamp jump, for good."""
    def begin(testbed: Testbed) -> Injection:
        testbed.clock_ns += jump_ns
        return Injection()

    return begin


def reset(testbed: Testbed) -> Injection:
    """Restart time and odometry, as a simulator does on reset."""
    testbed.clock_ns -= testbed.now_ns() - 1_000_000_000
    testbed.moved -= testbed.observations.odometry[0]
    return Injection()


def stop_clock(testbed: Testbed) -> Injection:
    """Stop /clock, but not the stamps."""
    testbed.clock_runs = False

    def end() -> None:
        testbed.clock_runs = True

    return Injection(end)


def negative_clock(testbed: Testbed) -> Injection:
    """Publish a negative time on /clock once."""
    testbed.publish_time(-1)
    return Injection()


def shift(by_ns: int, *topics: str) -> Inject:
    """Shift the stamps of some topics."""
    def begin(testbed: Testbed) -> Injection:
        for topic in topics:
            testbed.wires.shift_ns[topic] = by_ns
        return Injection(testbed.wires.shift_ns.clear)

    return begin


def zero_stamp(message: Any) -> list[Any]:
    """Set the stamp to zero."""
    message.header.stamp = time_message(0)
    return [message]


def nan_path(message: Path) -> list[Path]:
    """Set x of every pose of a path to NaN."""
    for pose in message.poses:
        pose.pose.position.x = message_faults.NAN
    return [message]


def teleport(x: float) -> Inject:
    """Move the odometry for good."""
    def begin(testbed: Testbed) -> Injection:
        testbed.moved += x
        return Injection()

    return begin


def incompatible_robot(testbed: Testbed) -> Injection:
    """Add a subscriber to the commands with incompatible QoS."""
    return _by_another_process(lambda node: node.create_subscription(
        TwistStamped, 'cmd_vel', lambda message: None,
        QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)))


def odometry_of_another_type(testbed: Testbed) -> Injection:
    """Add a publisher of another type on odom."""
    return _by_another_process(lambda node: node.create_publisher(Header, 'odom', 10))


def second_source(testbed: Testbed) -> Injection:
    """Add a second source of commands, which publishes zero once."""
    publisher = []

    def make(node: Any) -> None:
        publisher.append(node.create_publisher(TwistStamped, 'cmd_vel_in', 10))
        publisher[0].publish(TwistStamped())

    return _by_another_process(make)


def parameter(node: str, name: str, value: Any, accepted: bool) -> Inject:
    """Set a parameter, which is accepted or not; at the end a good value is set again."""
    def begin(testbed: Testbed) -> Injection:
        client = testbed.node.create_client(SetParameters, f'{node}/set_parameters')
        testbed.wait_for(client.service_is_ready, 5.0)

        def set_to(new: Any) -> Any:
            message: ParameterMessage = Parameter(name, value=new).to_parameter_msg()
            return client.call_async(SetParameters.Request(parameters=[message]))

        answer = set_to(value)

        def end() -> None:
            if accepted:
                set_to(LIMITS[name])

        def problem() -> str:
            if not answer.done():
                return f'no answer about {name}'
            result = answer.result().results[0]
            if result.successful != accepted:
                return f'{name} was {"refused" if accepted else "accepted"}: {result.reason}'
            if accepted and abs(testbed.observations.commands[-1][1]) > value[0] + 1e-6:
                return f'the new {name} was not kept to'
            return '' if accepted or name in result.reason else 'the refusal names no parameter'

        return Injection(end, problem)

    return begin


class States:
    """Changes the state of a lifecycle node."""

    def __init__(self, testbed: Testbed, name: str) -> None:
        """Wait until the node answers."""
        self._testbed = testbed
        self._client = testbed.node.create_client(ChangeState, f'{name}/change_state')
        testbed.wait_for(self._client.service_is_ready, 5.0)

    def change(self, *transitions: int) -> list[bool]:
        """Request transitions one after the other; return which of them succeeded."""
        done = []
        for identity in transitions:
            answer = self._client.call_async(
                ChangeState.Request(transition=Transition(id=identity)))
            self._testbed.wait_for(answer.done, 20.0)
            done.append(answer.done() and bool(answer.result().success))
        return done

    def make_active(self) -> None:
        """Configure and activate it, for the last time."""
        self.change(*_TRANSITIONS[:2])
        self._testbed.node.destroy_client(self._client)


def transitions(name: str, seed: int) -> Inject:
    """Request transitions in random order, and leave the node active at the end."""
    def begin(testbed: Testbed) -> Injection:
        states, draws = States(testbed, name), random.Random(seed)
        states.change(Transition.TRANSITION_DEACTIVATE, *draws.choices(_TRANSITIONS, k=12),
                      Transition.TRANSITION_DEACTIVATE)
        return Injection(states.make_active)

    return begin


def own_model(folder: FilePath) -> Setting:
    """Return the setting in which the predictor has a model file of its own."""
    return Setting(parameters=(('predictor', 'model_path', str(folder / _MODEL)),))


def model_file(what: str, folder: FilePath) -> Inject:
    """Corrupt the model file and configure the predictor again; restore it at the end."""
    def begin(testbed: Testbed) -> Injection:
        states = States(testbed, 'predictor')
        path = folder / _MODEL
        good = path.read_bytes()
        states.change(Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)
        path.unlink()
        if what == 'truncated':
            path.write_bytes(good[:len(good) // 2])
        elif what == 'replaced':
            path.write_bytes(b'something else')
        elif what == 'unreadable':
            path.mkdir()
        configured, = states.change(Transition.TRANSITION_CONFIGURE)

        def end() -> None:
            if path.is_dir():
                path.rmdir()
            path.write_bytes(good)
            states.make_active()

        return Injection(end, lambda: 'it was configured all the same' if configured else '')

    return begin


def put_model(folder: FilePath) -> None:
    """Put the model of the package where `own_model` has it."""
    (folder / _MODEL).write_bytes(FilePath(default_model()).read_bytes())


def busy(testbed: Testbed) -> Injection:
    """Keep every core busy."""
    burners = [subprocess.Popen([sys.executable, '-c', 'while True: pass'],
                                preexec_fn=end_with_parent)
               for _ in range(os.cpu_count() or 1)]

    def end() -> None:
        for burner in burners:
            burner.kill()
            burner.wait()

    return Injection(end)


def bad_plan(testbed: Testbed) -> Injection:
    """Send a plan that leads nowhere, and at the end a good one."""
    plan = testbed.straight_on(2.0)
    for pose in plan.poses:
        set_pose(pose.pose, message_faults.NAN, 0.0, 0.0)
    testbed.follow(plan)
    return Injection(lambda: testbed.follow(testbed.straight_on(5.0)), plan_is_off=True)


def _by_another_process(make: Callable[[Any], Any]) -> Injection:
    """Let a node in a context of its own make something, as another process would."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('other_process', context=context)
    make(node)

    def end() -> None:
        with suppress(Exception):
            node.destroy_node()
        context.try_shutdown()

    return Injection(end)
