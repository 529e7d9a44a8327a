from tests.support.api import _fresh_caches, api  # noqa: F401  # fixtures
