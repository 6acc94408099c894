"""What the environment says, read once into one frozen object. Nothing else reads ``os.environ``."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_DATA_FOLDER = "data"


@dataclass(frozen=True)
class Environment:
    """The installation's settings.

    ``data_folder`` holds the embedded PostgreSQL and the secret key when none is given.
    """

    data_folder: Path
    database_url: str
    email_url: str
    secret_key: str
    address: str
    debug: bool
    demo: bool
    behind_https: bool
    allowed_hosts: tuple[str, ...]
    real_data: Path

    @property
    def is_embedded(self) -> bool:
        """Whether the product starts its own PostgreSQL."""
        return not self.database_url


def present() -> Environment:
    """The environment of this process."""
    return read_environment(os.environ)


def use_settings() -> None:
    """Tell Django which settings to use, for programs that Django does not start itself."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "counterfoil.app.settings")


def _flag(values: Mapping[str, str], name: str) -> bool:
    return values.get(name, "").strip().lower() in ("1", "true", "yes", "on")


def _secret_key(values: Mapping[str, str], folder: Path) -> str:
    """The key from ``SECRET_KEY``, else one made once and kept in the data folder, readable by its owner only."""
    given = values.get("SECRET_KEY", "")
    if given:
        return given
    path = folder / "secret-key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text().strip()
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(50))
    return path.read_text().strip()


def read_environment(values: Mapping[str, str]) -> Environment:
    """The environment as settings; every name is explained in ``docs/operating.md``."""
    folder = Path(values.get("COUNTERFOIL_DATA", DEFAULT_DATA_FOLDER)).absolute()
    address = values.get("COUNTERFOIL_ADDRESS", "127.0.0.1:8000")
    hosts = tuple(host.strip() for host in values.get("COUNTERFOIL_HOSTS", "").split(",") if host.strip())
    return Environment(
        data_folder=folder,
        database_url=values.get("DATABASE_URL", ""),
        email_url=values.get("EMAIL_URL", ""),
        secret_key=_secret_key(values, folder),
        address=address,
        debug=_flag(values, "COUNTERFOIL_DEBUG"),
        demo=_flag(values, "COUNTERFOIL_DEMO"),
        behind_https=_flag(values, "COUNTERFOIL_HTTPS"),
        allowed_hosts=hosts or ("127.0.0.1", "localhost", "[::1]", "testserver"),
        real_data=Path(values.get("COUNTERFOIL_REAL_DATA", "../shared/data")),
    )
