"""
Let everything go wrong, one thing at a time, while a simulated robot drives as fast as it may.

The real nodes run as processes; what counts is what the robot is told, how it moves and what
/diagnostics say, seen from the outside.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
import logging
from pathlib import Path
import sys
from tempfile import TemporaryDirectory

from lstm_predictor.cli.arguments import positive_integer, write_json
from lstm_predictor.cli.ending import ends_with_a_line
from lstm_predictor.cli.processes import NodeDied, Nodes, own_domain
from lstm_predictor.cli.session import session
from lstm_predictor.faults.act import put_model
from lstm_predictor.faults.cases import all_faults, Fault
from lstm_predictor.faults.report import line, markdown, numbers, Result
from lstm_predictor.faults.run import run
from lstm_predictor.faults.stage import Setting, Stage


@ends_with_a_line(NodeDied, OSError)
def main(args: list[str] | None = None) -> int:
    """Run the bench; return 0 where every fault passes, else 1."""
    given = _arguments().parse_args(args)
    logging.captureWarnings(True)
    with TemporaryDirectory() as folder:
        faults = all_faults(Path(folder))
        if given.list:
            print(*(fault.name for fault in faults), sep='\n')
            return 0
        chosen = named(faults, given.only)
        if not chosen:
            print(f'error: no fault is called {" or ".join(given.only)}: --list names them '
                  f'all', file=sys.stderr)
            return 2
        results = []
        for _ in range(given.runs):
            for result in _results(chosen, Path(folder)):
                results.append(result)
                print(line(result), flush=True)
            _write(given, results)
    failed = [result for result in results if result.problems]
    print(f'{len(results) - len(failed)} of {len(results)} passed')
    return 1 if failed else 0


def named(faults: list[Fault], wanted: list[str]) -> list[Fault]:
    """Return the faults of those names, or else with those words in their names."""
    if not wanted:
        return faults
    chosen = []
    for words in map(str.lower, wanted):
        exact = [fault for fault in faults if fault.name.lower() == words]
        chosen += exact or [fault for fault in faults if words in fault.name.lower()]
    return [fault for fault in faults if fault in chosen]


def _write(given: argparse.Namespace, results: list[Result]) -> None:
    """Write what came of the runs so far."""
    if given.json:
        write_json(given.json, {'faults': numbers(results)})
    if given.report:
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(markdown(results))


def _results(faults: list[Fault], folder: Path) -> Iterator[Result]:
    """Yield what came of each fault; those of one setting share a stage."""
    alike: dict[Setting, list[Fault]] = defaultdict(list)
    for fault in faults:
        alike[fault.setting].append(fault)
    for setting, group in alike.items():
        put_model(folder)
        with own_domain(), Nodes(folder / 'words') as nodes, session('bench') as source:
            stage = Stage(source, nodes, setting)
            for fault in group:
                yield run(stage, fault)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='faults', description=__doc__)
    parser.add_argument('--only', nargs='+', metavar='NAME', default=[],
                        help='only faults with one of these in their name')
    parser.add_argument('--runs', type=positive_integer, metavar='N', default=1,
                        help='how often in a row (default: 1)')
    parser.add_argument('--json', type=Path, metavar='F', help='file for the numbers')
    parser.add_argument('--report', type=Path, metavar='F', help='file for the table (Markdown)')
    parser.add_argument('--list', action='store_true', help='name all faults and end')
    return parser


if __name__ == '__main__':
    sys.exit(main())
