"""What the predictor makes of a recording afterwards: the core that the node runs, in a loop."""

import math

from lstm_predictor.bags import Recording
from lstm_predictor.core import samples
from lstm_predictor.core.artifact import Artifact
from lstm_predictor.core.prediction import Prediction
from lstm_predictor.core.predictor import Predictor, PredictorConfig
from lstm_predictor.core.samples import Command, Odometry
from lstm_predictor.view.review import (
    Forecast, joined, Judgement, Region, Review, Trouble, whole_drive)

_REGIONS = (0.5, 1.0, 2.0)  # after which error regions are kept [s]
_PAUSE_NS = 1_000_000_000  # within which the same trouble is one
_WARNING = 1


def offline(recording: Recording, artifact: Artifact, limits: tuple[float, float]) -> Review:
    """Return what was driven and what the predictor would have said; limits in m/s and rad/s."""
    run = _Run(Predictor(artifact, PredictorConfig(max_velocity=(limits[0], 0.0, limits[1]))))
    for message, reading in recording.heard():
        if isinstance(reading, samples.BadMessage):
            run.refuse(message.topic, str(reading))
        else:
            run.take(message.topic, reading)
    return Review(
        name=recording.path.resolve().name,
        source=f'made afterwards by the model for {artifact.contract.robots}',
        odometry=run.odometry,
        commands={'sent to the robot': run.commands} if run.commands else {},
        forecasts=run.forecasts,
        judgements=run.judgements,
        troubles=joined(run.troubles, _PAUSE_NS))


class _Run:
    """Hands readings to the predictor and keeps its answers."""

    def __init__(self, predictor: Predictor) -> None:
        self.odometry = whole_drive()
        self.commands: list[Command] = []
        self.forecasts: list[Forecast] = []
        self.judgements: list[Judgement] = []
        self.troubles: list[Trouble] = []
        self._predictor = predictor
        self._now_ns = 0

    def refuse(self, topic: str, reason: str) -> None:
        """Keep that a message was bad."""
        self._trouble(topic.lstrip('/'), f'refused: {reason}')

    def take(self, topic: str, reading: Odometry | samples.Imu | Command) -> None:
        """Take a reading as the node does."""
        if isinstance(reading, Command):
            self.commands.append(reading)
        try:
            taken = self._predictor.add(reading)
        except samples.BadMessage as error:
            self.refuse(topic, str(error))
            return
        anew = self._predictor.why_anew()
        if anew:
            self._trouble('prediction', f'starts anew, {anew}')
        if taken and isinstance(reading, Odometry):
            self._now_ns = reading.stamp_ns
            self.odometry.add(reading)
            prediction = self._predictor.predict_if_due()
            if prediction is not None and prediction.is_finite():
                self._keep(prediction)

    def _keep(self, prediction: Prediction) -> None:
        rate = self._predictor.artifact.contract.rate
        steps = sorted({min(round(ahead * rate), len(prediction.poses)) - 1
                        for ahead in _REGIONS})
        self.forecasts.append(Forecast(
            prediction.anchor_ns, prediction.stamps_ns, prediction.poses,
            [Region(int(prediction.stamps_ns[i]), prediction.poses[i], prediction.covariances[i])
             for i in steps]))
        supervisor = self._predictor.supervisor
        inside = supervisor.errors('published').coverage
        self.judgements.append(Judgement(
            prediction.anchor_ns,
            dict(zip(supervisor.names, supervisor.shares.tolist())),
            {round(ahead, 6): share for ahead, share in zip(
                supervisor.checkpoints.tolist(), inside.tolist()) if math.isfinite(share)},
            prediction.reason))
        if prediction.reason:
            self._trouble('prediction', f'{prediction.source} has the largest share: '
                                        f'{prediction.reason}')

    def _trouble(self, name: str, text: str) -> None:
        self.troubles.append(Trouble(name, _WARNING, self._now_ns, self._now_ns, text))
