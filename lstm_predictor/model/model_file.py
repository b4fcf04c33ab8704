"""
The model file: one TorchScript archive that carries its contract and checks itself.

Inside the archive lies `contract.json`: what the model expects, what it was trained on, how it
scored, and a few golden inputs with their outputs. `load` refuses whatever does not hold.
A TorchScript file is code: `load` refuses one that anyone can change, and a hash pins it.
"""

from dataclasses import asdict
from functools import cache
import hashlib
from io import BytesIO
import json
import math
import os
from pathlib import Path
from typing import Any

from lstm_predictor.common.errors import LstmPredictorError
from lstm_predictor.model import file_permissions
from lstm_predictor.model.contract import Contract, parse
from lstm_predictor.model.model_state import ModelState, StepOutput

import numpy as np
from numpy.typing import ArrayLike, NDArray

import torch

Array = NDArray[np.float64]

_EXTRA = 'contract.json'
_WARM_UP = 2  # runs until TorchScript has specialised on the shapes of one window
_TOLERANCE = 1e-4  # of golden outputs, relative: other processors round otherwise


class ModelFileError(LstmPredictorError, ValueError):
    """A model file that cannot be used; its text is one line that says why."""


class LoadedModel:
    """A loaded model: NumPy in, NumPy out."""

    def __init__(self, module: torch.nn.Module, contract: Contract, sha256: str = '',
                 name: str = 'model') -> None:
        """Wrap a scripted or eager module; `sha256` and `name` are of its file."""
        self._module = module.eval()
        self.contract = contract
        self.sha256 = sha256
        self.name = name  # in messages

    @property
    def prior(self) -> Any:
        """Return the linear predictor inside the model: window and commands in, twists out."""
        return self._module.prior

    def predict(self, window: ArrayLike, commands: ArrayLike, memory: ArrayLike | None = None
                ) -> tuple[Array, Array]:
        """
        Return poses (B, H, 3) and error factors (B, H, 3, 3), body frame of the newest row.

        `window` is (B, W, F), `commands` (B, H, 3) with [speed [m/s], yaw rate [rad/s], given],
        `memory` (B, 2, M, 4) what `learn` made of the robot's earlier windows.
        """
        with torch.inference_mode():
            if memory is None:
                poses, factors = self._module(self._window(window), _tensor(commands))
            else:
                poses, factors = self._module.informed(
                    self._window(window), _tensor(commands), _tensor(memory))
        return poses.double().numpy(), factors.double().numpy()

    def initial_state(self) -> ModelState:
        """Return the state of a robot of which nothing is known."""
        return np.asarray(self._module.blank(1).numpy())

    def learn(self, window: ArrayLike, rows: int, memory: ArrayLike) -> Array:
        """Return the memory with the newest `rows` of a robot's window (1, W, F) added."""
        with torch.inference_mode():
            learned = self._module.learn(
                self._window(window), torch.tensor([rows]), _tensor(memory))
        return np.asarray(learned.numpy())

    def step(self, state: ModelState, window: ArrayLike, rows: int) -> StepOutput:
        """
        Return the next state, with the newest `rows` of a window (1, W, F), and its prediction.

        A state that would not be finite is left as it was.
        """
        if not hasattr(self._module, 'advance'):  # an archive from before it had that method
            learned = self.learn(window, rows, state)
            kept = learned if np.isfinite(learned).all() else np.asarray(state)
            poses, factors = self.predict(window, open_commands(1, self.contract.horizon), kept)
            return StepOutput(poses[0], factors[0], self.timing(window, kept), kept)
        with torch.inference_mode():
            poses, factors, timing, kept = self._module.advance(
                self._window(window), torch.tensor([rows]), _tensor(state))
        delay, speed, yaw_rate = timing[0].tolist()
        return StepOutput(poses[0].double().numpy(), factors[0].double().numpy(),
                          (delay, speed, yaw_rate), np.asarray(kept.numpy()))

    def timing(self, window: ArrayLike, memory: ArrayLike) -> tuple[float, float, float]:
        """Return a robot's input delay, lag of the speed and lag of the yaw rate [s]."""
        with torch.inference_mode():
            delay, speed, yaw_rate = self._module.timing(
                self._window(window), _tensor(memory))[0].tolist()
        return delay, speed, yaw_rate

    def _window(self, window: ArrayLike) -> torch.Tensor:
        """Return the features of a window that this model reads, which are the first ones."""
        return _tensor(window)[..., :len(self.contract.features)]

    def warm_up(self) -> None:
        """
        Run a few times what a live prediction runs, for one golden window.

        TorchScript specialises in the first runs of each method, which takes 70 to 240 ms: a node
        would spend it on its first predictions.
        """
        golden, state = self.contract.golden, self.initial_state()
        window, commands = golden['window'][:1], golden['commands'][:1]
        for _ in range(_WARM_UP):
            self.step(state, window, 1)
            self.predict(window, commands, state)  # what a planner asks


def open_commands(count: int, horizon: int) -> Array:
    """Return future commands that say nothing (count, horizon, 3)."""
    return np.zeros((count, horizon, 3))


