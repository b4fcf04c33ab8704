"""What is done to a stage for a fault, and undone at its end."""

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

from lstm_predictor.cli.processes import end_with_parent
from lstm_predictor.faults import spoil
from lstm_predictor.faults.stage import Change, LIMITS, Setting, Stage
from lstm_predictor.nodes.messages import set_pose, time_message
from lstm_predictor.paths import default_model

from nav_msgs.msg import Path

from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import SetParameters

import rclpy
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile

from std_msgs.msg import Header

_MODEL = 'model.pt'
_TRANSITIONS = (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE,
                Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)


# The diagnostics that say of a node that it hears, or is heard by the next one.
_NEXT = {'predictor': 'replanner: predicted_path', 'replanner': 'command_guard: cmd_vel_in',
         'command_guard': 'command_guard: cmd_vel_in'}


@dataclass
class Act:
    """A fault that has begun."""

    end: Callable[[], object] = lambda: None
    problem: Callable[[], str] = str  # what else is not as it should be, in words
    plan_is_off: bool = False  # nobody means the robot to go on along a plan


Begin = Callable[[Stage], Act]


def nothing(stage: Stage) -> Act:
    """Do nothing: the stage itself is what is wrong."""
    return Act()


def wire(**changes: Change) -> Begin:
    """Change messages on their way."""
    def begin(stage: Stage) -> Act:
        stage.wires.changes.update(changes)
        return Act(stage.wires.changes.clear)

    return begin


def lossy(share: float) -> Begin:
    """Lose a share of what goes over each wire."""
    return wire(**{topic: spoil.losing(share, seed) for seed, topic in enumerate(
        ('odom', 'imu', 'predicted_path', 'predicted_pose', 'cmd_vel_in'))})


def silence(stage: Stage) -> Act:
    """Let the source fall silent while it asks for motion."""
    stage.command = None
    return Act()


def ask(speed: float, yaw_rate: float) -> Begin:
    """Ask for more than any robot can."""
    def begin(stage: Stage) -> Act:
        stage.command = (speed, yaw_rate)
        return Act()

    return begin


def ended(name: str, number: int) -> Begin:
    """End a process by a signal, and start it again at the end."""
    def begin(stage: Stage) -> Act:
        process = stage.nodes.let_go(name, number)

        def problem() -> str:
            wanted = -number if number == signal.SIGKILL else 0
            return '' if process.poll() == wanted else f'{name} ended with {process.poll()}'

        def end() -> None:
            stage.start(name)
            started = time.monotonic()

            def connected() -> bool:
                stage.follow_on()  # a replanner that is new has no plan and says nothing
                return any(said.at > started and 'arrives' in said.message
                           for said in stage.record.said if said.name == _NEXT[name])

            # What follows is counted from when it is connected again, at both ends.
            stage.wait_for(connected, 30.0)

        return Act(end, problem, plan_is_off=name == 'replanner')

    return begin


def hung(name: str) -> Begin:
    """Stop a process as if it hung."""
    def begin(stage: Stage) -> Act:
        stage.nodes.signal(name, signal.SIGSTOP)
        return Act(lambda: stage.nodes.signal(name, signal.SIGCONT))

    return begin


def clock(jump_ns: int) -> Begin:
    """Let /clock and every stamp jump, for good."""
    def begin(stage: Stage) -> Act:
        stage.clock_ns += jump_ns
        return Act()

    return begin


def reset(stage: Stage) -> Act:
    """Let time begin anew and put the robot back to where it began, as far as it knows."""
    stage.clock_ns -= stage.now_ns() - 1_000_000_000
    stage.moved -= stage.record.odometry[0]
    return Act()


def stop_clock(stage: Stage) -> Act:
    """Stop /clock, but not the stamps."""
    stage.clock_runs = False

    def end() -> None:
        stage.clock_runs = True

    return Act(end)


def negative_clock(stage: Stage) -> Act:
    """Publish a time that is none."""
    stage.say_time(-1)
    return Act()


def shift(by_ns: int, *topics: str) -> Begin:
    """Shift the stamps of some topics."""
    def begin(stage: Stage) -> Act:
        for topic in topics:
            stage.wires.shift_ns[topic] = by_ns
        return Act(stage.wires.shift_ns.clear)

    return begin


def zero_stamp(message: Any) -> list[Any]:
    """Take the stamp away."""
    message.header.stamp = time_message(0)
    return [message]


def spoilt_path(message: Path) -> list[Path]:
    """Spoil every pose of a path."""
    for pose in message.poses:
        pose.pose.position.x = spoil.NAN
    return [message]


