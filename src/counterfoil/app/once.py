"""``Idempotency-Key``: a request that a client repeats takes effect once and gets the same answer.

Key and effect cannot diverge, because they share one transaction: the command's writes and the row with the stored
answer commit together or not at all. Killed before the commit, neither exists and a repetition starts afresh; killed
after it, a repetition finds the answer. While the first request runs it holds an advisory lock on the key, which dies
with its transaction, so "in flight" needs no row that a crash could leave behind.

A refusal (4xx) and a failure (5xx) roll everything back and store nothing: nothing happened, so a repetition asks
again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from counterfoil.core.errors import Conflict, Refusal
from counterfoil.plumbing.models import IdempotencyKey
from counterfoil.surface.as_json import problem_answer, problem_response

SAFE = ("GET", "HEAD", "OPTIONS")
KEY_LENGTH_MAX = 255
TRIES = 4
_REPEATABLE = {"40001", "40P01", "55P03"}

Run = Callable[..., HttpResponseBase]


def once_only(run: Run) -> Run:
    """Wrap an operation of the API: check what its body is, and honour ``Idempotency-Key`` where something changes."""

    def through(request: HttpRequest, **path: Any) -> HttpResponseBase:
        if request.method in SAFE:
            return run(request, **path)
        is_form = request.content_type == "multipart/form-data"
        if not is_form and request.body and request.content_type != "application/json":
            return problem_response(415, "not_json", "Send the body as application/json.")
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return run(request, **path)
        if not 1 <= len(key) <= KEY_LENGTH_MAX or not key.isascii() or not key.isprintable():
            message = f"An Idempotency-Key has 1 to {KEY_LENGTH_MAX} printable ASCII characters."
            return problem_response(400, "bad_idempotency_key", message)
        return _once(run, request, path, key)

    return through


def _once(run: Run, request: HttpRequest, path: dict[str, Any], key: str) -> HttpResponseBase:
    """A deadlock is tried again here, since the door cannot within an outer transaction."""
    actor = request.actor  # type: ignore[attr-defined]
    owner = f"{actor.kind}:{actor.id}"
    print_of_request = fingerprint(request)
    for attempt in range(TRIES):
        try:
            with transaction.atomic():
                return _locked(run, request, path, owner, key, print_of_request)
        except OperationalError as error:
            state = getattr(error.__cause__, "sqlstate", None)
            if state not in _REPEATABLE or attempt == TRIES - 1:
                raise
            time.sleep(0.02 * 2**attempt)
    raise AssertionError("unreachable")


def _locked(
    run: Run, request: HttpRequest, path: dict[str, Any], owner: str, key: str, print_of_request: str
) -> HttpResponseBase:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"idempotency {owner} {key}"])
        is_ours = cursor.fetchone()[0]
    if not is_ours:
        return problem_answer(
            Conflict("idempotency_key_in_flight", "The first request with this Idempotency-Key still runs.")
        )
    known = IdempotencyKey.objects.filter(owner=owner, key=key).first()
    if known is not None:
        return _known(known, print_of_request)
    response = run(request, **path)
    if response.status_code >= 400:
        transaction.set_rollback(True)
        return response
    assert isinstance(response, HttpResponse)
    IdempotencyKey.objects.create(
        owner=owner,
        key=key,
        fingerprint=print_of_request,
        status=response.status_code,
        body=_kept_body(request, response),
    )
    return response


def _kept_body(request: HttpRequest, response: HttpResponse) -> str:
    """The answer as it is kept. An operation whose answer holds a secret puts ``kept_answer`` without it on the
    request.
    """
    kept = getattr(request, "kept_answer", None)
    return response.content.decode() if kept is None else json.dumps(kept)


def _known(known: IdempotencyKey, print_of_request: str) -> HttpResponse:
    if known.fingerprint != print_of_request:
        return problem_answer(
            Refusal("idempotency_key_reused", "This Idempotency-Key was used for another request. Use a new one.")
        )
    response = HttpResponse(known.body, status=known.status, content_type="application/json")
    response["Idempotent-Replay"] = "true"
    return response


def fingerprint(request: HttpRequest) -> str:
    """What makes two requests the same: method, address and body; of an uploaded form its values and files."""
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    if request.content_type != "multipart/form-data":
        digest.update(request.body)
        return digest.hexdigest()
    for name, values in sorted(request.POST.lists()):
        digest.update(repr((name, values)).encode())
    for name, file in sorted(request.FILES.items()):
        assert isinstance(file, UploadedFile)
        digest.update(repr((name, file.name, file.size)).encode())
        for chunk in file.chunks():
            digest.update(chunk)
        file.seek(0)
    return digest.hexdigest()
