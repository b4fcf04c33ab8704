"""The parameter files say what the dataclasses say, no more and no less."""

from collections import defaultdict
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

import yaml

CONFIG = Path(__file__).parents[2] / 'config'
TRAINING = sorted(CONFIG.glob('train_*.yaml'))
OF_EACH_ROBOT = defaultdict(set, window={'max_speed', 'max_yaw_rate'})  # never in a file
DATA = Path(__file__).parents[3] / 'shared' / 'data'


def parameters(file, node):
    return yaml.safe_load((CONFIG / file).read_text())[f'/**/{node}']['ros__parameters']


def defaults(*config_types):
    return {item.name: list(item.default) if isinstance(item.default, tuple) else item.default
            for config_type in config_types for item in fields(config_type)}


@pytest.mark.ros
def test_bringup_holds_every_default_of_its_nodes():
    pytest.importorskip('rclpy')
    from lstm_predictor.control.compensator import ReplannerConfig
    from lstm_predictor.control.mppi import MppiConfig
    from lstm_predictor.control.regulated_pure_pursuit import PursuitConfig
    from lstm_predictor.control.speed_scaling import SpeedScalingConfig
    from lstm_predictor.control.watchdog import WatchdogConfig
    from lstm_predictor.nodes.command_guard_node import GuardNodeConfig
    from lstm_predictor.nodes.predictor_node import PredictorNodeConfig
    from lstm_predictor.nodes.replanner_node import ReplannerNodeConfig
    from lstm_predictor.prediction.mixture import MixtureConfig
    from lstm_predictor.prediction.predictor import PredictorConfig
    for node, types in (('predictor', (PredictorNodeConfig, PredictorConfig, MixtureConfig)),
                        ('replanner', (ReplannerNodeConfig, ReplannerConfig, SpeedScalingConfig,
                                       PursuitConfig, MppiConfig)),
                        ('command_guard', (GuardNodeConfig, WatchdogConfig))):
        assert_same(parameters('bringup.yaml', node), defaults(*types))


@pytest.mark.ros
def test_the_page_of_parameters_is_what_the_dataclasses_say():
    pytest.importorskip('rclpy')
    from lstm_predictor.control.compensator import ReplannerConfig
    from lstm_predictor.nodes.parameters_table import meaning, page
    assert (CONFIG.parent / 'docs' / 'parameters.md').read_text() == page()
    assert meaning(ReplannerConfig, 'max_accel') == 'away from zero [m/s^2], [m/s^2], [rad/s^2]'


@pytest.mark.ros
def test_simulation_holds_every_default_of_the_robot():
    pytest.importorskip('rclpy')
    pytest.importorskip('mujoco')
    from lstm_predictor.nodes.sim_node import SimNodeConfig
    from lstm_predictor.simulation.robot_config import RobotConfig
    assert_same(parameters('simulation.yaml', 'sim'), defaults(SimNodeConfig, RobotConfig))


@pytest.mark.parametrize('path', TRAINING, ids=lambda path: path.stem)
def test_training_file_names_every_field(path):
    pytest.importorskip('torch')
    from lstm_predictor.training.config import load, TrainConfig
    content = yaml.safe_load(path.read_text())
    config = load(path)
    assert set(content) == {item.name for item in fields(TrainConfig)}
    for name, part in vars(config).items():
        if is_dataclass(part):
            assert set(content[name]) == {
                item.name for item in fields(part)} - OF_EACH_ROBOT[name], name


@pytest.mark.parametrize('path', TRAINING, ids=lambda path: path.stem)
def test_training_file_makes_the_model_of_its_name(path):
    assert yaml.safe_load(path.read_text())['output'] == \
        f'models/{path.stem.removeprefix("train_")}.pt'


@pytest.mark.parametrize('path', TRAINING, ids=lambda path: path.stem)
def test_training_file_splits_the_recordings_as_their_readme_says(path):
    pytest.importorskip('torch')
    from lstm_predictor.training.config import load
    from lstm_predictor.training.example_cache import split_recordings
    folder = DATA / {'turtlebot3': 'turtlebot3_burger', 'outdoor': 'norlab_drive'}[
        path.stem.removeprefix('train_')]
    if not folder.is_dir():
        pytest.skip(f'{folder} is not beside the checkout')
    found = split_recordings(folder, load(path).recordings)
    row = next(line for line in (DATA / 'README.md').read_text().splitlines()
               if line.startswith(f'| {folder.name} '))
    _, _, validation, test, _, _ = (cell.strip() for cell in row.split('|'))
    for names, paths in ((validation, found.validation), (test, found.test)):
        assert names.split(', ') == [recording.name for recording in paths]
    kinds = [found.train, found.validation, found.test, found.left_out]
    assert sorted(sum(kinds, [])) == sorted(folder.iterdir())


@pytest.mark.parametrize('file', ['bringup.yaml', 'simulation.yaml'])
def test_every_number_has_its_unit_or_meaning(file):
    bare = [line for line in (CONFIG / file).read_text().splitlines()
            if line.startswith('    ') and ': ' in line and '#' not in line]
    assert not bare


def assert_same(in_file, in_code):
    assert in_file == in_code
    # In a parameter file 1 is an integer and refused for a double.
    kinds = {name: type(value) for name, value in in_file.items()}
    assert kinds == {name: type(value) for name, value in in_code.items()}
