"""One fault from a robot that drives well to one that does so again."""

import time

from lstm_predictor.faults.cases import Fault
from lstm_predictor.faults.measure import Bounds, measure, Measured, STEADY
from lstm_predictor.faults.report import Result
from lstm_predictor.faults.stage import AFTER, BEFORE, LIMITS, Stage

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_PATIENCE = 40.0  # until a robot drives at all [s]
_WELL = 1.0  # for which it drives before something goes wrong [s]
_RECOVERY = 2.0  # that it may take [s]
_SAID = 1.3  # after a fault's end until which the diagnostics may come [s]
_BOUNDS = Bounds(LIMITS['max_velocity'][0], LIMITS['max_velocity'][2],
                 LIMITS['max_accel'][0], LIMITS['max_accel'][2])


def run(stage: Stage, fault: Fault) -> Result:
    """Return what came of a fault."""
    stage.record.clear()
    stage.command = BEFORE
    if not _drives(stage):
        return Result(fault.name, None, '', ['the robot does not drive to begin with'])
    stage.command = AFTER
    begin = time.monotonic()
    act = fault.act(stage)
    stage.wait(max(0.0, begin + fault.seconds - time.monotonic()))
    problem = act.problem()
    act.end()
    stage.command = BEFORE
    end = time.monotonic()
    stage.follow_on()
    # Longer only where it is slow to recover.
    stage.wait(max(0.0, end + _SAID - time.monotonic()))
    if not stage.wait_for(stage.drives, _RECOVERY - _SAID):
        stage.wait(1.0)
    stage.wait(STEADY)
    last = time.monotonic()
    meant = _meant(stage)
    if act.plan_is_off and stage.setting.mode != 'compensate':
        meant = meant[(meant[:, 0] < begin) | (meant[:, 0] > end)]
    measured = measure(stage.record, _BOUNDS, begin, end, last, meant)
    said = ''
    problems = [problem] if problem else []
    if fault.says is not None:
        found = stage.record.first(*fault.says, begin, end + _SAID)
        said = f'{found.name}: {found.message}' if found else ''
        if found is None:
            name, _, pattern = fault.says
            heard = {said.message for said in stage.record.said
                     if said.name == name and begin <= said.at <= end + _SAID}
            problems.append(f'{name} never said "{pattern}", but {sorted(heard)}')
    problems += _problems(fault, measured)
    problems += [f'not finite: {what}' for at, what in stage.record.not_finite[:1]]
    stage.nodes.check()
    return Result(fault.name, measured, said, problems)


def _drives(stage: Stage) -> bool:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        stage.nodes.check()
        stage.follow_on()
        if stage.wait_for(stage.drives, 2.0):
            stage.wait(_WELL)
            if stage.drives():
                return True
    return False


def _meant(stage: Stage) -> Array:
    """Return what the robot may be moved by (n, 3)."""
    if stage.setting.mode == 'compensate':
        return np.array(stage.record.asked).reshape(-1, 3)
    speed, _, yaw_rate = LIMITS['max_velocity']
    return np.array([(at, speed, sign * yaw_rate)
                     for at in stage.record.odometry_at for sign in (1.0, -1.0)]).reshape(-1, 3)


def _problems(fault: Fault, measured: Measured) -> list[str]:
    """Return in words what is out of bounds."""
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
