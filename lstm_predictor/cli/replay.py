"""Play recordings through the real predictor node and score what it publishes."""

import argparse
from collections import defaultdict
from dataclasses import dataclass
import json
from pathlib import Path
import sys
import time
from typing import Any

from lstm_predictor.bags import BagError, Recording, Topics
from lstm_predictor.cli.processes import NodeDied, Nodes, own_domain
from lstm_predictor.cli.session import session, wait_until
from lstm_predictor.core import artifact, samples, se2
from lstm_predictor.core.classical import constant_velocity
from lstm_predictor.core.window import Window
from lstm_predictor.learning import dataset, metrics
from lstm_predictor.nodes.player import Player
from lstm_predictor.nodes.predictor_node import default_model

from nav_msgs.msg import Path as PathMessage

import numpy as np
from numpy.typing import NDArray

from rclpy.node import Node

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """Errors' ingredients of one recording at the table's horizons, (n, K, 3) each."""

    lstm: Array
    constant_velocity: Array
    later: Array


def main(args: list[str] | None = None) -> int:
    """Replay recordings; return the exit code."""
    given = _arguments().parse_args(args)
    scored: dict[str, list[Scored]] = defaultdict(list)
    try:
        model = artifact.load(given.model)
        for bag in given.bags:
            result = replay(bag, given, model.contract)
            scored[bag.name if given.by == 'recording' else bag.resolve().parent.name] += [result]
    except (BagError, artifact.ModelFileError, NodeDied) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\ninterrupted', file=sys.stderr)
        return 130
    groups = {name: _group(parts) for name, parts in scored.items()}
    print(metrics.table(groups))
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps({'groups': groups}, indent=1))
    print(f'wrote {given.json}')
    return 0


def replay(bag: Path, given: argparse.Namespace, contract: artifact.Contract) -> Scored:
    """Play one recording and return the predictions beside what came later."""
    topics = Topics(given.odom_topic, given.imu_topic, given.cmd_vel_topic)
    with Recording(bag, topics) as recording:
        seen = recording.limits()
        limits = given.max_speed or seen[0], given.max_yaw_rate or seen[1]
        print(f'{bag.name}: {recording.duration:.0f} s, robot of {limits[0]:.2f} m/s and '
              f'{limits[1]:.2f} rad/s' + ('' if given.max_speed else ' (the largest it shows)'))
        window = dataset.filled_window(recording.readings(), contract.window_config(*limits))
        anchors = dataset.usable_anchors(window, contract.horizon)
        if not len(anchors):
            seconds = (contract.window + contract.horizon) / contract.rate
            raise BagError(f'recording {bag} has no {seconds:g} s of odometry without a gap')
        for reason, count in recording.refused.items():
            print(f'  refused {count} messages on {reason}')
        predicted = _play(recording, given, limits)
    return _match(predicted, window, contract, len(anchors))


def _play(recording: Recording, given: argparse.Namespace, limits: tuple[float, float]
          ) -> dict[int, Array]:
    """Return the poses (H, 3) that the node published, by the stamp of their newest input."""
    predicted: dict[int, Array] = {}

    def on_path(message: PathMessage) -> None:
        predicted[samples.stamp_ns(message.header)] = np.array([
            [pose.pose.position.x, pose.pose.position.y, samples.yaw_of(pose.pose.orientation)]
            for pose in message.poses])

    with own_domain(), Nodes() as nodes, session('replay') as node:
        nodes.start('predictor', use_sim_time=True, model_path=str(given.model),
                    max_velocity=[limits[0], 0.0, limits[1]])
        node.create_subscription(PathMessage, 'predicted_path', on_path, 200)
        player = Player(node, recording.topics, recording.types())
        wait_until(lambda: _ready(player, node), 'the predictor node', nodes.check)
        _run(player, recording, given.rate, nodes, predicted)
    return predicted


def _ready(player: Player, node: Node) -> bool:
    return player.is_heard() and node.count_publishers('predicted_path') > 0


def _run(player: Player, recording: Recording, rate: float, nodes: Nodes,
         predicted: dict[int, Array]) -> None:
    """Play to the end with a line that moves, then wait until the node says nothing more."""
    shown, begin = 0.0, 0
    for message in player.play(recording.messages(), rate):
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
        time.sleep(0.5)
    print(f'\r  {recording.duration:6.0f} of {recording.duration:.0f} s, {count} predictions')


def _match(predicted: dict[int, Array], window: Window, contract: artifact.Contract,
           expected: int) -> Scored:
    """Return the published poses and constant velocity beside the odometry that came later."""
    step_ns = window.config.step_ns
    published = np.array(sorted(predicted), dtype=np.int64)
    usable = window.covered(published) & window.without_gap(
        published, published + contract.horizon * step_ns)
    anchors = published[usable]
    if not len(anchors):
        raise NodeDied('the predictor node published nothing that can be scored')
    print(f'  {len(anchors)} predictions scored, of about {expected} that are possible')
    chosen = metrics.steps_of(metrics.HORIZONS, contract.rate)
    ends = anchors[:, None] + step_ns * (np.array(chosen, dtype=np.int64) + 1)
    held = constant_velocity(window.rows(anchors), contract.horizon, 1.0 / contract.rate)
    return Scored(
        lstm=np.stack([predicted[stamp][chosen] for stamp in anchors.tolist()]),
        constant_velocity=se2.compose(window.poses(anchors)[:, None], held[:, chosen]),
        later=window.poses(ends))


def _group(parts: list[Scored]) -> dict[str, Any]:
    lstm, classical, later = (np.concatenate([getattr(part, name) for part in parts])
                              for name in ('lstm', 'constant_velocity', 'later'))
    return metrics.group(len(later), {
        'lstm': metrics.scores(lstm, later),
        'constant_velocity': metrics.scores(classical, later)})


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='replay', description=__doc__)
    parser.add_argument('bags', nargs='+', type=Path, metavar='BAG', help='rosbag2 folder')
    parser.add_argument('--rate', type=_positive, default=1.0, help='times faster than recorded')
    parser.add_argument('--model', type=Path, default=Path(default_model()), help='model file')
    parser.add_argument('--json', type=Path, default=Path('out/replay.json'),
                        help='file for the numbers of the table')
    parser.add_argument('--by', choices=('folder', 'recording'), default='folder',
                        help='what a group of the table is')
    parser.add_argument('--max-speed', type=_positive,
                        help='of the robot [m/s]; default: the largest in the recording')
    parser.add_argument('--max-yaw-rate', type=_positive, help='of the robot [rad/s]; likewise')
    for name, topic in (('odom', '/odom'), ('imu', '/imu'), ('cmd-vel', '/cmd_vel')):
        parser.add_argument(f'--{name}-topic', default=topic, help=f'default: {topic}')
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0.0:
        raise argparse.ArgumentTypeError(f'must be positive, is {text}')
    return value


if __name__ == '__main__':
    sys.exit(main())