def save(path: Path, module: torch.nn.Module, contract: Contract, window: Array,
         commands: Array) -> Contract:
    """
    Write the module with its contract; golden outputs are those of the eager module.

    `window` and `commands` are a few golden inputs. Raise ModelFileError where the written
    archive does not give the eager module's numbers; nothing stays at `path` then.
    """
    poses, factors = LoadedModel(module, contract).predict(window, commands)
    golden = {name: np.asarray(value, dtype=np.float32).tolist() for name, value in (
        ('window', window), ('commands', commands), ('poses', poses), ('factors', factors))}
    full = Contract(**{**asdict(contract), 'golden': golden})
    partial = path.with_suffix('.partial')
    torch.jit.save(torch.jit.script(module.eval()), str(partial),
                   _extra_files={_EXTRA: json.dumps(asdict(full))})
    try:
        _checked(partial, allow_writable=True)  # it was written here and now
    except ModelFileError:
        partial.unlink()
        raise
    partial.replace(path)
    return full


def load(path: Path, sha256: str = '', allow_writable: bool = False) -> LoadedModel:
    """
    Read, check and return a model file, ready for live predictions.

    Raise ModelFileError for a file that is missing, has another hash than `sha256` (where one
    is given), can be changed by anyone, is no TorchScript archive of this schema, or misses its
    golden outputs. A file of the right hash is the one that was meant, whoever can write it;
    `allow_writable` takes any.
    """
    model = _checked(path, sha256, allow_writable)
    try:
        model.warm_up()
    except (AttributeError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1][:120]
        raise ModelFileError(
            f'model file {path} does not run as a live model ({reason})') from None
    return model


def _checked(path: Path, sha256: str = '', allow_writable: bool = False) -> LoadedModel:
    data, weakness = _read(path)
    found = hashlib.sha256(data).hexdigest()
    if sha256 and found != sha256.lower():
        raise ModelFileError(
            f'model file {path} has sha256 {found}, model_sha256 asks for {sha256}')
    if weakness and not sha256 and not allow_writable:
        raise ModelFileError(f'model file {path} {weakness}')
    extra = {_EXTRA: ''}
    try:
        module = torch.jit.load(BytesIO(data), map_location='cpu', _extra_files=extra)
    except (RuntimeError, ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0][:120]
        raise ModelFileError(f'model file {path} is no TorchScript archive ({reason})') from None
    model = LoadedModel(module, _contract(path, extra[_EXTRA]), found, f'model file {path}')
    _check_golden(path, model)
    _check_rate(path, model, module)
    return model


@cache
def load_once(path: Path) -> LoadedModel:
    """Return a model, read once in each process, which computes on one thread."""
    torch.set_num_threads(1)
    return load(path)


def file_sha256(path: Path) -> str:
    """Return the hash of a file as 64 hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(path: Path) -> tuple[bytes, str]:
    """
    Return the content of a file and how anyone can change it.

    It is read once, and its mode is that of the file that was read: what is checked is what is
    run, whatever its name leads to by then.
    """
    try:
        if not path.is_file():
            raise ModelFileError(f'model file {path} does not exist')
        with path.open('rb') as file:
            data, mode = file.read(), os.fstat(file.fileno()).st_mode
        return data, file_permissions.weakness(path, mode)
    except OSError as error:
        raise ModelFileError(f'model file {path}: {error.strerror}') from None


def _tensor(values: ArrayLike) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float32)


def _contract(path: Path, text: str | bytes) -> Contract:
    if not text:
        raise ModelFileError(
            f'model file {path} has no contract.json: it was not made by lstm_predictor')
    try:
        return parse(text)
    except ValueError as error:
        raise ModelFileError(f'model file {path}: contract.json is wrong ({error})') from None


def _check_golden(path: Path, model: LoadedModel) -> None:
    golden = model.contract.golden
    try:
        results = model.predict(golden['window'], golden['commands'])
        expected = [np.asarray(golden[name], dtype=float) for name in ('poses', 'factors')]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1][:120]
        raise ModelFileError(f'model file {path} does not run on its golden input ({reason})') \
            from None
    for name, axis, count in (('window', 1, model.contract.window),
                              ('commands', 1, model.contract.horizon)):
        found = np.shape(golden[name])[axis]
        if found != count:
            what = 'window' if name == 'window' else 'horizon'
            raise ModelFileError(
                f'model file {path} says {what} is {count}, its golden input has {found}')
    for result, wanted in zip(results, expected):
        if result.shape != wanted.shape:
            raise ModelFileError(
                f'model file {path} returns shape {result.shape}, its contract {wanted.shape}')
        miss = np.max(np.abs(result - wanted) / (1.0 + np.abs(wanted)))
        if not miss < _TOLERANCE:
            raise ModelFileError(
                f'model file {path} misses its golden output by {miss:.2g}: damaged, or made '
                f'for another version of torch')


def _check_rate(path: Path, model: LoadedModel, module: torch.nn.Module) -> None:
    """Raise ModelFileError where the contract has another rate than the archive."""
    contract = model.contract
    step, found = 1.0 / contract.rate, getattr(module, 'step', math.nan)
    if not math.isclose(found, step, rel_tol=1e-6):
        raise ModelFileError(f'model file {path} says rate is {contract.rate:g} Hz, its poses are '
                             f'{found:g} s apart')
