"""The results of the faults as lines, JSON and a Markdown page."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from fault_injection.safety_metrics import SafetyMetrics

_INTRODUCTION = """# Faults and what happens

Made by `./dev faults --runs 3 --report docs/faults.md`: the real nodes as processes over DDS, and
the simulated robot. One fault at a time is injected while the robot is driven at 0.22 m/s. When a
fault begins, the source requests another command (0.11 m/s, turning the other way), so that the
execution of an old command shows.

| column | meaning |
|---|---|
| Safe after | the longest time in which the command to the robot is neither zero nor, within \
the 30 % that the replanner may correct, what the source requested a moment ago. A command that \
is held counts from its last request. In the modes with a plan the replanner is the source |
| Travelled | the distance that the robot goes in that time |
| Largest | the largest command, in percent of its limit |
| Recovered | the time from the end of the fault until the robot executes again what is \
requested. A process that was ended is started again; the fault then ends when it is connected \
at both ends |
| Reported | what the diagnostics report |

Also checked: no step of the command away from zero is larger than the acceleration allows between
two received commands, plus 0.1 s for irregular reception. Each number is the worst of the runs.

Overrides last 5 s. They happen behind the guard, on a topic that the nodes can subscribe to ("on
a topic"), or invisibly as in a driver ("unseen"). The request stays the same until 1.5 s after the
release. From 0.5 s after it until then, the robot may be at most 3 % faster than requested on
average, and its yaw rate at most 0.03 rad/s off (with `mppi`, by as much more as its commands vary
before the override).

| Fault | Safe after [s] | Travelled [m] | Largest [%] | Recovered [s] | Reported | Passed |
|---|---:|---:|---:|---:|---|---:|
"""


@dataclass(frozen=True)
class Result:
    """One fault of one run."""

    name: str
    measured: SafetyMetrics | None  # None: it could not be injected
    reported: str  # by the diagnostics
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
             'said': result.reported, **({} if result.measured is None else {
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
    reported = next((result.reported for result in group if result.reported), '')
    return f'| {name} | {max(m.until_safe for m in measured):.2f} ' \
           f'| {max(m.travelled for m in measured):.3f} ' \
           f'| {100.0 * max(m.largest for m in measured):.0f} ' \
           f'| {max(m.recovered_after for m in measured):.2f} ' \
           f'| {reported.replace("|", "/")} | {passed} |\n'
