from tests.sdk.conftest import shop  # noqa: F401  # fixture
from tests.support.api import _fresh_caches  # noqa: F401  # fixture
