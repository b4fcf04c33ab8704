"""A parameter that no node has: an error where it is meant for this node, else a warning."""

import pytest

pytest.importorskip('rclpy')

pytest.importorskip('torch')

from lstm_predictor.nodes import (  # noqa: E402
    command_guard_node, parameters, predictor_node, replanner_node)
from lstm_predictor.nodes.parameter_sources import from_wildcards  # noqa: E402
from lstm_predictor.simulation.robot_config import RobotConfig  # noqa: E402

import yaml  # noqa: E402

pytestmark = pytest.mark.ros

NODE = '/robot1/replanner'


@pytest.fixture
def file(tmp_path):
    """Return a function that writes a parameter file and returns its path."""

    def write(sections, name='parameters.yaml'):
        path = tmp_path / name
        path.write_text(yaml.dump(sections))
        return str(path)

    return write


def section(path, **values):
    """Return a parameter file with one section; the words of the path are nested."""
    content = {'ros__parameters': values}
    for word in reversed(path if isinstance(path, list) else [path]):
        content = {word: content}
    return content


@pytest.mark.parametrize('path', [
    '/**', '**', '/*/*', ['/**', '*'], ['robot1', '*'], ['/robot1', '**'], '/robot1/*'])
def test_a_section_for_nodes_of_any_name_is_found(file, path):
    written = file(section(path, oops=1))
    found = from_wildcards(['x', '--ros-args', '--params-file', written], NODE)
    assert set(found) == {'oops'} and written in found['oops']


@pytest.mark.parametrize('path', [
    '/robot1/replanner', 'robot1/replanner', ['robot1', 'replanner'], '/**/replanner',
    '/*/replanner', ['/**', 'replanner']])
def test_a_section_that_names_the_node_is_its_own(file, path):
    written = file(section(path, oops=1))
    assert from_wildcards(['x', '--ros-args', '--params-file', written], NODE) == {}


@pytest.mark.parametrize('path', [
    '/**/predictor', '/robot2/*', 'replanner', '/*', ['robot2', '**'], '/*/*/*'])
def test_a_section_that_does_not_reach_the_node_is_nothing(file, path):
    written = file(section(path, oops=1))
    assert from_wildcards(['--ros-args', '--params-file', written], NODE) == {}


@pytest.mark.parametrize('more', [
    ['-p', 'oops:=1'], ['--param', 'oops:=1'], ['-p', 'robot1/replanner:oops:=1'],
    ['-p', '/**:oops:=1']])
def test_what_the_command_line_says_is_the_nodes_own(file, more):
    written = file(section('/**', oops=1, nested={'below': 2}))
    arguments = ['--ros-args', '--params-file', written, *more]
    assert set(from_wildcards(arguments, NODE)) == {'nested.below'}


def test_what_is_said_twice_is_the_nodes_own(file):
    wild, own = file(section('/**', oops=1)), file(section('/**/replanner', oops=1), 'own.yaml')
    for files in ([wild, own], [own, wild]):
        arguments = ['--ros-args']
        for name in files:
            arguments += ['--params-file', name]
        assert from_wildcards(arguments, NODE) == {}


def test_what_is_not_among_the_arguments_of_ros_is_nothing(file):
    written = file(section('/**', oops=1))
    assert from_wildcards(['--params-file', written], NODE) == {}
    assert from_wildcards(['--ros-args', '--', '--params-file', written], NODE) == {}
    assert from_wildcards(['--ros-args', '--params-file'], NODE) == {}


def test_the_file_that_launch_writes_of_one_node_is_its_own(file):
    written = file(section('/**', oops=1), 'launch_params_x7k2')
    assert from_wildcards(['--ros-args', '--params-file', written], NODE) == {}


@pytest.mark.parametrize('text', ['- 1', 'a: [', '1', '', '/**:\n  ros__parameters: 3', '/**: 2'])
def test_a_file_that_is_none_is_nothing(tmp_path, text):
    (tmp_path / 'odd.yaml').write_text(text)
    arguments = ['--ros-args', '--params-file', str(tmp_path / 'odd.yaml'),
                 '--params-file', str(tmp_path / 'none.yaml')]
    assert from_wildcards(arguments, NODE) == {}


@pytest.mark.parametrize('path', ['/**', '/*'])
def test_a_node_starts_and_warns_of_a_parameter_that_is_for_others_as_well(
        probe, start, file, path):
    written = file(section(path, velocity_timout=0.5, robot_radius=0.2, use_sim_time=False,
                           velocity_timeout=0.2))
    guard = start('command_guard', '--params-file', written)
    assert probe.state('command_guard') == 'active'
    warnings = [line for line in guard.said.splitlines() if 'WARN' in line]
    assert len(warnings) == 2
    assert any('velocity_timout does not exist, velocity_timeout does' in line
               and written in line for line in warnings)
    assert any('robot_radius does not exist' in line for line in warnings)


@pytest.mark.parametrize('path', ['command_guard', '/**/command_guard'])
def test_a_wrong_parameter_of_its_own_section_is_one_line(refusal, file, path):
    line = refusal(command_guard_node.main, '--params-file',
                   file(section(path, velocity_timout=0.5)))
    assert 'velocity_timout does not exist, velocity_timeout does' in line
    assert 'command_guard has' in line


@pytest.mark.parametrize('path', ['/**', 'replanner'])
def test_an_old_name_in_a_file_is_refused_with_the_new_one(refusal, file, path):
    line = refusal(replanner_node.main, '--params-file', file(section(path, gain_along=0.5)))
    assert 'parameter gain_along is now called k_x' in line


@pytest.mark.parametrize('old', sorted(parameters.RENAMED))
def test_an_old_name_on_the_command_line_is_refused_with_the_new_one(refusal, old):
    new = parameters.RENAMED[old]
    node = next(node for node in (predictor_node, replanner_node)
                if new in parameters.names(*node.TYPES))
    assert f'parameter {old} is now called {new}' in refusal(node.main, **{old: 1.0})


def test_an_old_name_of_another_node_is_no_name_of_this_one(refusal, file):
    line = refusal(command_guard_node.main, memory=1.0)
    assert 'parameter memory does not exist; command_guard has' in line


def test_no_node_has_a_parameter_by_an_old_name():
    types = (*predictor_node.TYPES, *replanner_node.TYPES, *command_guard_node.TYPES, RobotConfig)
    assert not parameters.names(*types) & set(parameters.RENAMED)
    assert parameters.names(*types) >= set(parameters.RENAMED.values())


def test_a_wrong_parameter_of_the_command_line_is_one_line(refusal, file):
    line = refusal(command_guard_node.main, '--params-file',
                   file(section('/**', oops=0.5)), oops=1)
    assert 'parameter oops does not exist; command_guard has' in line


def test_a_wrong_value_from_a_wildcard_is_one_line_still(refusal, file):
    line = refusal(command_guard_node.main, '--params-file',
                   file(section('/**', velocity_timeout='x')))
    assert 'velocity_timeout' in line
