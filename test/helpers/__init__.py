"""What several test modules use. An assertion here shows its values as one in a test does."""

from pkgutil import iter_modules

import pytest

pytest.register_assert_rewrite(*(f'{__name__}.{module.name}' for module in iter_modules(__path__)))
