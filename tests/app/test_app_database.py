"""How the product speaks to PostgreSQL, whoever runs the server."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.db import connection

ASK = "from counterfoil.app import settings; print(settings.DATABASES['default']['OPTIONS'])"


@pytest.mark.django_db
def test_queries_are_not_compiled() -> None:
    """A query that runs for milliseconds is never compiled for seconds, though PostgreSQL's own default is to do so."""
    with connection.cursor() as cursor:
        assert cursor.execute("SHOW jit").fetchone() == ("off",)


@pytest.mark.parametrize(
    ("more", "options"),
    [
        ("", {"options": "-c jit=off"}),
        ("?options=-c%20jit%3Don", {"options": "-c jit=off -c jit=on"}),
        ("?sslmode=require", {"sslmode": "require", "options": "-c jit=off"}),
    ],
)
def test_what_the_address_asks_for_stands_last(more: str, options: dict[str, str]) -> None:
    """Options in DATABASE_URL are kept, and win."""
    env = {**os.environ, "DATABASE_URL": f"postgres://somebody@localhost/counterfoil{more}"}
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK], env=env, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == str(options)
