"""The page in a real browser: it opens without the network, and answers to clicks and drags."""

import json
import os
import re
import shutil

from helpers.bags import SECOND, START
from helpers.reviews import judged, made_up, pose_at
from lstm_predictor.evaluation.report.map_panel import ROBOT
from lstm_predictor.evaluation.report.page import page
from lstm_predictor.evaluation.report.review import Problem
import numpy as np
import pytest

selenium = pytest.importorskip('selenium')

from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

PATIENCE = 60.0  # [s]
FLAGS = ('headless', 'disable-gpu', 'disable-quic', 'no-first-run',
         'disable-background-networking', 'disable-component-update', 'disable-sync',
         'window-size=1500,1200')


def browser_at():
    """Return the paths of Chromium and its driver, or skip."""
    chromium = shutil.which('chromium') or shutil.which('chromium-browser')
    driver = shutil.which('chromedriver')
    if not (chromium and driver):
        pytest.skip('no chromium and chromedriver here: apt install chromium chromium-driver')
    return chromium, driver


@pytest.fixture(scope='module')
def review():
    return made_up(push=0.02, mixture_states=[judged(i, 0.9 if i < 9 else 0.2) for i in range(20)],
                   problems=[Problem('predictor: imu', 1, START + SECOND, START + 3 * SECOND,
                                     'imu stopped 1.2 s ago')])


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    """Return a browser that writes down what it asks the network for."""
    chromium, driver = browser_at()
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in FLAGS:
        options.add_argument(f'--{flag}')
    if os.geteuid() == 0:
        options.add_argument('--no-sandbox')  # which Chromium does not have for root
    options.add_argument(f'--user-data-dir={tmp_path_factory.mktemp("profile")}')
    options.set_capability('goog:loggingPrefs', {'performance': 'ALL', 'browser': 'ALL'})
    started = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield started
    started.quit()


@pytest.fixture
def opened(browser, review, tmp_path):
    """Return the browser with the page open and drawn."""
    file = tmp_path / 'page.html'
    file.write_text(page(review)[0], encoding='utf-8')
    for kind in ('performance', 'browser'):
        browser.get_log(kind)  # forget what was before
    browser.get(file.as_uri())
    until(browser, lambda: browser.find_elements(By.CSS_SELECTOR, '.legendtext')
          and browser.execute_script('return !!document.getElementById("review")._fullLayout'))
    return browser


def until(browser, condition):
    WebDriverWait(browser, PATIENCE).until(lambda _: condition())


def ranges(browser):
    """Return the range of every axis by its name, such as xaxis2."""
    return browser.execute_script("""
        const layout = document.getElementById('review')._fullLayout;
        return Object.fromEntries(Object.keys(layout).filter(key => /^[xy]axis/.test(key))
                                  .map(key => [key, layout[key].range]));""")


def shown(browser, name):
    """Return the `visible` of the traces of a name."""
    return browser.execute_script("""
        return document.getElementById('review')._fullData
            .filter(trace => trace.name === arguments[0]).map(trace => trace.visible);""", name)


def legend_entry(browser, name):
    text, = (text for text in browser.find_elements(By.CSS_SELECTOR, '.legendtext')
             if text.text == name)
    return text.find_element(By.XPATH, './ancestor::*[contains(@class, "traces")][1]'
                             ).find_element(By.CSS_SELECTOR, '.legendtoggle')


def panel(browser, subplot):
    return browser.find_element(By.CSS_SELECTOR, f'.nsewdrag[data-subplot="{subplot}"]')


def test_page_opens_without_network_and_without_a_complaint(opened):
    asked = [json.loads(entry['message'])['message'] for entry in opened.get_log('performance')]
    urls = [entry['params']['request']['url'] for entry in asked
            if entry['method'] == 'Network.requestWillBeSent']
    assert any(url.startswith('file:') for url in urls), urls
    # A browser that has just begun still fetches pages of its own (chrome:).
    assert not [url for url in urls if re.match('https?:|wss?:|ftp:', url)]
    assert not [entry for entry in opened.get_log('browser') if entry['level'] == 'SEVERE']
    assert opened.find_element(By.ID, 'summary').text.startswith('20 s and 4.0 m of driving')


def test_click_in_the_legend_hides_errors_and_coverage(opened):
    assert shown(opened, '1 s ahead') == [True]
    legend_entry(opened, '1 s ahead').click()
    until(opened, lambda: shown(opened, '1 s ahead') == ['legendonly'])
    assert shown(opened, 'coverage 1 s ahead') == ['legendonly']
    assert shown(opened, '2 s ahead') == [True]
    legend_entry(opened, '1 s ahead').click()
    until(opened, lambda: shown(opened, '1 s ahead') == [True])


def test_zoom_on_one_axis_of_time_zooms_all_and_not_the_map(opened):
    before = ranges(opened)
    times = [f'xaxis{number}' for number in range(2, 8)]
    assert all(before[name] == before['xaxis2'] for name in times)
    drag = ActionChains(opened).move_to_element(panel(opened, 'x2y2'))
    drag.move_by_offset(-100, 0).click_and_hold().move_by_offset(150, 0).release().perform()
    until(opened, lambda: ranges(opened)['xaxis2'] != before['xaxis2'])
    after = ranges(opened)
    assert all(after[name] == after['xaxis2'] for name in times)
    assert before['xaxis2'][0] < after['xaxis2'][0] < after['xaxis2'][1] < before['xaxis2'][1]
    assert after['xaxis'] == before['xaxis'] and after['yaxis'] == before['yaxis']
    ActionChains(opened).double_click(panel(opened, 'x2y2')).perform()
    until(opened, lambda: ranges(opened)['xaxis2'] == pytest.approx(before['xaxis2'], abs=0.5))


def test_pointer_on_the_time_puts_the_mark_where_the_robot_was(opened):
    ActionChains(opened).move_to_element(panel(opened, 'x4y4')).perform()

    def mark():
        return opened.execute_script("""
            const trace = document.getElementById('review')._fullData
                .find(trace => trace.name === arguments[0]);
            return [trace.x[0], trace.y[0]];""", ROBOT)

    until(opened, lambda: mark() != [0.0, 0.0])
    low, high = ranges(opened)['xaxis4']
    path = pose_at(START + SECOND * np.linspace(low, high, 400))[:, :2]
    nearest = np.hypot(*(path - mark()).T).argmin() / 399
    assert nearest == pytest.approx(0.5, abs=0.05)


def test_screenshot_shows_every_part(opened, tmp_path):
    from matplotlib.image import imread
    assert opened.save_screenshot(str(tmp_path / 'page.png'))
    image = imread(tmp_path / 'page.png')[..., :3]
    height, width = image.shape[:2]
    for subplot in ['xy', *(f'x{i}y{i}' for i in range(2, 8))]:
        box = panel(opened, subplot).rect
        part = image[int(box['y']):int(box['y'] + box['height']),
                     int(box['x']):int(box['x'] + box['width'])]
        assert part.size and box['y'] + box['height'] < height and box['x'] < width
        colorful = np.ptp(part, axis=-1) > 0.15
        assert colorful.sum() > 50, subplot
