"""The parameter files say what the dataclasses say, no more and no less."""

from dataclasses import fields
from pathlib import Path

import pytest

import yaml

CONFIG = Path(__file__).parents[1] / 'config'


def parameters(file, node):
    return yaml.safe_load((CONFIG / file).read_text())[f'/**/{node}']['ros__parameters']


def defaults(*config_types):
    return {item.name: list(item.default) if isinstance(item.default, tuple) else item.default
            for config_type in config_types for item in fields(config_type)}


@pytest.mark.ros
def test_bringup_holds_every_default_of_both_nodes():
    pytest.importorskip('rclpy')
    from lstm_predictor.core.predictor import PredictorConfig
    from lstm_predictor.core.replanner import ReplannerConfig
    from lstm_predictor.core.supervisor import SupervisorConfig
    from lstm_predictor.nodes.predictor_node import PredictorNodeConfig
    from lstm_predictor.nodes.replanner_node import ReplannerNodeConfig
    for node, types in (('predictor', (PredictorNodeConfig, PredictorConfig, SupervisorConfig)),
                        ('replanner', (ReplannerNodeConfig, ReplannerConfig))):
        assert_same(parameters('bringup.yaml', node), defaults(*types))


@pytest.mark.ros
def test_simulation_holds_every_default_of_the_robot():
    pytest.importorskip('rclpy')
    pytest.importorskip('mujoco')
    from lstm_predictor.nodes.sim_node import SimNodeConfig
    from lstm_predictor.sim.robot_config import RobotConfig
    assert_same(parameters('simulation.yaml', 'sim'), defaults(SimNodeConfig, RobotConfig))


def test_training_file_names_every_field():
    pytest.importorskip('torch')
    from lstm_predictor.learning.config import TrainConfig, load
    content = yaml.safe_load((CONFIG / 'train.yaml').read_text())
    config = load(CONFIG / 'train.yaml')
    assert set(content) == {item.name for item in fields(TrainConfig)}
    for part in ('window', 'fleet', 'optimiser'):
        assert set(content[part]) == {item.name for item in fields(getattr(config, part))}


@pytest.mark.parametrize('file', ['bringup.yaml', 'simulation.yaml', 'train.yaml'])
def test_every_number_has_its_unit_or_meaning(file):
    bare = [line for line in (CONFIG / file).read_text().splitlines()
            if line.startswith('    ') and ': ' in line and '#' not in line]
    assert not bare


def assert_same(in_file, in_code):
    assert in_file == in_code
    # In a parameter file 1 is an integer and refused for a double.
    kinds = {name: type(value) for name, value in in_file.items()}
    assert kinds == {name: type(value) for name, value in in_code.items()}
