"""Addresses of accounts, contacts, and the settings of terms and defaults."""

from __future__ import annotations

from django.urls import path

from counterfoil.accounts.web import views

app_name = "accounts"

urlpatterns = [
    path("accounts/", views.accounts, name="accounts"),
    path("accounts/new/", views.new_account, name="new_account"),
    path("accounts/duplicates/", views.duplicates, name="duplicates"),
    path("accounts/<uuid:account_id>/", views.account, name="account"),
    path("accounts/<uuid:account_id>/change/", views.change_account, name="change_account"),
    path("accounts/<uuid:account_id>/change/<slug:field>/", views.change_field, name="change_field"),
    path("accounts/<uuid:account_id>/contacts/", views.add_role, name="add_role"),
    path("roles/<uuid:role_id>/end/", views.end_role, name="end_role"),
    path("contacts/", views.contacts, name="contacts"),
    path("contacts/new/", views.new_contact, name="new_contact"),
    path("contacts/<uuid:contact_id>/", views.contact, name="contact"),
    path("contacts/<uuid:contact_id>/change/", views.change_contact, name="change_contact"),
    path("contacts/<uuid:contact_id>/leave/", views.replace_leaver, name="replace_leaver"),
    path("settings/terms/", views.list_terms, name="list_terms"),
    path("settings/terms/new/", views.new_terms, name="new_terms"),
    path("settings/terms/<uuid:terms_id>/", views.terms, name="terms"),
    path("settings/defaults/", views.defaults, name="defaults"),
]
