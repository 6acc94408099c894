"""The addresses of the API. Loaded when one of them is first asked for, or right after the first page was served."""

from __future__ import annotations

from counterfoil.app.api import api

urlpatterns = api.urls[0]
