"""What came of the faults, for people and for programs."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from lstm_predictor.faults.measure import Measured

_INTRODUCTION = """# What goes wrong, and what comes of it

Made by `./dev faults --runs 3 --report docs/faults.md`: the real nodes as processes over DDS, the
simulated robot, one fault at a time while it is driven at 0.22 m/s. When a fault begins, the
source asks for something else (0.11 m/s, turning the other way), so that an old command that is
still obeyed shows.

*Safe after* is the longest time in which the robot is told neither zero nor, within the
replanner's authority of 30 %, what the source asked for a moment ago; a command that is held
counts from when it was asked for last. On a plan the replanner is the source. *Travelled* is how
far the robot went meanwhile.
*Largest* is the largest command as a share of its limit, *recovered* the time from the fault's
end until the robot does again what it is asked; a process that was ended is started again, and
the fault's end is when it is connected at both ends. No step of the command away from zero is
larger than the acceleration allows from one command heard to the next, and 0.1 s for how
irregularly they are heard. Each number is the worst of the runs.

| Fault | Safe after [s] | Travelled [m] | Largest [%] | Recovered [s] | Said | Passed |
|---|---:|---:|---:|---:|---|---:|
"""


@dataclass(frozen=True)
class Result:
    """One fault of one run."""

    name: str
    measured: Measured | None  # None: it did not come to it
    said: str  # by the diagnostics
    problems: list[str]  # why it did not pass


def line(result: Result) -> str:
    """Return a line for the terminal."""
    m = result.measured
    verdict = 'FAILED: ' + '; '.join(result.problems) if result.problems else 'passed'
    if m is None:
        return f'{result.name:36} {verdict}'
    return f'{result.name:36} safe {m.until_safe:5.2f} s  {m.travelled:5.3f} m  ' \
           f'{100.0 * m.largest:4.0f} %  recovered {m.recovered_after:5.2f} s  ' \
           f'jump {m.largest_jump:4.2f}  {verdict}'


def numbers(results: list[Result]) -> list[dict[str, Any]]:
    """Return the same as JSON has it."""
    return [{'name': result.name, 'passed': not result.problems, 'problems': result.problems,
             'said': result.said, **({} if result.measured is None else {
                 'until_safe_s': result.measured.until_safe,
                 'travelled_m': result.measured.travelled,
                 'largest_share': result.measured.largest,
                 'recovered_after_s': result.measured.recovered_after,
                 'largest_jump_share': result.measured.largest_jump})} for result in results]


def markdown(results: list[Result]) -> str:
    """Return the page with the table, the worst of the runs in each row."""
    runs: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        runs[result.name].append(result)
    return _INTRODUCTION + ''.join(_row(name, group) for name, group in runs.items())


def _row(name: str, group: list[Result]) -> str:
    passed = f'{sum(not result.problems for result in group)} of {len(group)}'
    measured = [result.measured for result in group if result.measured is not None]
    if not measured:
        return f'| {name} | | | | | | {passed} |\n'
    said = next((result.said for result in group if result.said), '')
    return f'| {name} | {max(m.until_safe for m in measured):.2f} ' \
           f'| {max(m.travelled for m in measured):.3f} ' \
           f'| {100.0 * max(m.largest for m in measured):.0f} ' \
           f'| {max(m.recovered_after for m in measured):.2f} ' \
           f'| {said.replace("|", "/")} | {passed} |\n'
