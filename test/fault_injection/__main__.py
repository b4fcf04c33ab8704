"""The command lines `./dev faults` and `./dev soak`: `python3 test/fault_injection VERB ...`."""

from pathlib import Path
import sys

from lstm_predictor.entry_points import run

sys.path[0] = str(Path(__file__).parents[1])
sys.exit(run(sys.argv[1], f'fault_injection.{sys.argv.pop(1)}', interrupted=130))
