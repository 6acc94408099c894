"""The lines of the log, without the secrets of links that open a page without logging in."""

from __future__ import annotations

import logging
import re

_SECRET = re.compile(
    r"""(burn-down/+|password/+[0-9a-f-]{36}/+)[^/\s?#"']+"""  # of the addresses that there are
    r"|(?<=/)[\w-]{43}(?![\w-])",  # of one that was mistyped
    re.IGNORECASE,
)


class WithoutSecrets(logging.Formatter):
    """Writes ``/burn-down/…/`` for the address of a link, also in what an error says."""

    def format(self, record: logging.LogRecord) -> str:
        return _SECRET.sub(lambda found: f"{found[1] or ''}…", super().format(record))


def leave_out_secrets(*logs: logging.Logger) -> None:
    """Let what writes these logs, which are set up elsewhere, leave the secrets out."""
    for log in logs:
        for handler in log.handlers:
            written = handler.formatter or logging.Formatter()
            handler.setFormatter(WithoutSecrets(written._fmt, written.datefmt))
