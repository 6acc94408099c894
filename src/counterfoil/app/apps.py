"""The edge as a Django application."""

from __future__ import annotations

from django.apps import AppConfig


class EdgeConfig(AppConfig):
    name = "counterfoil.app"
    label = "app"
