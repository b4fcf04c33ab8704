"""The folder of the package's models, launch files and parameters, installed or not."""

from pathlib import Path


def share() -> Path:
    """Return the folder of models, launch files and parameters."""
    try:
        from ament_index_python.packages import get_package_share_directory
        return Path(get_package_share_directory('lstm_predictor'))
    except (ImportError, LookupError, OSError):
        return Path(__file__).resolve().parents[1]


def default_model() -> str:
    """Return the path of the model file that the predictor takes where none is named."""
    return str(share() / 'models' / 'turtlebot3.pt')
