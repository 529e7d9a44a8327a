"""What anybody can do who knows nothing but our address: no password is tried out here, nothing is kept, nothing costs much."""

from __future__ import annotations

import base64

import pytest
from django.contrib.auth.models import User
from django.test import Client

PASSWORD = "a-long-enough-password"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/schema/", "/api/docs/", "/api/redoc/"])
def test_the_documentation_looks_at_no_password(path: str) -> None:
    User.objects.create_user("aisha", password=PASSWORD, is_staff=True)

    answers = [
        Client().get(path, headers={"Authorization": f"Basic {base64.b64encode(credential.encode()).decode()}"})
        for credential in (f"aisha:{PASSWORD}", "aisha:wrong")
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
