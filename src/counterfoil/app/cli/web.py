"""The web server: gunicorn on a socket that is open already."""

from __future__ import annotations

import os
import signal
import socket
from functools import cache
from importlib import import_module
from threading import Thread
from typing import Any

WORKERS = 2
THREADS = 8
REQUEST_SECONDS = 60
GRACE_SECONDS = 10


def serve(listener: socket.socket, *, workers: int = WORKERS) -> None:
    """Serve until SIGTERM or SIGINT; requests that have begun are finished first."""
    from django.conf import settings
    from gunicorn.app.base import BaseApplication

    from counterfoil.app.logs import leave_out_secrets
    from counterfoil.app.wsgi import application
    from counterfoil.plumbing.processes import die_with_parent

    def in_each_worker(arbiter: Any, worker: Any) -> None:
        die_with_parent(arbiter.pid, signal.SIGTERM)
        leave_out_secrets(worker.log.error_log, worker.log.access_log)

    def after_a_request(worker: Any, request: Any, environ: Any, response: Any) -> None:
        load_the_api()

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
                "post_request": after_a_request,
                "control_socket_disable": True,
                "proc_name": "counterfoil-web",
            }
            for name, value in options.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return application

    Server().run()


@cache
def load_the_api() -> None:
    """Begin to load the API, once, beside whatever else goes on: the first page does not wait for it."""
    from counterfoil.app.urls import API

    Thread(target=import_module, args=[API], name="loading the API", daemon=True).start()
