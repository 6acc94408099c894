"""The web server: gunicorn on a socket that is open already, and the static files that it serves."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
from pathlib import Path
from typing import Any

WORKERS = 2
THREADS = 8
REQUEST_SECONDS = 60
GRACE_SECONDS = 10
UNUSED = ["redoc*", "*.js.map"]
"""Static files of packages that no page of ours links to."""


def serve(listener: socket.socket, *, workers: int = WORKERS) -> None:
    """Serve until SIGTERM or SIGINT; requests that have begun are finished first."""
    from django.conf import settings
    from gunicorn.app.base import BaseApplication

    from counterfoil.app.wsgi import application
    from counterfoil.plumbing.processes import die_with_parent

    def in_each_worker(arbiter: Any, worker: Any) -> None:
        die_with_parent(arbiter.pid, signal.SIGTERM)

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            options = {
                "bind": f"fd://{listener.fileno()}",
                "worker_class": "gthread",
                "workers": workers,
                "threads": THREADS,
                "timeout": REQUEST_SECONDS,
                "graceful_timeout": GRACE_SECONDS,
                "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,  # noqa: S108 - never on a disk
                "loglevel": "debug" if settings.DEBUG else "warning",
                "post_fork": in_each_worker,
                "control_socket_disable": True,
                "proc_name": "counterfoil-web",
            }
            for name, value in options.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return application

    Server().run()


def collect_static() -> bool:
    """Copy, hash and compress the static files when any of them changed. Returns whether there was something to do."""
    from django.conf import settings
    from django.contrib.staticfiles.finders import get_finders
    from django.core.management import call_command

    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            status = os.stat(storage.path(path))
            digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    root = Path(settings.STATIC_ROOT)
    stamp = root / ".collected"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return False
    call_command("collectstatic", interactive=False, verbosity=0, clear=root.exists(), ignore_patterns=UNUSED)
    stamp.write_text(digest.hexdigest())
    return True
