"""One run of the bench in real time: the nodes as processes, the source in this one."""

from dataclasses import fields
from pathlib import Path
import time

from lstm_predictor.cli.closed_loop_runs import CHAINS
from lstm_predictor.cli.processes import Nodes, own_domain
from lstm_predictor.cli.session import session
from lstm_predictor.core import samples, se2
from lstm_predictor.core.pursuit import ARRIVED, Pursuit
from lstm_predictor.nodes.commands import CommandPublisher
from lstm_predictor.sim.closed_loop import (
    beside_the_start, Case, Drive, longest, PERIOD_NS, pursuit_config, robot_config)
from lstm_predictor.sim.robot_config import RobotConfig
from lstm_predictor.sim.routes import ROUTES

from nav_msgs.msg import Odometry

import numpy as np

from rclpy.node import Node


class _Ears:
    """The newest message of each kind that the source needs."""

    def __init__(self, node: Node, steers_by: str) -> None:
        self.pose: samples.Odometry | None = None
        self.truth: Odometry | None = None
        node.create_subscription(Odometry, steers_by, self._on_pose, 10)
        node.create_subscription(Odometry, 'ground_truth', self._on_truth, 10)

    def _on_pose(self, message: Odometry) -> None:
        self.pose = samples.read_odometry(message)

    def _on_truth(self, message: Odometry) -> None:
        self.truth = message


def drive(case: Case, model: Path) -> Drive:
    """Return one run; raise NodeDied where a node ends or is not there in time."""
    steers_by, commands = CHAINS[case.method]
    course, config = ROUTES[case.course], robot_config(case)
    start = beside_the_start(case.seed)
    pursuit = Pursuit(pursuit_config(case.source, case.lookahead))
    pursuit.follow(course.plan)
    times, truth, sent = [], [], []
    with own_domain(), Nodes() as nodes, session('source') as source:
        nodes.start('sim', seed=case.seed, **{
            field.name: getattr(config, field.name) for field in fields(RobotConfig)})
        nodes.start('predictor', model_path=str(model))
        if commands == 'cmd_vel_in':
            nodes.start('replanner')
        ears = _Ears(source.node, steers_by)
        publisher = CommandPublisher(source.node, commands)
        source.wait_for(lambda: None not in (ears.pose, ears.truth) and
                        source.node.count_subscribers(commands) > (commands == 'cmd_vel'),
                        'the nodes', nodes.check)
        began, count, arrived = time.monotonic(), 0, False
        while not arrived and count * 1e-9 * PERIOD_NS < longest(course):
            nodes.check()
            now = count * 1e-9 * PERIOD_NS
            speed, yaw_rate, doing = pursuit.command(
                se2.compose(start, np.array(ears.pose[1:4])), now)
            arrived = doing == ARRIVED
            command = (0.0, 0.0) if course.pauses(now) else (speed, yaw_rate)
            publisher.publish(*command)
            count += 1
            source.wait(began + count * 1e-9 * PERIOD_NS - time.monotonic())
            there = samples.read_odometry(ears.truth)
            times.append(count * 1e-9 * PERIOD_NS)
            truth.append([*se2.compose(start, np.array(there[1:4])).tolist(),
                          there.speed, there.yaw_rate])
            sent.append(command)
        publisher.publish(0.0, 0.0)
        publisher.flush()
    return Drive(np.array(times), np.array(truth), np.array(sent), arrived)
