"""Drive a simulated TurtleBot3 with an unknown delay around a figure of eight, and show it all."""

import argparse
from dataclasses import dataclass
import math
from pathlib import Path
import shutil
import sys
import time

from geometry_msgs.msg import PoseWithCovarianceStamped

from lstm_predictor.bags import BagError, BagWriter
from lstm_predictor.cli import demo_report
from lstm_predictor.cli.arguments import not_negative, positive, write_json
from lstm_predictor.cli.ending import ends_with_a_line
from lstm_predictor.cli.processes import NodeDied, Nodes, own_domain
from lstm_predictor.cli.session import session
from lstm_predictor.core import samples
from lstm_predictor.core.scoreboard import Scoreboard
from lstm_predictor.nodes.commands import CommandPublisher
from lstm_predictor.nodes.recorder import Recorder
from lstm_predictor.sim.courses import figure_of_eight
from lstm_predictor.sim.pursuit import PurePursuit

from nav_msgs.msg import Odometry

import numpy as np

from rclpy.node import Node

_RECORDED = {
    '/odom': 'nav_msgs/msg/Odometry', '/imu': 'sensor_msgs/msg/Imu',
    '/joint_states': 'sensor_msgs/msg/JointState', '/ground_truth': 'nav_msgs/msg/Odometry',
    '/cmd_vel_in': 'geometry_msgs/msg/TwistStamped', '/cmd_vel': 'geometry_msgs/msg/TwistStamped',
    '/predicted_path': 'nav_msgs/msg/Path', '/predicted_odom': 'nav_msgs/msg/Odometry',
    '/predicted_pose': 'geometry_msgs/msg/PoseWithCovarianceStamped',
    '/predicted_markers': 'visualization_msgs/msg/MarkerArray',
    '/diagnostics': 'diagnostic_msgs/msg/DiagnosticArray'}
_PERIOD = 0.05  # of the path follower [s]
_SPEED = 0.18  # [m/s]
_LOOKAHEAD = 0.5  # [s], short, as a robot in a narrow place needs it
_MOST_LATE = 0.1  # share of the predictions that may come after their time [-]
_ROUND = 3.6  # length of the figure of eight [m]


@dataclass(frozen=True)
class Run:
    """What the path follower steers by and where its commands go."""

    steers_by: str
    commands: str


RUNS = {'without_replanner': Run('odom', 'cmd_vel'),
        'with_replanner': Run('predicted_odom', 'cmd_vel_in')}


class Driver:
    """Follows the path and keeps the running error of the predictions."""

    def __init__(self, node: Node, chain: Run) -> None:
        """Steer and command by these topics."""
        self.board = Scoreboard()
        self._clock = node.get_clock()
        self._heard = self._late = 0  # predicted poses, and those whose time had passed by then
        self._pose: samples.Odometry | None = None
        self._follower = PurePursuit(figure_of_eight(_ROUND), _SPEED, _LOOKAHEAD)
        self._publisher = CommandPublisher(node, chain.commands)
        node.create_subscription(Odometry, chain.steers_by, self._on_pose, 10)
        node.create_subscription(Odometry, 'odom', self._on_odometry, 10)
        node.create_subscription(
            PoseWithCovarianceStamped, 'predicted_pose', self._on_prediction, 10)

    def drive(self) -> None:
        """Send the next command."""
        if self._pose is not None:
            self._publisher.publish(*self._follower.command(np.array(self._pose[1:4])))

    def stop(self) -> None:
        """Ask for no motion."""
        self._publisher.publish(0.0, 0.0)

    def too_late(self) -> str:
        """Return in words that the machine was too slow to predict anything, or nothing."""
        if self._late <= _MOST_LATE * self._heard:
            return ''
        return f'this machine is too busy: {100.0 * self._late / self._heard:.0f} % of the ' \
               f'predicted poses came after their time, so the numbers of this run say nothing'

    def _on_pose(self, message: Odometry) -> None:
        self._pose = samples.read_odometry(message)

    def _on_odometry(self, message: Odometry) -> None:
        self.board.observed(samples.read_odometry(message))

    def _on_prediction(self, message: PoseWithCovarianceStamped) -> None:
        self._heard += 1
        self._late += samples.stamp_ns(message.header) < self._clock.now().nanoseconds
        self.board.predicted(
            samples.stamp_ns(message.header), np.array(samples.read_pose(message.pose.pose)))


