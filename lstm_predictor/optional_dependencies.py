"""Packages that may be missing, and how to install them."""

# Import name to the name by which pip knows it.
_PACKAGES = {
    'torch': 'torch', 'mujoco': 'mujoco', 'rosbags': 'rosbags', 'plotly': 'plotly',
    'pytorch_lightning': 'pytorch-lightning', 'matplotlib': 'matplotlib', 'scipy': 'scipy',
    'tqdm': 'tqdm', 'yaml': 'pyyaml'}


def missing(error: ModuleNotFoundError, what: str) -> str:
    """
    Return in one sentence what needs the package that was not found, and how to get it.

    Raise the error again where it is none of those that may be missing.
    """
    name = (error.name or '').partition('.')[0]
    if name not in _PACKAGES:
        raise error
    return f'{what} needs {name}, which is not installed: pip install {_PACKAGES[name]} ' \
           f'(--break-system-packages where the system manages Python)'
