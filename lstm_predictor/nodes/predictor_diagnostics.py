"""The entries of the predictor in /diagnostics: model, motion and prediction."""

from collections.abc import Mapping
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus

from lstm_predictor.common.metrics import shown
from lstm_predictor.control.status import Severity, Status
from lstm_predictor.nodes.diagnostics import ERROR, LEVELS, OK, STATUS, status, WARN
from lstm_predictor.prediction.mixture import PredictorMixture
from lstm_predictor.prediction.mixture_report import ENTRY, MixtureReport, row
from lstm_predictor.prediction.motion_check import contradiction
from lstm_predictor.prediction.predictor import Predictor
from lstm_predictor.prediction.trajectory import PredictedTrajectory

import numpy as np

_STOPPED = 1.0  # age from which on there is no prediction any more [s]


class PredictionStatus(Status):
    """How the prediction goes; a few of the harmless ones can hold at once."""

    FIRST_WINDOW = 'waiting: odometry does not fill the window without a gap', Severity.STALE
    WINDOW_GAP = 'waiting: odometry does not fill the window without a gap', Severity.WARN
    NOT_FINITE = 'the model gave a value that is not finite', Severity.ERROR
    STOPPED = 'no prediction for {age:.1f} s', Severity.ERROR
    PREDICTING = 'predicting', Severity.OK
    FALLBACK = '{source} has the largest weight: {reason}', Severity.WARN
    NO_IMU = 'predicting without IMU', Severity.WARN
    NO_COMMAND = 'predicting without a command', Severity.OK


class PredictorDiagnostics:
    """Remembers how the last predictions went, and reports it."""

    def __init__(self, predictor: Predictor, model: Mapping[str, str]) -> None:
        """Take the predictor, and of its model the values `file`, `trained for` and `sha256`."""
        self._predictor = predictor
        self.model = dict(model)
        self.reset()

    def reset(self) -> None:
        """Start as if nothing had been predicted."""
        self.last: PredictedTrajectory | None = None
        self.seconds = 0.0  # what the last prediction took
        self._published = 0
        self._published_at = time.monotonic()  # [s] steady

    def predicted(self, prediction: PredictedTrajectory, seconds: float) -> None:
        """Take a prediction and the time [s] that it took."""
        self.last, self.seconds = prediction, seconds

    def published(self) -> None:
        """Count the last prediction as published."""
        self._published += 1
        self._published_at = time.monotonic()

    def model_status(self) -> DiagnosticStatus:
        """Return whether the model gives numbers."""
        if self.last is not None and not self.last.is_finite():
            return status(ERROR, 'model', PredictionStatus.NOT_FINITE.text, self.model)
        return status(OK, 'model', f'{self.model["file"]} is loaded', self.model)

    def motion_status(self, odometry_is_fresh: bool) -> DiagnosticStatus:
        """Return whether wheels, gyro and commands agree."""
        rows = self._predictor.observer.rows
        if rows is None or not odometry_is_fresh:
            return status(OK, 'motion', 'nothing is known of it now', {STATUS: 'UNKNOWN'})
        found = contradiction(rows[0], 1.0 / self._predictor.model.contract.rate)
        if found is None:
            return status(OK, 'motion', 'the robot moves as commanded', {STATUS: 'OK'})
        return status(WARN, 'motion', found.text, {STATUS: found.kind.name})

    def prediction_status(self, horizon: float) -> DiagnosticStatus:
        """Return how the prediction goes; `horizon` [s] is that of the published pose."""
        last = self.last
        found = self._statuses(time.monotonic() - self._published_at)
        level = max((one.severity for one, _ in found), key=int)
        text = '; '.join(one.text.format(**details) for one, details in found)
        mixture = self._predictor.mixture
        return status(LEVELS[level], ENTRY, text, {
            STATUS: found[0][0].name,
            'source': last.source if last else 'none',
            'published': self._published, 'inference [ms]': f'{1e3 * self.seconds:.2f}',
            'pose_horizon [s]': f'{horizon:.3f}',
            'a command takes effect after [s]':
                f'{last.actuation_latency:.3f}' if last else 'unknown',
            **MixtureReport.of(mixture).values(), **scores(mixture, horizon)})

    def _statuses(self, age: float) -> list[tuple[PredictionStatus, dict[str, Any]]]:
        """Return what holds, with the numbers in its text; `age` [s] is of what was published."""
        last = self.last
        if not self._predictor.ready():
            return [(PredictionStatus.WINDOW_GAP if self._published else
                     PredictionStatus.FIRST_WINDOW, {})]
        if last is not None and not last.is_finite():
            return [(PredictionStatus.NOT_FINITE, {})]
        if age > _STOPPED:
            return [(PredictionStatus.STOPPED, {'age': age})]
        if last is None:
            return [(PredictionStatus.PREDICTING, {})]
        found: list[tuple[PredictionStatus, dict[str, Any]]] = []
        if last.reason:
            found.append((PredictionStatus.FALLBACK,
                          {'source': last.source, 'reason': last.reason}))
        if self._predictor.config.use_imu and not last.imu_valid:
            found.append((PredictionStatus.NO_IMU, {}))
        if not last.command_valid:
            found.append((PredictionStatus.NO_COMMAND, {}))
        return found or [(PredictionStatus.PREDICTING, {})]


def scores(mixture: PredictorMixture, horizon: float) -> dict[str, str]:
    """Return the running errors of every predictor, first those nearest to `horizon` [s]."""
    ahead = mixture.checkpoints
    nearest = int(np.argmin(np.abs(ahead - horizon)))
    errors = {name: mixture.errors(name) for name in (*mixture.names, 'published')}
    result = {}
    for name, running in errors.items():
        result[f'{name}: position RMSE after {ahead[nearest]:g} s [m]'] = \
            shown(running.position[nearest], '.4f')
        result[f'{name}: inside the 90 % region after {ahead[nearest]:g} s [%]'] = \
            shown(100.0 * running.coverage[nearest], '.0f')
    for name, running in errors.items():
        result[f'{name}: position RMSE [m]'] = row(running.position.tolist(), '.4f')
        result[f'{name}: heading RMSE [rad]'] = row(running.heading.tolist(), '.4f')
        result[f'{name}: inside the 90 % region [%]'] = \
            row((100.0 * running.coverage).tolist(), '.0f')
    return result
