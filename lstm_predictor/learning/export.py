"""From a trained module to the model file and the card that goes with it."""

from dataclasses import asdict
from pathlib import Path
import subprocess
from typing import Any

from lstm_predictor.core.artifact import Contract, file_sha256, save
from lstm_predictor.core.model import MotionLstm
from lstm_predictor.learning import metrics
from lstm_predictor.learning.config import TrainConfig
from lstm_predictor.learning.dataset import Examples

import yaml

_GOLDEN = 4  # examples kept in the archive


def contract_of(config: TrainConfig, data_sha256: str) -> Contract:
    """Return what the model file will say about itself, without scores."""
    return Contract(
        rate=config.window.rate, window=config.window.length, horizon=config.horizon,
        max_gap=config.window.max_gap, command_memory=config.window.command_memory,
        robots=config.robots, max_speed=config.window.max_speed,
        max_yaw_rate=config.window.max_yaw_rate, data_sha256=data_sha256, commit=_commit())


def export(path: Path, model: MotionLstm, contract: Contract, examples: Examples,
           scores: dict[str, Any], seconds: float, config: TrainConfig) -> None:
    """Write the model file, checked against the module, and the card beside it."""
    spread = slice(None, None, max(1, len(examples) // _GOLDEN))
    path.parent.mkdir(parents=True, exist_ok=True)
    contract = Contract(**{**asdict(contract), 'scores': scores})
    save(path, model, contract, examples.windows[spread][:_GOLDEN].astype(float),
         examples.commands[spread][:_GOLDEN].astype(float))
    path.with_suffix('.md').write_text(card(path, contract, seconds, config))


def card(path: Path, contract: Contract, seconds: float, config: TrainConfig) -> str:
    """Return the model card as Markdown."""
    size = path.stat().st_size / 1e3
    return f"""# {path.name}

TorchScript archive for `lstm_predictor`, made by `./dev train`. {size:.0f} kB,
sha256 `{file_sha256(path)}`. Licence: {contract.licence}.

For {contract.robots}, up to {contract.max_speed:g} m/s and {contract.max_yaw_rate:g} rad/s.
A window of {contract.window} rows at {contract.rate:g} Hz in, {contract.horizon} steps ahead out.

## Data
{config.fleet.robots} simulated robots (MuJoCo), {config.fleet.seconds:g} s each, no recording of
a real robot. Hash of the examples: `{contract.data_sha256}`. Data and training took
{seconds / 60:.0f} min; commit `{contract.commit}`.

## Scores
On {config.test_robots} simulated robots of another seed, which training did not see. `fleet_open`:
nobody knows the future commands. `fleet_known`: the model is given them; constant velocity makes
no use of them.

```
{metrics.table(contract.scores)}
```

## Limits
Constant velocity is the only other predictor in this table, and not a strong one. The regions
are calibrated on simulated robots. On a real robot measure with `./dev replay`.

## Configuration
```yaml
{yaml.safe_dump(_plain(asdict(config)), sort_keys=False).strip()}
```
"""


def _plain(value: Any) -> Any:
    """Return the value with lists for tuples, as YAML has them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _commit() -> str:
    """Return the commit of the checkout, or nothing outside of one."""
    try:
        result = subprocess.run(
            ['git', 'describe', '--always', '--dirty', '--abbrev=40'], capture_output=True,
            text=True, cwd=Path(__file__).parent)
    except OSError:
        return ''
    return result.stdout.strip()
