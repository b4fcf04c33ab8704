from glob import glob

from setuptools import find_packages, setup

package_name = 'lstm_predictor'
share = f'share/{package_name}'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(include=[package_name, f'{package_name}.*']),
    package_data={f'{package_name}.simulation': ['*.xml']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package_name}']),
        (share, ['package.xml']),
        (f'{share}/launch', glob('launch/*.launch.py')),
        (f'{share}/config', [file for kind in ('yaml', 'xml', 'json')
                             for file in glob(f'config/*.{kind}')]),
        (f'{share}/config/rviz', glob('config/rviz/*.rviz')),
        (f'{share}/config/robots', glob('config/robots/*.yaml')),
        (f'{share}/config/worlds', glob('config/worlds/*.sdf')),
        (f'{share}/models', glob('models/*')),
    ],
    python_requires='>=3.10',
    install_requires=['setuptools'],
    # `tests_require` is ignored by new setuptools, and colcon then runs no test at all.
    extras_require={'test': ['pytest', 'pytest-timeout', 'hypothesis', 'selenium']},
    zip_safe=False,
    maintainer='lstm_predictor maintainers',
    maintainer_email='maintainers@lstm-predictor.invalid',
    description='Predicts the path of a mobile robot, and corrects its velocity command.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'predictor = lstm_predictor.entry_points:predictor',
            'replanner = lstm_predictor.entry_points:replanner',
            'command_guard = lstm_predictor.entry_points:command_guard',
            'slow_link = lstm_predictor.entry_points:slow_link',
            'sim = lstm_predictor.entry_points:sim',
            'demo = lstm_predictor.entry_points:demo',
            'replay = lstm_predictor.entry_points:replay',
            'train = lstm_predictor.entry_points:train',
            'evaluate = lstm_predictor.entry_points:evaluate',
            'view = lstm_predictor.entry_points:view',
            'closed-loop = lstm_predictor.entry_points:closed_loop',
        ],
    },
)
