"""Drive a simulated TurtleBot3 with an unknown delay around a figure of eight, and show it all."""

import argparse
from collections import deque
from dataclasses import dataclass
from pathlib import Path
import shutil
import sys
import time

from geometry_msgs.msg import PoseWithCovarianceStamped

from lstm_predictor.cli.arguments import not_negative, positive, write_json
from lstm_predictor.cli.errors import report_errors
from lstm_predictor.common import metrics, readings
from lstm_predictor.evaluation import demo_report
from lstm_predictor.nodes.bag_recorder import Recorder
from lstm_predictor.nodes.session import session
from lstm_predictor.nodes.subprocesses import Nodes, own_domain
from lstm_predictor.nodes.velocity_commands import CommandPublisher
from lstm_predictor.recordings.rosbag_io import BagWriter
from lstm_predictor.simulation.closed_paths import figure_of_eight
from lstm_predictor.simulation.pure_pursuit import PurePursuit

from nav_msgs.msg import Odometry

import numpy as np

from rclpy.node import Node

from tqdm import tqdm

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
_MAX_LATE = 0.1  # fraction of the predictions that may come after their stamp [-]
_LENGTH = 3.6  # of the figure of eight [m]
_SHOWN = 200  # newest predicted poses over which the displayed error is taken
_BAR = '  [{bar:30}] {n:4.0f} of {total:.0f} s{postfix}'


@dataclass(frozen=True)
class Run:
    """The topics of the path follower: the pose that it steers by, and its commands."""

    steers_by: str
    commands: str


RUNS = {'without_replanner': Run('odom', 'cmd_vel'),
        'with_replanner': Run('predicted_odom', 'cmd_vel_in')}


class Driver:
    """Follows the path, and compares the predicted poses with the odometry at their stamps."""

    def __init__(self, node: Node, chain: Run) -> None:
        """Steer by one topic of `chain` and send the commands on the other."""
        # Stamp [ns], x [m] and y [m].
        self._predicted: deque[tuple[float, ...]] = deque(maxlen=_SHOWN)
        self._driven: deque[tuple[float, ...]] = deque(maxlen=2 * _SHOWN)
        self._clock = node.get_clock()
        self._received = self._late = 0  # predicted poses, and those after their stamp
        self._pose: readings.Odometry | None = None
        self._follower = PurePursuit(figure_of_eight(_LENGTH), _SPEED, _LOOKAHEAD)
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
        """Command zero velocity."""
        self._publisher.publish(0.0, 0.0)

    def position_error(self) -> str:
        """Return the RMS error of the newest predictions as text, empty before the first."""
        if not self._predicted or not self._driven:
            return ''
        stamps, *positions = np.array(self._predicted).T
        times, *driven = np.array(self._driven).T
        due = (stamps >= times[0]) & (stamps <= times[-1])
        if not due.any():
            return ''
        errors = [predicted[due] - np.interp(stamps[due], times, values)
                  for predicted, values in zip(positions, driven)]
        return f'predicted poses are off by {1e3 * metrics.rms(np.hypot(*errors)):.1f} mm'

    def too_late(self) -> str:
        """Return a warning if the machine was too slow for its predictions, else nothing."""
        if self._late <= _MAX_LATE * self._received:
            return ''
        return f'this machine is too busy: {100.0 * self._late / self._received:.0f} % of the ' \
               f'predicted poses came after their time, so the numbers of this run say nothing'

    def _on_pose(self, message: Odometry) -> None:
        self._pose = readings.read_odometry(message)

    def _on_odometry(self, message: Odometry) -> None:
        self._driven.append(readings.read_odometry(message)[:3])

    def _on_prediction(self, message: PoseWithCovarianceStamped) -> None:
        stamp_ns = readings.stamp_ns(message.header)
        self._received += 1
        self._late += stamp_ns < self._clock.now().nanoseconds
        self._predicted.append((stamp_ns, *readings.read_pose(message.pose.pose)[:2]))


@report_errors()
def main(args: list[str] | None = None) -> int:
    """Run the demo; return the exit code."""
    given = _arguments().parse_args(args)
    given.out.mkdir(parents=True, exist_ok=True)
    for name, chain in RUNS.items():
        shutil.rmtree(given.out / name, ignore_errors=True)
        run(name, chain, given)
    report = demo_report.make(
        {name: given.out / name for name in RUNS}, figure_of_eight(_LENGTH), given.out)
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
        with tqdm(total=given.seconds, bar_format=_BAR, ascii=' #', file=sys.stdout) as bar:
            while (passed := time.monotonic() - began) < given.seconds:
                nodes.check()
                driver.drive()
                count += 1
                if count % 10 == 0:
                    bar.n = passed
                    bar.set_postfix_str(driver.position_error())
                driving.wait(began + count * _PERIOD - time.monotonic())
            bar.update(given.seconds - bar.n)
        driver.stop()
        late = driver.too_late()
        if late:
            print(f'  {late}')


def _all_there(node: Node, chain: Run) -> bool:
    return node.count_subscribers(chain.commands) > 1 and \
        node.count_publishers('/predicted_pose') > 0 and \
        node.count_subscribers('/predicted_path') > 1


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='demo', description=__doc__)
    parser.add_argument('--seconds', type=positive, default=30.0,
                        help='of driving, in each run (default: %(default)g)')
    parser.add_argument('--out', type=Path, default=Path('out/demo'),
                        help='folder for results (default: %(default)s)')
    parser.add_argument('--json', type=Path, help='also write the numbers to this file')
    parser.add_argument('--command-delay', type=not_negative, default=0.25,
                        help='input delay, unknown to the nodes [s] (default: %(default)g)')
    parser.add_argument('--seed', type=int, default=0, help='of the simulated noise (default: 0)')
    return parser


if __name__ == '__main__':
    sys.exit(main())
