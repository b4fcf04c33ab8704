"""A million windows in little memory."""

import subprocess
import sys

import pytest

MEASURE = """
import resource, sys
from dataclasses import fields
from pathlib import Path
import numpy as np
from lstm_predictor.model.window import WindowConfig
from lstm_predictor.training import array_store, fit_linear_prior
from lstm_predictor.training.augmentation import AugmentConfig
from lstm_predictor.training.batches import Batches, Source, Sources
from lstm_predictor.training.dataset import empty, Examples

folder = Path(sys.argv[1])
none = empty(WindowConfig().length, 40)
for item in fields(Examples):
    array = getattr(none, item.name)
    np.lib.format.open_memmap(  # a hole: no disk is needed
        folder / f'{item.name}.npy', 'w+', array.dtype, (1_000_000, *array.shape[1:]))
examples = array_store.read(folder)
source = Source(examples, fit_linear_prior.error_scales(examples, 0.05), 1.0)
batches = Batches(Sources([source], AugmentConfig(), 20), 0, 0, 40, 512)
count = sum(len(batches[i][0]) for i in range(len(batches)))
print(len(examples), count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.endurance
def test_a_million_windows_need_less_than_2_gb(tmp_path):
    output = subprocess.check_output([sys.executable, '-c', MEASURE, str(tmp_path)], text=True)
    windows, drawn, kilobytes = map(int, output.split())
    assert (windows, drawn) == (1_000_000, 40 * 512)
    assert kilobytes < 2_000_000