@ends_with_a_line(NodeDied, BagError, OSError)
def main(args: list[str] | None = None) -> int:
    """Run the demo; return the exit code."""
    given = _arguments().parse_args(args)
    given.out.mkdir(parents=True, exist_ok=True)
    for name, chain in RUNS.items():
        shutil.rmtree(given.out / name, ignore_errors=True)
        run(name, chain, given)
    report = demo_report.make(
        {name: given.out / name for name in RUNS}, figure_of_eight(_ROUND), given.out)
    print(report.text)
    for file in (given.out / 'demo.json', given.json):
        if file is not None:
            write_json(file, report.numbers)
    print(f'\nwrote {given.out}/: demo.png, demo.json and the recordings '
          + ' and '.join(RUNS))
    return 0


def run(name: str, chain: Run, given: argparse.Namespace) -> None:
    """Drive once and record everything."""
    print(f'{name.replace("_", " ")}: the path follower steers by {chain.steers_by} and commands '
          f'{chain.commands}', flush=True)
    with own_domain(), Nodes() as nodes, BagWriter(given.out / name) as bag, \
            session('driver') as driving:
        nodes.start('sim', command_delay=given.command_delay, seed=given.seed)
        nodes.start('predictor')
        nodes.start('replanner')
        driver = Driver(driving.node, chain)
        recorder = Recorder(driving.node, _RECORDED, bag.write)
        driving.wait_for(lambda: _all_there(driving.node, chain),
                         'the nodes to find each other', nodes.check)
        driving.wait_for(lambda: recorder.counts['/predicted_pose'] > 0, 'a first prediction',
                         nodes.check)
        began = time.monotonic()
        count = 0
        try:
            while time.monotonic() - began < given.seconds:
                nodes.check()
                driver.drive()
                count += 1
                if count % 10 == 0:
                    _show(time.monotonic() - began, given.seconds, driver.board.position_rmse)
                driving.wait(began + count * _PERIOD - time.monotonic())
        finally:
            print()  # after the line that moves
        driver.stop()
        late = driver.too_late()
        if late:
            print(f'  {late}')


def _all_there(node: Node, chain: Run) -> bool:
    return node.count_subscribers(chain.commands) > 1 and \
        node.count_publishers('/predicted_pose') > 0 and \
        node.count_subscribers('/predicted_path') > 1


def _show(passed: float, seconds: float, rmse: float) -> None:
    done = int(30 * passed / seconds)
    error = '' if math.isnan(rmse) else \
        f', predicted poses are off by {1e3 * rmse:.1f} mm'
    print(f'\r  [{"#" * done:<30}] {passed:4.0f} of {seconds:.0f} s{error:<54}', end='',
          flush=True)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='demo', description=__doc__)
    parser.add_argument('--seconds', type=positive, default=30.0,
                        help='of driving, in each run (default: %(default)g)')
    parser.add_argument('--out', type=Path, default=Path('out/demo'),
                        help='folder for results (default: %(default)s)')
    parser.add_argument('--json', type=Path, help='also write the numbers to this file')
    parser.add_argument('--command-delay', type=not_negative, default=0.25,
                        help='that nobody tells the nodes [s] (default: %(default)g)')
    parser.add_argument('--seed', type=int, default=0, help='of the simulated noise (default: 0)')
    return parser


if __name__ == '__main__':
    sys.exit(main())
