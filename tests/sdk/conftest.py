from __future__ import annotations

from typing import Any

import pytest

from tests.sdk.given import Shop, open_shop


@pytest.fixture
def shop(live_server: Any, settings: Any, sandbox_url: str) -> Shop:
    settings.PUBLIC_BASE_URL = live_server.url
    return open_shop(live_server.url, sandbox_url)
