"""Every address of the product. A room's ``web/urls.py`` is mounted at the root and holds whole paths
(``accounts/…``).
"""

from __future__ import annotations

from importlib.util import find_spec

from allauth.account import views as allauth_views
from django.urls import URLResolver, include, path
from django.urls.resolvers import RoutePattern

from counterfoil.app.web import views
from counterfoil.plumbing.apps import rooms

API = "counterfoil.app.api_urls"


class Later(URLResolver):
    """Addresses whose module is imported when one of them is asked for: building the API takes as long as all pages.

    It has a namespace, so that the names in it need not be known to reverse any other.
    """

    def _populate(self) -> None:
        if "urlconf_module" in self.__dict__:
            super()._populate()


urlpatterns = [
    path("", views.today, name="today"),
    path("search", views.search, name="search"),
    path("find/<str:key>/", views.find_records, name="find"),
    path("settings/system/", views.system, name="system"),
    path("settings/", views.settings_index, name="settings"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("login/", allauth_views.login, name="account_login"),
    path("login/inactive/", allauth_views.account_inactive, name="account_inactive"),
    path("logout/", allauth_views.logout, name="account_logout"),
    path("api/docs", views.api_docs, name="api_docs"),
    path("api/docs/openapi.json", views.openapi, name="api_docs_openapi"),
    path("api/v1/openapi.json", views.openapi, name="openapi"),
    Later(RoutePattern("api/v1/"), API, app_name="api", namespace="api"),
    *(
        path("", include(f"{room}.web.urls"))
        for room in rooms()
        if find_spec(room + ".web") and find_spec(f"{room}.web.urls")
    ),
]

handler400 = "counterfoil.app.refusals.bad_request"
handler403 = "counterfoil.app.refusals.permission_denied"
handler404 = "counterfoil.app.refusals.page_not_found"
handler500 = "counterfoil.app.refusals.server_error"
