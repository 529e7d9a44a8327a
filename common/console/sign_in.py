"""The form of the console's sign-in page. Failed attempts are kept with the name that was typed, so one that no user can have is refused."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest
from unfold.forms import AuthenticationForm


class SignInForm(AuthenticationForm):
    """Django's own says the length to the browser only."""

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        longest = get_user_model()._meta.get_field("username").max_length
        self.fields["username"].validators.append(MaxLengthValidator(longest))
