"""
Inject one fault after another while a simulated robot drives at its maximum speed.

The real nodes run as processes. Scored are the commands that the robot receives, its motion and
/diagnostics.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
import logging
from pathlib import Path
import sys
from tempfile import TemporaryDirectory

from fault_injection.fault_list import all_faults, Fault
from fault_injection.injections import put_model
from fault_injection.report import line, markdown, numbers, Result
from fault_injection.runner import run
from fault_injection.testbed import Setting, Testbed
from lstm_predictor.cli.arguments import positive_integer, write_json
from lstm_predictor.cli.errors import report_errors
from lstm_predictor.nodes.session import session
from lstm_predictor.nodes.subprocesses import Nodes, own_domain


@report_errors()
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


def named(faults: list[Fault], names: list[str]) -> list[Fault]:
    """Return the faults of those names, or else those whose names contain them."""
    if not names:
        return faults
    chosen = []
    for text in map(str.lower, names):
        exact = [fault for fault in faults if fault.name.lower() == text]
        chosen += exact or [fault for fault in faults if text in fault.name.lower()]
    return [fault for fault in faults if fault in chosen]


def _write(given: argparse.Namespace, results: list[Result]) -> None:
    """Write the results so far."""
    if given.json:
        write_json(given.json, {'faults': numbers(results)})
    if given.report:
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(markdown(results))


def _results(faults: list[Fault], folder: Path) -> Iterator[Result]:
    """Yield the result of each fault; those of one setting share a testbed."""
    alike: dict[Setting, list[Fault]] = defaultdict(list)
    for fault in faults:
        alike[fault.setting].append(fault)
    for setting, group in alike.items():
        put_model(folder)
        with own_domain(), Nodes(folder / 'log') as nodes, session('bench') as source:
            testbed = Testbed(source, nodes, setting)
            for fault in group:
                yield run(testbed, fault)
            testbed.close()


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
