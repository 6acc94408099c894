"""Print the API's OpenAPI document, for ``docs/openapi.json``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from counterfoil.app.api_document import openapi_document


class Command(BaseCommand):
    help = "Print the OpenAPI document of the API."
    requires_system_checks: tuple[str, ...] = ()

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(openapi_document(), ending="")
