"""The socket on which the product listens. ``up`` opens it and keeps it while web servers come and go."""

from __future__ import annotations

import errno
import socket

from counterfoil.app.cli.ground import Trouble

BACKLOG = 512


def listen(address: str) -> socket.socket:
    """Open the socket of ``host:port``; a taken port is said in plain words."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise Trouble(f"COUNTERFOIL_ADDRESS must be host:port, such as 127.0.0.1:8000; it is “{address}”.")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Trouble(_why(error, host, port)) from None
    return listener


def _why(error: OSError, host: str, port: str) -> str:
    other = "COUNTERFOIL_ADDRESS=127.0.0.1:8001"
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken by another program. Stop that program, or listen elsewhere: {other}"
    if error.errno == errno.EACCES:
        return f"This user may not listen on port {port}. Choose a higher one: {other}"
    return f"Counterfoil cannot listen on {host}:{port}: {error.strerror}. Listen elsewhere: {other}"
