"""A million windows in little memory."""

import subprocess
import sys

MEASURE = """
import json, resource, sys
from dataclasses import fields
from pathlib import Path
import numpy as np
from lstm_predictor.core.window import WindowConfig
from lstm_predictor.learning import linear, store
from lstm_predictor.learning.augment import AugmentConfig
from lstm_predictor.learning.batches import Batches, Source, Sources
from lstm_predictor.learning.dataset import empty, Examples

folder = Path(sys.argv[1])
none = empty(WindowConfig().length, 40)
shapes = {}
for item in fields(Examples):
    array = getattr(none, item.name)
    shape = (1_000_000, *array.shape[1:])
    shapes[item.name] = (str(array.dtype), shape)
    with open(folder / item.name, 'wb') as file:
        file.truncate(int(np.prod(shape)) * array.dtype.itemsize)  # a hole: no disk is needed
(folder / 'shapes.json').write_text(json.dumps(shapes))
examples = store.read(folder)
source = Source(examples, linear.yardsticks(examples, 0.05), 1.0)
batches = Batches(Sources([source], AugmentConfig(), 20), 0, 0, 40, 512)
count = sum(len(batches[i][0]) for i in range(len(batches)))
print(len(examples), count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_a_million_windows_need_less_than_2_gb(tmp_path):
    output = subprocess.check_output([sys.executable, '-c', MEASURE, str(tmp_path)], text=True)
    windows, drawn, kilobytes = map(int, output.split())
    assert (windows, drawn) == (1_000_000, 40 * 512)
    assert kilobytes < 2_000_000
