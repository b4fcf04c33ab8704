"""Training with Lightning: checkpoints, resuming, early stopping, logs, several processes."""

from dataclasses import dataclass
import math
from pathlib import Path
import sys
from typing import Any

from lstm_predictor.common.checks import require_positive
from lstm_predictor.model.network import CELLS, MotionModel
from lstm_predictor.training.batches import Batches, TrainingData
from lstm_predictor.training.loss import loss_of

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

import torch
from torch import Tensor
from torch.utils.data import DataLoader

_WARM_UP = 0.03  # fraction of the steps over which the rate rises
_FINAL_RATE = 0.005  # of the highest rate, at the last step


@dataclass(frozen=True)
class OptimiserConfig:
    """The network and the optimiser."""

    cell: str = 'lstm'  # lstm, gru or rnn
    hidden: int = 64  # cells of the encoder and of the decoder
    fold: int = 4  # rows that the encoder reads at a time
    truncate: int = 0  # rows that gradients flow back through; 0: the whole window
    epochs: int = 30
    steps: int = 400  # batches in an epoch
    batch: int = 512  # windows, of all processes together
    learning_rate: float = 3e-3  # at its highest
    weight_decay: float = 1e-4
    patience: int = 10  # epochs without a better validation after which training ends
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        if self.cell not in CELLS:
            raise ValueError(f'cell must be one of {", ".join(CELLS)}, is {self.cell!r}')
        require_positive(self, 'hidden', 'fold', 'epochs', 'steps', 'batch', 'learning_rate',
                         'patience')
        if self.truncate < 0 or self.truncate % self.fold:
            raise ValueError(f'truncate must be 0 or a multiple of fold ({self.fold}), is '
                             f'{self.truncate}')


@dataclass(frozen=True)
class Resources:
    """Processes and machines of the training, and the folder of its files."""

    folder: Path  # of checkpoints and logs
    devices: int = 1  # processes on this machine
    nodes: int = 1  # machines
    progress: bool = True


class Training(lightning.LightningModule):
    """The Lightning module: model, loss, batches and optimiser."""

    def __init__(self, model: MotionModel, data: TrainingData, config: OptimiserConfig) -> None:
        """Take a model of which only the prior is fitted."""
        super().__init__()
        self.model = model
        self.data = data
        self.config = config

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """Return the loss of this process's part of a batch."""
        loss = loss_of(self.model, *batch)
        self.log('loss', loss, prog_bar=True, sync_dist=True, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        """Log the loss on examples that training does not see."""
        self.log('validation', loss_of(self.model, *batch), prog_bar=True, sync_dist=True)

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the batches of the present epoch, also after training was resumed."""
        return self._loader(Batches(
            self.data, self.config.seed, self.current_epoch, self.config.steps,
            self.config.batch, *self._place()))

    def val_dataloader(self) -> DataLoader[Any]:
        """Return a fixed sample of the examples for validation."""
        return self._loader(Batches(
            self.data.validation, self.config.seed, 0, 20, self.config.batch, *self._place()))

    def configure_optimizers(self) -> dict[str, Any]:
        """Return AdamW with a rate that rises quickly and falls along a cosine."""
        optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=self.config.learning_rate,
            weight_decay=self.config.weight_decay)
        total = self.config.epochs * self.config.steps
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: max(
            _FINAL_RATE, min(1.0, step / (_WARM_UP * total))
            * 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / total)))))
        return {'optimizer': optimiser,
                'lr_scheduler': {'scheduler': schedule, 'interval': 'step'}}

    def _loader(self, batches: Batches) -> DataLoader[Any]:
        return DataLoader(batches, batch_size=None, shuffle=False)

    def _place(self) -> tuple[int, int]:
        return self.trainer.global_rank, self.trainer.world_size


def fit(model: MotionModel, data: TrainingData, config: OptimiserConfig, resources: Resources
        ) -> MotionModel:
    """
    Return the model with the weights that did best in validation.

    A run that was killed goes on from the last epoch of which the folder holds a checkpoint.
    Of several processes only the first one returns; the others exit.
    """
    lightning.seed_everything(config.seed, verbose=False)
    best = ModelCheckpoint(dirpath=resources.folder, filename='best', monitor='validation',
                           save_last=True, enable_version_counter=False)
    several = resources.devices * resources.nodes > 1
    trainer = lightning.Trainer(
        accelerator='cpu', devices=resources.devices, num_nodes=resources.nodes,
        strategy='ddp' if several else 'auto', use_distributed_sampler=False,
        max_epochs=config.epochs, gradient_clip_val=1.0, reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0, log_every_n_steps=50, enable_model_summary=False,
        enable_progress_bar=resources.progress,
        callbacks=[best, EarlyStopping('validation', patience=config.patience),
                   *([TQDMProgressBar(refresh_rate=20)] if resources.progress else [])],
        # One file for every start: those from before a run was killed stay.
        logger=[CSVLogger(resources.folder, name='csv'),
                TensorBoardLogger(resources.folder, name='', version='tensorboard')])
    training = Training(model, data, config)
    last = resources.folder / 'last.ckpt'
    try:
        trainer.fit(training, ckpt_path=str(last) if last.exists() else None)
    except SystemExit:  # which Lightning makes of Ctrl-C
        raise KeyboardInterrupt from None
    if trainer.global_rank > 0:
        sys.exit()
    state = torch.load(best.best_model_path, weights_only=True)['state_dict']
    training.load_state_dict(state)
    return training.model.eval()
