"""Tasks, the timeline and mail on the screen."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from counterfoil.access.projection import Row
from counterfoil.access.queries import people
from counterfoil.access.requests import Request
from counterfoil.activities import commands, queries
from counterfoil.activities.record_types import MAIL, TASK
from counterfoil.core.errors import NotFound, Refusal
from counterfoil.core.ids import parse_id
from counterfoil.documents.queries import file_content
from counterfoil.plumbing import clock
from counterfoil.plumbing.record_types import record_type
from counterfoil.surface import display, export
from counterfoil.surface.forms import record_form, values_from, version_from
from counterfoil.surface.htmx import go, is_htmx, page, reload, say, with_toasts
from counterfoil.surface.lists import Empty, Listing, text

NEW_TASK = ("title", "due_on", "assignee", "account", "detail")
CHANGE_TASK = ("title", "due_on", "assignee", "detail")
READ_OR_SAVE = ["GET", "HEAD", "POST"]
WHOSE = (("mine", "Mine"), ("all", "Everybody’s"), ("done", "Done"))

# Tasks ---------------------------------------------------------------------------------------------------------------


@require_GET
def tasks(request: Request) -> HttpResponseBase:
    """Open tasks, one's own or everybody's, those that are due first; or those that were closed last."""
    which = request.GET.get("whose", "mine")
    which = which if which in dict(WHOSE) else "mine"
    may_change = request.actor.may("activities.change")
    listing = Listing(
        TASK,
        request.GET,
        columns=["title", "record_title", "account", "kind", "due_on", "assignee", "amount", "done_at", "outcome"],
        filters=["kind", "due_on"] if which == "mine" else ["kind", "assignee", "due_on"],
        sorts=["due_on", "created_at", "title"],
        sort="due_on",
        options={"assignee": people(request.actor)},
        empty=_no_tasks(which, may_change),
    )
    found = queries.list_tasks(
        request.actor,
        text=listing.text,
        filters=listing.filters,
        sort=listing.sort,
        mine=which == "mine",
        done=which == "done",
        offset=listing.offset,
        limit=listing.limit,
    )
    if listing.export:
        return export.response(listing, found.rows, "tasks")
    context = {
        "listing": listing.filled(found.rows, count=found.count),
        "results": "activities/task_rows.html",
        "which": which,
        "tabs": [(name, label, reverse("activities:tasks") + f"?whose={name}") for name, label in WHOSE],
        "may_change": may_change,
        "today": clock.today(),
    }
    return page(request, "activities/tasks.html", context)


def _no_tasks(which: str, may_change: bool) -> Empty:
    if which == "done":
        return Empty("Nothing was closed yet", "A closed task says who closed it and what came of it.", icon="check")
    hint = "The product opens them itself when a payment fails, a mail bounces or a draft is returned."
    title = "Nothing waits for you" if which == "mine" else "Nothing waits for anybody"
    action = "New task" if may_change else ""
    return Empty(
        title, f"Tasks come from colleagues too. {hint}", action, reverse("activities:new_task"), "list-checks"
    )


@require_http_methods(READ_OR_SAVE)
def new_task(request: Request) -> HttpResponse:
    """Write down something to do; ``?account=`` or ``?record=<kind>&id=`` say what it is about."""
    about = {name: request.GET[name][:200] for name in ("record_key", "record_id", "account") if name in request.GET}
    title = queries.check_visible(request.actor, about["record_key"], parse_id(about.get("record_id"))) if (
        "record_key" in about
    ) else ""  # fmt: skip
    fields = [name for name in NEW_TASK if name != "account" or not title]
    values: dict[str, Any] = {**about, "assignee": request.actor.id, "kind": "to_do"}
    if "account" in about and not title:
        values["account_title"] = queries.check_visible(request.actor, "accounts.account", parse_id(about["account"]))
    options = {"assignee": people(request.actor)}
    form = record_form(TASK, values=values, only=fields, writable=request.actor.writes, options=options)
    status = 200
    if request.method == "POST":
        typed = values_from(request.POST, TASK, only=fields)
        given = {**typed, **{name: about[name] for name in ("record_key", "record_id") if title}}
        try:
            task_id = commands.add_task(actor=request.actor, values=given)
            say(request, "The task is open.")
            return go(request, reverse("activities:task", args=[task_id]))
        except Refusal as refusal:
            status = refusal.status
            form = record_form(
                TASK, values=values, typed=typed, only=fields, problems=refusal, writable=request.actor.writes,
                options=options,
            )  # fmt: skip
    context = {"form": form, "about_title": title, "action": request.get_full_path()}
    return page(request, "activities/new_task.html", context, status=status)


@require_http_methods(READ_OR_SAVE)
def task(request: Request, task_id: UUID) -> HttpResponse:
    """One task: what it is about, what came of it, and its form while it is open."""
    row = queries.get_task(request.actor, task_id)
    may_change = request.actor.may("activities.change") and row.state == "open"
    options = {"assignee": people(request.actor)}
    form = record_form(TASK, values=row, only=CHANGE_TASK, writable=request.actor.writes, options=options)
    status = 200
    if request.method == "POST":
        typed = values_from(request.POST, TASK, only=CHANGE_TASK)
        try:
            commands.change_task(actor=request.actor, task_id=task_id, values=typed, version=version_from(request.POST))
            say(request, "Saved.")
            return go(request, reverse("activities:task", args=[task_id]))
        except Refusal as refusal:
            status = refusal.status
            form = record_form(
                TASK, values=row, typed=typed, only=CHANGE_TASK, problems=refusal, writable=request.actor.writes,
                options=options,
            )  # fmt: skip
    context = {"task": row, "form": form, "may_change": may_change, "about": _about(row), "today": clock.today()}
    return page(request, "activities/task.html", context, status=status)


def _about(row: Row) -> str:
    """The address of the record that a task or mail is about, if the actor may open it."""
    return _address(row.record_page, row.about_id)


def _address(name: str, record_id: UUID | None) -> str:
    if not name or not record_id:
        return ""
    try:
        return reverse(name, args=[record_id])
    except NoReverseMatch:
        return ""


@require_POST
def finish(request: Request, task_id: UUID) -> HttpResponse:
    """Close a task. In a list its row stays, struck, so that the keyboard does not lose its place."""
    outcome = request.POST.get("outcome", "").strip()
    commands.finish_tasks(actor=request.actor, task_ids=[task_id], outcome=outcome, at=clock.now())
    undo = reverse("activities:reopen", args=[task_id])
    if is_htmx(request):
        say(request, "Done.", undo=undo)
        return _one_row(request, task_id)
    say(request, "Done.", undo=undo)
    return go(request, reverse("activities:tasks"))


def _one_row(request: Request, task_id: UUID) -> HttpResponse:
    context = {"row": queries.get_task(request.actor, task_id), "may_change": True, "today": clock.today()}
    return with_toasts(request, page(request, "activities/task_row.html", context))


@require_POST
def reopen(request: Request, task_id: UUID) -> HttpResponse:
    commands.reopen_task(actor=request.actor, task_id=task_id)
    if request.headers.get("HX-Target", "").startswith("task-row-"):
        return _one_row(request, task_id)
    say(request, "The task is open again.")
    return reload(request)


@require_GET
def account_tasks(request: Request, account_id: UUID) -> HttpResponse:
    """The panel of an account: its open tasks."""
    if not is_htmx(request):
        return _to_record("accounts.account", account_id)
    context = {
        "tasks": queries.tasks_of(request.actor, account_id),
        "may_change": request.actor.may("activities.change"),
        "account_id": account_id,
        "today": clock.today(),
    }
    return page(request, "activities/account_tasks.html", context)


def _to_record(record_key: str, record_id: UUID) -> HttpResponse:
    """A panel that was opened by itself leads to the record that it is a part of."""
    return HttpResponseRedirect(_address(record_type(record_key).page, record_id) or "/")


# The timeline --------------------------------------------------------------------------------------------------------


@require_http_methods(READ_OR_SAVE)
def timeline(request: Request, record_key: str, record_id: UUID) -> HttpResponse:
    """What happened to a record, with a place to write a note: a part of that record's page."""
    queries.check_visible(request.actor, record_key, record_id)
    problems: tuple[Any, ...] = ()
    status = 200
    if request.method == "POST":
        try:
            values = values_from(request.POST, "activities.note", only=["text"])
            commands.write_note(actor=request.actor, record_key=record_key, record_id=record_id, values=values)
        except Refusal as refusal:
            problems, status = refusal.problems, refusal.status
    if not is_htmx(request):
        return _to_record(record_key, record_id)
    kind = request.GET.get("kind", "")
    cursor = request.GET.get("cursor")
    told = queries.timeline(
        request.actor,
        [record_id],
        kinds=[kind] if kind else None,
        cursor=parse_id(cursor) if cursor else None,
        language=display.language(),
    )
    context = {
        "entries": [
            (one, "" if one.record_id == record_id else _address(one.page, one.record_id)) for one in told.entries
        ],
        "topics": told.topics,
        "next_cursor": told.next_cursor,
        "kind": kind,
        "url": reverse("activities:timeline", args=[record_key, record_id]),
        "may_write": request.actor.may("activities.change"),
        "problems": problems,
        "typed": request.POST.get("text", "") if problems else "",
        "is_more": bool(cursor),
    }
    return page(request, "activities/timeline.html", context, status=status)