def teleport(x: float) -> Begin:
    """Move the odometry for good."""
    def begin(stage: Stage) -> Act:
        stage.moved += x
        return Act()

    return begin


def deaf_robot(stage: Stage) -> Act:
    """Add a robot that wants commands kept for it."""
    return _beside(lambda node: node.create_subscription(
        TwistStamped, 'cmd_vel', lambda message: None,
        QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)))


def foreign_odometry(stage: Stage) -> Act:
    """Add somebody who has another idea of what odom is."""
    return _beside(lambda node: node.create_publisher(Header, 'odom', 10))


def second_source(stage: Stage) -> Act:
    """Add a source of commands, which asks for no motion once."""
    sender = []

    def make(node: Any) -> None:
        sender.append(node.create_publisher(TwistStamped, 'cmd_vel_in', 10))
        sender[0].publish(TwistStamped())

    return _beside(make)


def parameter(node: str, name: str, value: Any, accepted: bool) -> Begin:
    """Set a parameter, which is accepted or not; at the end a good value is set again."""
    def begin(stage: Stage) -> Act:
        client = stage.node.create_client(SetParameters, f'{node}/set_parameters')
        stage.wait_for(client.service_is_ready, 5.0)

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
            if accepted and abs(stage.record.commands[-1][1]) > value[0] + 1e-6:
                return f'the new {name} was not kept to'
            return '' if accepted or name in result.reason else 'the refusal names no parameter'

        return Act(end, problem)

    return begin


class States:
    """Changes the state of a lifecycle node."""

    def __init__(self, stage: Stage, name: str) -> None:
        """Wait until the node answers."""
        self._stage = stage
        self._client = stage.node.create_client(ChangeState, f'{name}/change_state')
        stage.wait_for(self._client.service_is_ready, 5.0)

    def change(self, *transitions: int) -> list[bool]:
        """Ask for transitions one after the other; return which of them succeeded."""
        done = []
        for identity in transitions:
            answer = self._client.call_async(
                ChangeState.Request(transition=Transition(id=identity)))
            self._stage.wait_for(answer.done, 20.0)
            done.append(answer.done() and bool(answer.result().success))
        return done

    def make_active(self) -> None:
        """Configure and activate it, and ask no more."""
        self.change(*_TRANSITIONS[:2])
        self._stage.node.destroy_client(self._client)


def transitions(name: str, seed: int) -> Begin:
    """Ask for transitions in any order, and leave the node active at the end."""
    def begin(stage: Stage) -> Act:
        states, draws = States(stage, name), random.Random(seed)
        states.change(Transition.TRANSITION_DEACTIVATE, *draws.choices(_TRANSITIONS, k=12),
                      Transition.TRANSITION_DEACTIVATE)
        return Act(states.make_active)

    return begin


def own_model(folder: FilePath) -> Setting:
    """Return the setting in which the predictor has a model file of its own."""
    return Setting(parameters=(('predictor', 'model_path', str(folder / _MODEL)),))


def model_file(what: str, folder: FilePath) -> Begin:
    """Spoil the model file, and configure the predictor again; the good file at the end."""
    def begin(stage: Stage) -> Act:
        states = States(stage, 'predictor')
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

        return Act(end, lambda: 'it was configured all the same' if configured else '')

    return begin


def put_model(folder: FilePath) -> None:
    """Put the model of the package where `own_model` has it."""
    (folder / _MODEL).write_bytes(FilePath(default_model()).read_bytes())


def busy(stage: Stage) -> Act:
    """Keep every core busy."""
    burners = [subprocess.Popen([sys.executable, '-c', 'while True: pass'],
                                preexec_fn=end_with_parent)
               for _ in range(os.cpu_count() or 1)]

    def end() -> None:
        for burner in burners:
            burner.kill()
            burner.wait()

    return Act(end)


def bad_plan(stage: Stage) -> Act:
    """Send a plan that leads nowhere, and at the end a good one."""
    plan = stage.straight_on(2.0)
    for pose in plan.poses:
        set_pose(pose.pose, spoil.NAN, 0.0, 0.0)
    stage.follow(plan)
    return Act(lambda: stage.follow(stage.straight_on(5.0)), plan_is_off=True)


def _beside(make: Callable[[Any], Any]) -> Act:
    """Have something made by a node of another process, as the others see it."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('stranger', context=context)
    make(node)

    def end() -> None:
        with suppress(Exception):
            node.destroy_node()
        context.try_shutdown()

    return Act(end)
