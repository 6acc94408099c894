"""Addresses of accounts, contacts, and the settings of terms and defaults."""

from __future__ import annotations

from django.urls import path

from counterfoil.accounts.web.views import accounts, contacts, terms

app_name = "accounts"

urlpatterns = [
    path("accounts/", accounts.accounts, name="accounts"),
    path("accounts/new/", accounts.new_account, name="new_account"),
    path("accounts/duplicates/", accounts.duplicates, name="duplicates"),
    path("accounts/<uuid:account_id>/", accounts.account, name="account"),
    path("accounts/<uuid:account_id>/similar/", accounts.similar, name="similar"),
    path("accounts/<uuid:account_id>/change/", accounts.change_account, name="change_account"),
    path("accounts/<uuid:account_id>/change/<slug:field>/", accounts.change_field, name="change_field"),
    path("accounts/<uuid:account_id>/part/<slug:part>/", accounts.change_part, name="change_part"),
    path("accounts/<uuid:account_id>/contacts/", contacts.add_role, name="add_role"),
    path("roles/<uuid:role_id>/end/", contacts.end_role, name="end_role"),
    path("roles/<uuid:role_id>/line/", contacts.change_role, name="change_role"),
    path("contacts/", contacts.contacts, name="contacts"),
    path("contacts/new/", contacts.new_contact, name="new_contact"),
    path("contacts/<uuid:contact_id>/", contacts.contact, name="contact"),
    path("contacts/<uuid:contact_id>/change/<slug:field>/", contacts.change_contact_field, name="change_contact_field"),
    path("contacts/<uuid:contact_id>/leave/", contacts.replace_leaver, name="replace_leaver"),
    path("contacts/<uuid:contact_id>/return/", contacts.reinstate_contact, name="reinstate_contact"),
    path("settings/terms/", terms.list_terms, name="list_terms"),
    path("settings/terms/new/", terms.new_terms, name="new_terms"),
    path("settings/terms/<uuid:terms_id>/", terms.terms, name="terms"),
    path("settings/defaults/", terms.defaults, name="defaults"),
]
