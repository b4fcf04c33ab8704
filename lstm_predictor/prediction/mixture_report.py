"""What the predictor's diagnostics hold of its mixture, for programs that read them back."""

from collections.abc import Iterable, Mapping
import math
from typing import NamedTuple

from lstm_predictor.common.metrics import shown
from lstm_predictor.prediction.mixture import PredictorMixture

SUMMARY = 'summary'  # name of the first entry of each node's diagnostics
ENTRY = 'prediction'  # name of the predictor's entry in which the values are
PREDICTORS = 'predictors'
WEIGHTS = 'weights [%]'  # of each of them
HORIZONS = 'scored after [s]'
COVERAGE = 'published: inside the 90 % region [%]'  # at each of these


class MixtureReport(NamedTuple):
    """The weights of the predictors and how well the published covariance is calibrated."""

    weights: dict[str, float]  # of each predictor in what is published [-]
    coverage: dict[float, float]  # of the 90 % region, by horizon [s]; nan before a score [-]

    @classmethod
    def of(cls, mixture: PredictorMixture) -> 'MixtureReport':
        """Return the report of a mixture as it is now."""
        return cls(dict(zip(mixture.names, mixture.weights.tolist())),
                   dict(zip(mixture.checkpoints.tolist(),
                            mixture.errors('published').coverage.tolist())))

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> 'MixtureReport | None':
        """Return the report in the values of an entry; None where there is none, or it is torn."""
        try:
            names = values[PREDICTORS].split(', ')
            weights, horizons, coverage = (
                _numbers(values[key]) for key in (WEIGHTS, HORIZONS, COVERAGE))
            return cls({name: 0.01 * weight for name, weight in zip(names, weights, strict=True)},
                       {horizon: 0.01 * inside
                        for horizon, inside in zip(horizons, coverage, strict=True)})
        except (KeyError, ValueError):
            return None

    def values(self) -> dict[str, str]:
        """Return the values of an entry."""
        return {PREDICTORS: ', '.join(self.weights),
                WEIGHTS: row((100.0 * weight for weight in self.weights.values()), '.1f'),
                HORIZONS: row(self.coverage, 'g'),
                COVERAGE: row((100.0 * inside for inside in self.coverage.values()), '.0f')}


def row(values: Iterable[float], form: str) -> str:
    """Return numbers as one text."""
    return ', '.join(shown(value, form) for value in values)


def _numbers(text: str) -> list[float]:
    return [math.nan if item == '-' else float(item) for item in text.split(', ')]
