"""Show a recording as one HTML page: the drive, the predictions, their errors and what failed."""

import argparse
from pathlib import Path
import sys

from lstm_predictor.cli.arguments import (
    add_limits, add_topics, limits_of, print_findings, topics_of, write_json)
from lstm_predictor.cli.errors import report_errors
from lstm_predictor.evaluation.report.from_recording import has_predictions, recorded
from lstm_predictor.evaluation.report.review import Review
from lstm_predictor.optional_dependencies import missing
from lstm_predictor.paths import default_model
from lstm_predictor.recordings.rosbag_io import BagError, Recording
from lstm_predictor.recordings.storage import recording_of
from lstm_predictor.training import recorded_tracks

_FASTER = 1.5  # than any robot of its training, from where a model is the wrong one [-]


@report_errors()
def main(args: list[str] | None = None) -> int:
    """Write the page; return the exit code."""
    given = _arguments().parse_args(args)
    try:
        from lstm_predictor.evaluation.report.page import page, sentence
        review = look(given)
    except ModuleNotFoundError as error:
        print(f'error: {missing(error, "the page")}', file=sys.stderr)
        return 1
    text, numbers = page(review)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(text, encoding='utf-8')
    if given.json is not None:
        write_json(given.json, numbers)
    print(sentence(numbers))
    print(f'wrote {given.out}, {1e-6 * len(text.encode()):.1f} MB: open it in a browser')
    return 0


def look(given: argparse.Namespace) -> Review:
    """Return the recorded predictions, or those of the predictor now where there are none."""
    with Recording(recording_of(given.bag), topics_of(given)) as recording:
        found = recorded_tracks.recorded(recording)
        if given.model is None and has_predictions(recording):
            review = recorded(recording)
        else:
            from lstm_predictor.evaluation.report.from_model import offline
            from lstm_predictor.model.model_file import load_once
            file = given.model or Path(default_model())
            model = load_once(file)
            limits = limits_of(given, (
                reading for track in found.tracks for reading in track.readings))
            print(f'predicting along {recording.duration:.0f} s of recording by '
                  f'{file.name}, which was trained for {model.contract.robots}', flush=True)
            if limits[0] > _FASTER * model.contract.max_speed > 0.0:
                print(f'  this robot does {limits[0]:.2f} m/s, those did '
                      f'{model.contract.max_speed:.2f} m/s: name another --model')
            review = offline(recording, model, limits)
        print_findings(recording.path, found.findings)
    if len(review.odometry.odometry) < 2:
        raise BagError(f'recording {given.bag} has no odometry that can be used')
    return review


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='view', description=__doc__)
    parser.add_argument('bag', type=Path, metavar='BAG',
                        help='rosbag2 folder, or a storage file')
    parser.add_argument('--out', type=Path, default=Path('out/view.html'),
                        help='the page (default: %(default)s)')
    parser.add_argument('--json', type=Path, help='also write the numbers to this file')
    parser.add_argument('--model', type=Path,
                        help='predict with this model now, whatever was predicted then')
    add_limits(parser)
    add_topics(parser)
    return parser


if __name__ == '__main__':
    sys.exit(main())
