"""The product as a WSGI application."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

from counterfoil.app.environment import use_settings

use_settings()

application = get_wsgi_application()
