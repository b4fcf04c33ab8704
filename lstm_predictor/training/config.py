"""The configuration of a training run, read from a YAML file."""

from dataclasses import dataclass, field
from pathlib import Path

from lstm_predictor.common import config_io
from lstm_predictor.common.checks import require_positive
from lstm_predictor.common.metrics import HORIZONS, steps_of
from lstm_predictor.model.linear_prior import ROWS
from lstm_predictor.model.window import WindowConfig
from lstm_predictor.training.augmentation import AugmentConfig
from lstm_predictor.training.recorded_tracks import RecordingsConfig
from lstm_predictor.training.simulated_fleet import FleetConfig
from lstm_predictor.training.trainer import OptimiserConfig


@dataclass(frozen=True)
class TrainConfig:
    """One training run, from robots to model file."""

    output: str = 'models/turtlebot3.pt'  # the model card is written beside it, as .md
    robots: str = 'small differential-drive robots'  # as text, for the contract
    horizon: int = 40  # steps of the window's grid
    stride: float = 4.0  # steps between the windows of one simulated robot
    window: WindowConfig = WindowConfig()
    fleet: FleetConfig = FleetConfig()
    validation_robots: int = 120  # to select the weights and to calibrate, of another seed
    test_robots: int = 40  # of the default ranges, for the scores in the card
    recordings: RecordingsConfig = RecordingsConfig()  # used where --recordings names a folder
    augment: AugmentConfig = AugmentConfig()
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        require_positive(self, 'horizon', 'stride', 'validation_robots', 'test_robots')
        if self.window.length % self.optimiser.fold:
            raise ValueError(f'length of the window must be a multiple of fold '
                             f'({self.optimiser.fold}), is {self.window.length}')
        if self.window.length < self.horizon + ROWS:
            raise ValueError(
                f'length of the window must be at least {self.horizon + ROWS} rows (horizon, and '
                f'what the linear predictor reads), is {self.window.length}')
        if self.optimiser.truncate >= self.window.length:
            raise ValueError(f'truncate must be less than the {self.window.length} rows of the '
                             f'window, is {self.optimiser.truncate}')
        if steps_of(HORIZONS[-1:], self.window.rate)[0] >= self.horizon:
            raise ValueError(f'horizon must reach {HORIZONS[-1]:g} s, which are scored; it is '
                             f'{self.horizon} steps at {self.window.rate:g} Hz')
        if steps_of(HORIZONS[:1], self.window.rate)[0] < 0:
            raise ValueError(f'rate must be at least {1.0 / HORIZONS[0]:g} Hz, is '
                             f'{self.window.rate:g}')


def load(path: Path) -> TrainConfig:
    """Return the configuration in a YAML file; raise ConfigError that names what is wrong."""
    return config_io.load(TrainConfig, path)