@require_GET
def account_timeline(request: Request, account_id: UUID) -> HttpResponse:
    return timeline(request, "accounts.account", account_id)


# Mail ----------------------------------------------------------------------------------------------------------------


@require_GET
def mail(request: Request) -> HttpResponseBase:
    """All mail that left the house, waits, failed, or is kept because there is no server."""
    listing = Listing(
        MAIL,
        request.GET,
        columns=["subject", "to", "account_title", "state", "created_at", "attempts", "last_error"],
        filters=["state", "created_at"],
        sorts=["created_at"],
        extra=[text("to", "To"), text("account_title", "Account")],
        sort="-created_at",
        empty=Empty("No mail yet", "Invoices that are sent stand here, with what became of them.", icon="mail"),
    )
    found = queries.list_mail(
        request.actor,
        text=listing.text,
        filters=listing.filters,
        sort=listing.sort,
        offset=listing.offset,
        limit=listing.limit,
    )
    if listing.export:
        return export.response(listing, found.rows, "mail")
    states = listing.filters.get("state", [])
    waiting = queries.mail_kept(request.actor)
    tabs = [
        (
            label,
            count,
            reverse("activities:mail") + (f"?state={state}" if state else ""),
            states == [state] * bool(state),
        )
        for label, state, count in (
            ("All", "", 0),
            ("Waiting", "queued", waiting.get("queued", 0)),
            ("Kept here", "kept", waiting.get("kept", 0)),
            ("Failed", "failed", waiting.get("failed", 0)),
        )
    ]
    context = {"listing": listing.filled(found.rows, count=found.count), "tabs": tabs, "kept": waiting.get("kept", 0)}
    return page(request, "activities/mail.html", context)


@require_GET
def one_mail(request: Request, mail_id: UUID) -> HttpResponse:
    """One mail as it was written, to whom, and what became of it."""
    row = queries.get_mail(request.actor, mail_id)
    may_retry = request.actor.may("activities.change") and any(
        one["state"] in ("failed", "kept", "queued") for one in row.recipients
    )
    context = {"mail": row, "about": _about(row), "may_retry": may_retry}
    return page(request, "activities/one_mail.html", context)


@require_POST
def retry(request: Request, mail_id: UUID) -> HttpResponse:
    commands.retry_mail(actor=request.actor, mail_id=mail_id, at=clock.now())
    say(request, "The mail is tried again now.")
    return go(request, reverse("activities:one_mail", args=[mail_id]))


@require_GET
def mail_file(request: Request, mail_id: UUID, file_id: UUID) -> HttpResponse:
    """An attachment of a mail, as a download."""
    row = queries.get_mail(request.actor, mail_id)
    if all(file["id"] != file_id for file in row.attachments):
        raise NotFound()
    file = file_content(request.actor, file_id)
    response = HttpResponse(file.content, content_type=file.media_type)
    response.headers["Content-Disposition"] = content_disposition_header(True, file.name) or "attachment"
    return response
