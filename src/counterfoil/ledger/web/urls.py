"""Addresses of our own companies."""

from __future__ import annotations

from django.urls import path

from counterfoil.ledger.web import views

app_name = "ledger"

urlpatterns = [
    path("settings/companies/", views.entities, name="entities"),
    path("settings/companies/new/", views.new_entity, name="new_entity"),
    path("settings/companies/<uuid:entity_id>/", views.entity, name="entity"),
]
