"""A review with predictions made now: the predictor of the node run over a recording."""

import math

from lstm_predictor.common import readings
from lstm_predictor.common.readings import Command, Odometry
from lstm_predictor.evaluation.report.review import (
    Axis, joined, MixtureState, Prediction, Problem, Region, Review, whole_drive)
from lstm_predictor.model.model_file import LoadedModel
from lstm_predictor.prediction.predictor import Predictor, PredictorConfig
from lstm_predictor.prediction.trajectory import PredictedTrajectory
from lstm_predictor.recordings.drives import Drive
from lstm_predictor.recordings.rosbag_io import Recording
from lstm_predictor.sensor_checks.sensor_correction import lines

_REGIONS = (0.5, 1.0, 2.0)  # after which error regions are kept [s]
_PAUSE_NS = 1_000_000_000  # within which the same problem is one
_WARNING = 1


def offline(recording: Recording, model: LoadedModel, limits: tuple[float, float]) -> Review:
    """Return the review of a recording; `limits` are the robot's [m/s], [rad/s]."""
    run = _Run(Predictor(model, PredictorConfig(max_velocity=(limits[0], 0.0, limits[1]))))
    drives = recording.drives()
    for drive, shift_ns in zip(drives, Axis(drives).shifts_ns):
        run.begin(drive)
        for item in drive.received:
            if isinstance(item.reading, readings.InvalidMessage):
                run.reject(item.topic, str(item.reading))
            else:
                run.take(item.topic, item.reading._replace(
                    stamp_ns=item.reading.stamp_ns + shift_ns))
    return Review(
        name=recording.name,
        source=f'made afterwards by the model for {model.contract.robots}',
        odometry=run.odometry,
        commands={'sent to the robot': run.commands} if run.commands else {},
        predictions=run.predictions,
        mixture_states=run.mixture_states,
        problems=joined(run.problems, _PAUSE_NS))


class _Run:
    """Feeds the readings to the predictor and collects its predictions."""

    def __init__(self, predictor: Predictor) -> None:
        self.odometry = whole_drive()
        self.commands: list[Command] = []
        self.predictions: list[Prediction] = []
        self.mixture_states: list[MixtureState] = []
        self.problems: list[Problem] = []
        self._predictor = predictor
        self._now_ns = 0
        self._found: dict[str, str] = {}

    def begin(self, drive: Drive) -> None:
        """Begin a drive; any but the first restarts the predictor, as in the node."""
        if drive.why:
            self._predictor.begin_anew()
            self._add_problem('prediction', f'starts anew, {drive.why.offline()}')

    def reject(self, topic: str, reason: str) -> None:
        """Record that a message was invalid."""
        self._add_problem(topic.lstrip('/'), f'refused: {reason}')

    def take(self, topic: str, reading: Odometry | readings.Imu | Command) -> None:
        """Take a reading, as the node does."""
        if isinstance(reading, Command):
            self.commands.append(reading)
        try:
            taken = self._predictor.add(reading)
        except readings.InvalidMessage as error:
            self.reject(topic, str(error))
            return
        anew = self._predictor.pop_restart_reason()
        if anew:
            self._add_problem('prediction', f'starts anew, {anew}')
        if taken and isinstance(reading, Odometry):
            self._now_ns = reading.stamp_ns
            self._name_findings()
            self.odometry.add(reading)
            prediction = self._predictor.predict_if_due()
            if prediction is not None and prediction.is_finite():
                self._keep(prediction)

    def _name_findings(self) -> None:
        """Record the findings about the sensors, each with its first text while it lasts."""
        found = self._predictor.findings()
        self._found = {about: self._found.get(about, text) for about, text in found.items()}
        for name in ('odom', 'imu'):
            named = [line for line in lines(self._found) if line.startswith(f'{name} ')]
            if named:
                self._add_problem(name, '; '.join(named))

    def _keep(self, prediction: PredictedTrajectory) -> None:
        rate = self._predictor.model.contract.rate
        steps = sorted({min(round(ahead * rate), len(prediction.poses)) - 1
                        for ahead in _REGIONS})
        self.predictions.append(Prediction(
            prediction.anchor_ns, prediction.stamps_ns, prediction.poses,
            [Region(int(prediction.stamps_ns[i]), prediction.poses[i], prediction.covariances[i])
             for i in steps]))
        mixture = self._predictor.mixture
        inside = mixture.errors('published').coverage
        self.mixture_states.append(MixtureState(
            prediction.anchor_ns,
            dict(zip(mixture.names, mixture.weights.tolist())),
            {round(ahead, 6): share for ahead, share in zip(
                mixture.checkpoints.tolist(), inside.tolist()) if math.isfinite(share)},
            prediction.reason))
        if prediction.reason:
            self._add_problem('prediction', f'{prediction.source} has the largest weight: '
                                            f'{prediction.reason}')

    def _add_problem(self, name: str, text: str) -> None:
        self.problems.append(Problem(name, _WARNING, self._now_ns, self._now_ns, text))
