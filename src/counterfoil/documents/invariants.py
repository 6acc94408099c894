"""Promises about kept files."""

from __future__ import annotations

from counterfoil.plumbing.invariants import invariant


@invariant("D8", "A kept file's bytes have the size and the hash that were written down with them.")
def files_are_whole() -> str:
    return """
        SELECT id, name FROM documents_storedfile
        WHERE sha256 <> encode(sha256(content), 'hex') OR size <> octet_length(content)
    """
