"""Play recordings through the real predictor node and score what it publishes."""

import argparse
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sized
from pathlib import Path
import sys
import time

from lstm_predictor.cli.arguments import (
    add_limits, add_model, add_topics, limits_of, positive, print_findings, topics_of,
    write_groups)
from lstm_predictor.cli.errors import report_errors
from lstm_predictor.common import metrics, readings
from lstm_predictor.evaluation.published import compare, Compared, join
from lstm_predictor.model import model_file
from lstm_predictor.nodes.bag_player import Player
from lstm_predictor.nodes.session import Session, session
from lstm_predictor.nodes.subprocesses import NodeDied, Nodes, own_domain
from lstm_predictor.recordings.drives import Drive
from lstm_predictor.recordings.rosbag_io import BagError, Recording
from lstm_predictor.recordings.storage import recording_of
from lstm_predictor.training import dataset
from lstm_predictor.training.recorded_tracks import groups_of, recorded

from nav_msgs.msg import Path as PathMessage

import numpy as np
from numpy.typing import NDArray

from rclpy.node import Node

Array = NDArray[np.float64]

_LEAST_SHARE = 0.9  # of the predictions that a node makes which keeps up [-]


@report_errors()
def main(args: list[str] | None = None) -> int:
    """Replay recordings; return the exit code."""
    given = _arguments().parse_args(args)
    scored: dict[str, list[Compared]] = defaultdict(list)
    model = model_file.load(given.model)
    bags = [recording_of(bag) for bag in given.bags]
    for bag, group in zip(bags, groups_of(bags, given.by == 'recording')):
        scored[group] += [replay(bag, given, model)]
    groups = {name: join(parts).group() for name, parts in scored.items()}
    print(metrics.table(groups))
    write_groups(given.json, groups)
    print(f'wrote {given.json}')
    return 0


def replay(bag: Path, given: argparse.Namespace, model: model_file.LoadedModel) -> Compared:
    """Play one recording and return the predictions with the true poses."""
    contract = model.contract
    with Recording(bag, topics_of(given)) as recording:
        found = recorded(recording)
        drives = recording.drives()
        limits = limits_of(given, (
            reading for track in found.tracks for reading in track.readings))
        print(f'{recording.name}: {recording.duration:.0f} s, robot of {limits[0]:.2f} m/s and '
              f'{limits[1]:.2f} rad/s' + ('' if given.max_speed else ' (the largest it shows)'))
        windows = [dataset.filled_window(track.readings, contract.window_config(*limits))
                   for track in found.tracks]
        possible = sum(len(dataset.usable_anchors(window, contract.horizon))
                       for window in windows)
        if not possible:
            seconds = (contract.shortest + contract.horizon) / contract.rate
            raise BagError(f'recording {bag} has no {seconds:g} s of odometry without a gap')
        print_findings(bag, found.findings)
        predicted = by_drive(_play(recording, drives, given, limits), drives)
    compared = join([compare(poses, window, model) for poses, window in zip(predicted, windows)])
    scored = len(compared.later)
    if not scored:
        raise NodeDied('the predictor node published nothing that can be scored')
    print(f'  {scored} predictions scored, of about {possible} possible ones')
    if scored < _LEAST_SHARE * possible:
        print('  the node did not keep up: a lower --rate, or a machine with less to do, scores '
              'more')
    return compared


def by_drive(predicted: Iterable[tuple[int, Array]], drives: list[Drive]
             ) -> list[dict[int, Array]]:
    """
    Return the predictions of each drive by their stamps, which may recur in a later one.

    `predicted` is in the order of publication, so the stamps of a drive rise.
    """
    stamps = [set(drive.stamps_ns().tolist()) for drive in drives]
    found: list[dict[int, Array]] = [{} for _ in drives]
    at, newest_ns = 0, 0
    for stamp_ns, poses in predicted:
        first = at if stamp_ns > newest_ns else at + 1
        place = next((i for i in range(first, len(drives)) if stamp_ns in stamps[i]), None)
        if place is None:
            continue
        at, newest_ns = place, stamp_ns
        found[at][stamp_ns] = poses
    return found


def _play(recording: Recording, drives: list[Drive], given: argparse.Namespace,
          limits: tuple[float, float]) -> list[tuple[int, Array]]:
    """Return the poses (H, 3) that the node published, with the stamp of their newest input."""
    predicted: list[tuple[int, Array]] = []

    def on_path(message: PathMessage) -> None:
        predicted.append((readings.stamp_ns(message.header), np.array(
            [readings.read_pose(step.pose) for step in message.poses])))

    with own_domain(), Nodes() as nodes, session('replay') as waiting:
        nodes.start('predictor', use_sim_time=True, model_path=str(given.model),
                    max_velocity=[limits[0], 0.0, limits[1]])
        waiting.node.create_subscription(PathMessage, 'predicted_path', on_path, 200)
        player = Player(waiting.node, recording.topics, recording.types(), robot_time(drives))
        waiting.wait_for(lambda: _ready(player, waiting.node), 'the predictor node', nodes.check)
        _run(player, recording, given.rate, nodes, waiting, predicted)
    return predicted


def robot_time(drives: list[Drive]) -> Callable[[int], int]:
    """
    Return a function from the time of receipt to the robot's time [ns].

    Both are the same unless the clocks drift apart, as in a simulation.
    """
    begins = [drive.begin_ns for drive in drives[1:]]
    if not any(drive.receipts is not None and drive.receipts.drifts.any() for drive in drives):
        return lambda receive_ns: receive_ns
    return lambda receive_ns: drives[bisect_right(begins, receive_ns)].time_ns(receive_ns)


def _ready(player: Player, node: Node) -> bool:
    return player.has_subscribers() and node.count_publishers('predicted_path') > 0


def _run(player: Player, recording: Recording, rate: float, nodes: Nodes, waiting: Session,
         predicted: Sized) -> None:
    """Play to the end with a progress line, then wait until the node publishes no more."""
    shown, begin = 0.0, 0
    for message in player.play(recording.messages(), rate, waiting.wait):
        begin = begin or message.receive_ns
        if time.monotonic() - shown > 0.5:
            shown = time.monotonic()
            nodes.check()
            passed = 1e-9 * (message.receive_ns - begin)
            print(f'\r  {passed:6.0f} of {recording.duration:.0f} s, {len(predicted)} '
                  f'predictions', end='', flush=True)
    count = -1
    while count != len(predicted):
        count = len(predicted)
        waiting.wait(0.5)
    print(f'\r  {recording.duration:6.0f} of {recording.duration:.0f} s, {count} predictions')


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='replay', description=__doc__)
    parser.add_argument('bags', nargs='+', type=Path, metavar='BAG',
                        help='rosbag2 folder, or a storage file')
    parser.add_argument('--rate', type=positive, default=1.0,
                        help='times faster than recorded (default: 1)')
    add_model(parser)
    parser.add_argument('--json', type=Path, default=Path('out/replay.json'),
                        help='file for the numbers of the table')
    parser.add_argument('--by', choices=('folder', 'recording'), default='folder',
                        help='what a group of the table is')
    add_limits(parser)
    add_topics(parser)
    return parser


if __name__ == '__main__':
    sys.exit(main())
