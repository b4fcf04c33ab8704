"""The commands in the documents are ones that there are, with arguments that they take."""

import importlib
from pathlib import Path
import re
import shlex

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
PLACES = {'BAG', 'BAG...', 'BAG_OR_DIR...', 'DIR', 'F', 'N', 'NAME'}  # stand for something


def commands():
    """Yield (page, words) of each command in a block of shell."""
    for page in PAGES:
        for block in re.findall(r'^ *```sh\n(.*?)^ *```', page.read_text(), re.M | re.S):
            for line in block.replace('\\\n', ' ').splitlines():
                words = shlex.split(line, comments=True)
                if words:
                    yield pytest.param(words, id=f'{page.name}: {line.strip()[:60]}')


def starting_with(*beginning):
    return [case for case in commands() if case.values[0][:len(beginning)] == list(beginning)]


@pytest.mark.parametrize('words', starting_with('./dev'))
def test_verb_takes_its_arguments(words, capsys):
    verb, *arguments = words[1:]
    assert re.search(rf'^  {verb}\s', (ROOT / 'dev').read_text(), re.M), verb
    if verb == 'test':
        return
    pytest.importorskip('torch')
    if verb in ('faults', 'soak', 'demo', 'replay'):
        pytest.importorskip('rclpy')
    part = 'fault_injection' if verb in ('faults', 'soak') else 'lstm_predictor.cli'
    module = importlib.import_module(f'{part}.{verb.replace("-", "_")}')
    given = ['3' if word == 'N' else word for word in arguments]
    module._arguments().parse_args(given)
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize('words', starting_with('ros2', 'launch', 'lstm_predictor'))
def test_launch_file_has_the_arguments(words):
    file, *arguments = words[3:]
    text = (ROOT / 'launch' / file).read_text()
    shared = (ROOT / 'lstm_predictor' / 'launch_utils.py').read_text()
    included = (ROOT / 'launch' / 'bringup.launch.py').read_text()
    for argument in arguments:
        name = argument.split(':=')[0]
        assert any(f"'{name}'" in source for source in (text, shared, included)), name


@pytest.mark.parametrize('words', starting_with('ros2', 'run', 'lstm_predictor'))
def test_executable_is_installed(words):
    assert re.search(rf"'{words[3]} = ", (ROOT / 'setup.py').read_text())


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r'\]\(([^)#:]+)\)', page.read_text()):
        assert (page.parent / target).exists(), target


def test_most_of_the_commands_are_checked():
    checked = sum(len(starting_with(*words)) for words in (
        ('./dev',), ('ros2', 'launch', 'lstm_predictor'), ('ros2', 'run', 'lstm_predictor')))
    assert checked >= 0.5 * len(list(commands()))


def test_the_readme_leads_to_every_page():
    readme = (ROOT / 'README.md').read_text()
    for page in PAGES[1:]:
        assert f'docs/{page.name}' in readme, page.name
