"""Play recordings through the real predictor node and score what it publishes."""

import argparse
from collections import defaultdict
from pathlib import Path
import sys
import time

from lstm_predictor.bags import BagError, folder_of, Recording
from lstm_predictor.cli.arguments import (
    add_limits, add_model, add_topics, limits_of, positive, topics_of, write_groups)
from lstm_predictor.cli.ending import ends_with_a_line
from lstm_predictor.cli.predictions import compare, Compared, join
from lstm_predictor.cli.processes import NodeDied, Nodes, own_domain
from lstm_predictor.cli.session import Session, session
from lstm_predictor.core import artifact, samples
from lstm_predictor.learning import dataset, metrics
from lstm_predictor.learning.recordings import groups_of
from lstm_predictor.nodes.player import Player

from nav_msgs.msg import Path as PathMessage

import numpy as np
from numpy.typing import NDArray

from rclpy.node import Node

Array = NDArray[np.float64]

_LEAST_SHARE = 0.9  # of the predictions that a node makes which keeps up [-]


@ends_with_a_line(BagError, artifact.ModelFileError, NodeDied, OSError)
def main(args: list[str] | None = None) -> int:
    """Replay recordings; return the exit code."""
    given = _arguments().parse_args(args)
    scored: dict[str, list[Compared]] = defaultdict(list)
    model = artifact.load(given.model)
    bags = [folder_of(bag) for bag in given.bags]
    for bag, group in zip(bags, groups_of(bags, given.by == 'recording')):
        scored[group] += [replay(bag, given, model)]
    groups = {name: join(parts).group() for name, parts in scored.items()}
    print(metrics.table(groups))
    write_groups(given.json, groups)
    print(f'wrote {given.json}')
    return 0


def replay(bag: Path, given: argparse.Namespace, model: artifact.Artifact) -> Compared:
    """Play one recording and return the predictions beside what came later."""
    contract = model.contract
    with Recording(bag, topics_of(given)) as recording:
        readings = list(recording.readings())
        limits = limits_of(given, readings)
        print(f'{bag.name}: {recording.duration:.0f} s, robot of {limits[0]:.2f} m/s and '
              f'{limits[1]:.2f} rad/s' + ('' if given.max_speed else ' (the largest it shows)'))
        window = dataset.filled_window(readings, contract.window_config(*limits))
        anchors = dataset.usable_anchors(window, contract.horizon)
        if not len(anchors):
            seconds = (contract.shortest + contract.horizon) / contract.rate
            raise BagError(f'recording {bag} has no {seconds:g} s of odometry without a gap')
        for reason, count in recording.refused.items():
            print(f'  refused {count} messages on {reason}')
        predicted = _play(recording, given, limits)
    compared = compare(predicted, window, model)
    if not len(compared.later):
        raise NodeDied('the predictor node published nothing that can be scored')
    print(f'  {len(compared.later)} predictions scored, of about {len(anchors)} possible ones')
    if len(compared.later) < _LEAST_SHARE * len(anchors):
        print('  the node did not keep up: a lower --rate, or a machine with less to do, scores '
              'more')
    return compared


def _play(recording: Recording, given: argparse.Namespace, limits: tuple[float, float]
          ) -> dict[int, Array]:
    """Return the poses (H, 3) that the node published, by the stamp of their newest input."""
    predicted: dict[int, Array] = {}

    def on_path(message: PathMessage) -> None:
        predicted[samples.stamp_ns(message.header)] = np.array(
            [samples.read_pose(step.pose) for step in message.poses])

    with own_domain(), Nodes() as nodes, session('replay') as hearing:
        nodes.start('predictor', use_sim_time=True, model_path=str(given.model),
                    max_velocity=[limits[0], 0.0, limits[1]])
        hearing.node.create_subscription(PathMessage, 'predicted_path', on_path, 200)
        player = Player(hearing.node, recording.topics, recording.types())
        hearing.wait_for(lambda: _ready(player, hearing.node), 'the predictor node', nodes.check)
        _run(player, recording, given.rate, nodes, hearing, predicted)
    return predicted


def _ready(player: Player, node: Node) -> bool:
    return player.is_heard() and node.count_publishers('predicted_path') > 0


def _run(player: Player, recording: Recording, rate: float, nodes: Nodes, hearing: Session,
         predicted: dict[int, Array]) -> None:
    """Play to the end with a line that moves, then wait until the node says nothing more."""
    shown, begin = 0.0, 0
    for message in player.play(recording.messages(), rate, hearing.wait):
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
        hearing.wait(0.5)
    print(f'\r  {recording.duration:6.0f} of {recording.duration:.0f} s, {count} predictions')


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='replay', description=__doc__)
    parser.add_argument('bags', nargs='+', type=Path, metavar='BAG', help='rosbag2 folder')
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
