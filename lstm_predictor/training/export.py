"""Export of a trained model: the model file and its model card."""

from dataclasses import dataclass, replace
from pathlib import Path
import subprocess
from typing import Any

from lstm_predictor.baselines import registry
from lstm_predictor.common import metrics
from lstm_predictor.model.contract import Contract
from lstm_predictor.model.model_file import file_sha256, LoadedModel, save
from lstm_predictor.training.config import TrainConfig
from lstm_predictor.training.pipeline import plain, TrainingResult

import yaml


@dataclass(frozen=True)
class Run:
    """A training run, as the model card describes it."""

    config: TrainConfig
    trained: TrainingResult
    recordings: dict[str, list[str]]  # names by what they were used for
    seconds: float  # that data and training took


def contract_of(run: Run) -> Contract:
    """Return the contract of the model file, without scores."""
    config, trained = run.config, run.trained
    speed, yaw_rate = trained.max_speeds
    return Contract(
        rate=config.window.rate, window=config.window.length, shortest=config.window.shortest,
        horizon=config.horizon, max_gap=config.window.max_gap,
        command_memory=config.window.command_memory, robots=config.robots, max_speed=speed,
        max_yaw_rate=yaw_rate, data_sha256=trained.data_sha256, commit=_commit(),
        classical=trained.constants)


def export(path: Path, run: Run, groups: dict[str, Any]) -> None:
    """Write the model file, checked against the module, and the card beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    model, golden = run.trained.model, run.trained.golden
    contract = replace(contract_of(run), scores=groups)
    registry.check(LoadedModel(model, contract, name=f'model file {path}'))
    contract = save(
        path, model, contract, golden.windows.astype(float), golden.commands.astype(float))
    path.with_suffix('.md').write_text(card(path, contract, run))


def card(path: Path, contract: Contract, run: Run) -> str:
    """Return the model card as Markdown."""
    size = path.stat().st_size / 1e3
    recorded = '\n'.join(f'- {use}: {", ".join(names) or "none"}'
                         for use, names in run.recordings.items())
    return f"""# {path.name}

TorchScript archive for `lstm_predictor`, made by `./dev train`. {size:.0f} kB,
sha256 `{file_sha256(path)}`. Licence: {contract.licence}.

For {contract.robots}; up to {contract.max_speed:.2f} m/s and {contract.max_yaw_rate:.2f} rad/s
in training. Input: a window of {contract.window} rows at {contract.rate:g} Hz (the
newest {contract.shortest} are enough). Output: {contract.horizon} steps ahead.

## Data
{run.config.fleet.robots} simulated robots (MuJoCo), {run.config.fleet.seconds:g} s each, and
recordings of real robots:
{recorded or '- none'}

{run.trained.windows} windows. Hash of the examples: `{contract.data_sha256}`. Data and training
took {run.seconds / 60:.0f} min on two cores; commit `{contract.commit}`.

## Scores
On simulated robots of another seed, and on the recordings for validation and test. The classical
predictors are fitted and tuned on the same data. `known`: all predictors get the future commands.

```
{metrics.table(contract.scores)}
```

## Configuration
```yaml
{yaml.safe_dump(plain(run.config), sort_keys=False).strip()}
```
"""


def _commit() -> str:
    """Return the commit of the checkout, or nothing outside of one."""
    try:
        result = subprocess.run(
            ['git', 'describe', '--always', '--dirty', '--abbrev=40'], capture_output=True,
            text=True, cwd=Path(__file__).parent)
    except OSError:
        return ''
    return result.stdout.strip()
