"""The run of one fault: drive, inject, end, recover, score."""

import time

from fault_injection.fault_list import Fault
from fault_injection.report import Result
from fault_injection.safety_metrics import Bounds, measure, SafetyMetrics, STEADY
from fault_injection.testbed import AFTER, BEFORE, LIMITS, Testbed

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_PATIENCE = 40.0  # until a robot drives at all [s]
_RELEASE = 0.5  # after which the robot moves as requested [s]
_AS_REQUESTED = 1.5  # until when after a release the request stays as it is [s]
_RECOVERY = 2.0  # that it may take [s]
_REPORT = 1.3  # after the end, within which the diagnostics must report the fault [s]
_BOUNDS = Bounds(LIMITS['max_velocity'][0], LIMITS['max_velocity'][2],
                 LIMITS['max_accel'][0], LIMITS['max_accel'][2])


def run(testbed: Testbed, fault: Fault) -> Result:
    """Return the result of a fault."""
    testbed.observations.clear()
    testbed.command = BEFORE
    if not _drives(testbed, fault.before):
        return Result(fault.name, None, '', ['the robot does not drive to begin with'])
    testbed.command = AFTER
    begin = time.monotonic()
    injection = fault.inject(testbed)
    testbed.wait(max(0.0, begin + fault.seconds - time.monotonic()))
    problems = [injection.problem()]
    injection.end()
    end = time.monotonic()
    if injection.released is not None:
        # Another request would add the robot's own transient to what the override has left.
        testbed.wait(_AS_REQUESTED)
        problems.append(injection.released(end + _RELEASE))
    testbed.command = BEFORE
    testbed.follow_on()
    # Longer only where it is slow to recover.
    testbed.wait(max(0.0, end + _REPORT - time.monotonic()))
    if not testbed.wait_for(testbed.drives, _RECOVERY - _REPORT):
        testbed.wait(1.0)
    testbed.wait(STEADY)
    last = time.monotonic()
    allowed = _allowed(testbed)
    if injection.plan_is_off and testbed.setting.mode != 'compensate':
        allowed = allowed[(allowed[:, 0] < begin) | (allowed[:, 0] > end)]
    measured = measure(testbed.observations, _BOUNDS, begin, end, last, allowed)
    reported = ''
    problems = [problem for problem in problems if problem]
    if fault.reports is not None:
        found = testbed.observations.first(*fault.reports, begin, end + _REPORT)
        reported = f'{found.name}: {found.message}' if found else ''
        if found is None:
            name, _, pattern = fault.reports
            messages = {entry.message for entry in testbed.observations.diagnostics
                        if entry.name == name and begin <= entry.at <= end + _REPORT}
            problems.append(f'{name} never reported "{pattern}", but {sorted(messages)}')
    problems += _problems(fault, measured)
    problems += [f'not finite: {what}' for at, what in testbed.observations.not_finite[:1]]
    testbed.nodes.check()
    return Result(fault.name, measured, reported, problems)


def _drives(testbed: Testbed, seconds: float) -> bool:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        testbed.nodes.check()
        testbed.follow_on()
        if testbed.wait_for(testbed.drives, 2.0):
            testbed.wait(seconds)
            if testbed.drives():
                return True
    return False


def _allowed(testbed: Testbed) -> Array:
    """Return the twists that the robot may execute, with their times (n, 3)."""
    if testbed.setting.mode == 'compensate':
        return np.array(testbed.observations.requested).reshape(-1, 3)
    speed, _, yaw_rate = LIMITS['max_velocity']
    return np.array([(at, speed, sign * yaw_rate)
                     for at in testbed.observations.odometry_at for sign in (1.0, -1.0)
                     ]).reshape(-1, 3)


def _problems(fault: Fault, measured: SafetyMetrics) -> list[str]:
    """Return as text what is out of bounds."""
    problems = []
    if measured.until_safe > fault.bound:
        problems.append(f'safe after {measured.until_safe:.2f} s only, not {fault.bound:g} s')
    if measured.largest > 1.0 + 1e-6:
        problems.append(f'{100.0 * measured.largest:.0f} % of the limits were commanded')
    if measured.recovered_after > _RECOVERY:
        problems.append(f'recovered after {measured.recovered_after:.2f} s')
    if measured.largest_jump > 1.0:
        problems.append(f'a jump of {measured.largest_jump:.2f} times the acceleration limit')
    return problems
