from tests.sdk.conftest import shop  # noqa: F401  # fixture
