"""One run of the closed-loop bench in real time, with the nodes as processes."""

from dataclasses import fields
from pathlib import Path
import time

from lstm_predictor.common import readings, se2
from lstm_predictor.control.regulated_pure_pursuit import Pursuit
from lstm_predictor.control.status import ReplannerStatus
from lstm_predictor.evaluation.closed_loop.case import (
    Case, CHAINS, PERIOD_NS, pursuit_config, robot_config, start_pose, time_limit)
from lstm_predictor.evaluation.closed_loop.courses import COURSES
from lstm_predictor.evaluation.closed_loop.runner import Drive
from lstm_predictor.nodes.session import session
from lstm_predictor.nodes.subprocesses import Nodes, own_domain
from lstm_predictor.nodes.velocity_commands import CommandPublisher
from lstm_predictor.simulation.robot_config import RobotConfig

from nav_msgs.msg import Odometry

import numpy as np

from rclpy.node import Node


class _LatestMessages:
    """The newest pose to steer by and the newest true pose."""

    def __init__(self, node: Node, steers_by: str) -> None:
        self.pose: readings.Odometry | None = None
        self.truth: Odometry | None = None
        node.create_subscription(Odometry, steers_by, self._on_pose, 10)
        node.create_subscription(Odometry, 'ground_truth', self._on_truth, 10)

    def _on_pose(self, message: Odometry) -> None:
        self.pose = readings.read_odometry(message)

    def _on_truth(self, message: Odometry) -> None:
        self.truth = message


def drive(case: Case, model: Path) -> Drive:
    """Return one run; raise NodeDied if a node ends or does not start in time."""
    steers_by, commands = CHAINS[case.method]
    course, config = COURSES[case.course], robot_config(case)
    start = start_pose(case.seed)
    pursuit = Pursuit(pursuit_config(case.source, case.lookahead))
    pursuit.follow(course.plan)
    times, truth, sent = [], [], []
    with own_domain(), Nodes() as nodes, session('source') as source:
        nodes.start('sim', seed=case.seed, **{
            field.name: getattr(config, field.name) for field in fields(RobotConfig)})
        nodes.start('predictor', model_path=str(model))
        if commands == 'cmd_vel_in':
            nodes.start('replanner')
        latest = _LatestMessages(source.node, steers_by)
        publisher = CommandPublisher(source.node, commands)
        source.wait_for(lambda: None not in (latest.pose, latest.truth) and
                        source.node.count_subscribers(commands) > (commands == 'cmd_vel'),
                        'the nodes', nodes.check)
        began, count, arrived = time.monotonic(), 0, False
        while not arrived and count * 1e-9 * PERIOD_NS < time_limit(course):
            nodes.check()
            now = count * 1e-9 * PERIOD_NS
            output = pursuit.command(
                se2.compose(start, np.array(latest.pose[1:4])), now)
            arrived = output.status is ReplannerStatus.AT_GOAL
            command = (0.0, 0.0) if course.pauses(now) else (output.speed, output.yaw_rate)
            publisher.publish(*command)
            count += 1
            source.wait(began + count * 1e-9 * PERIOD_NS - time.monotonic())
            true = readings.read_odometry(latest.truth)
            times.append(count * 1e-9 * PERIOD_NS)
            truth.append([*se2.compose(start, np.array(true[1:4])).tolist(),
                          true.speed, true.yaw_rate])
            sent.append(command)
        publisher.publish(0.0, 0.0)
        publisher.flush()
    return Drive(np.array(times), np.array(truth), np.array(sent), arrived)
