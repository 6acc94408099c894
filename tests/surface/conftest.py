"""The gallery's own addresses, templates and record type."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from surface_gallery import records

from counterfoil.plumbing import record_types


@pytest.fixture
def slips() -> Iterator[str]:
    """The invented record type, registered for one test."""
    record_types.register(records.described())
    yield records.KEY
    del record_types._types[records.KEY]


@pytest.fixture
def gallery(settings: Any, slips: str) -> str:
    """Pages of the gallery instead of the product's."""
    templates = deepcopy(django_settings.TEMPLATES)
    templates[0]["DIRS"] = [*templates[0]["DIRS"], str(Path(__file__).parent / "surface_gallery" / "templates")]
    templates[0]["OPTIONS"]["context_processors"][-1] = "surface_gallery.frame.frame"
    settings.TEMPLATES = templates
    settings.ROOT_URLCONF = "surface_gallery.views"
    settings.MIDDLEWARE = [
        "surface_gallery.middleware.Policy",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ]
    settings.MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    return "gallery"
