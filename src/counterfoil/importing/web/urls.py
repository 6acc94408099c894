"""Addresses of the import wizard."""

from __future__ import annotations

from django.urls import path

from counterfoil.importing.web import views

app_name = "importing"

urlpatterns = [
    path("import/", views.batches, name="batches"),
    path("import/<uuid:batch_id>/", views.batch, name="batch"),
    path("import/<uuid:batch_id>/columns/", views.columns, name="columns"),
    path("import/<uuid:batch_id>/values/", views.values, name="values"),
    path("import/<uuid:batch_id>/load/", views.load, name="load"),
    path("import/<uuid:batch_id>/undo/", views.undo, name="undo"),
    path("import/<uuid:batch_id>/discard/", views.discard, name="discard"),
    path("import/<uuid:batch_id>/errors.csv", views.errors, name="errors"),
]
