"""Tasks, the timeline and mail on the screen."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.urls import NoReverseMatch, reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from counterfoil.access.requests import Request
from counterfoil.activities import commands, queries
from counterfoil.activities.timeline import timeline as happened
from counterfoil.core.errors import NotFound, Refusal
from counterfoil.core.ids import parse_id
from counterfoil.documents.queries import file_content
from counterfoil.plumbing import clock
from counterfoil.plumbing.record_types import BadValue, clean_value, record_type
from counterfoil.surface import export
from counterfoil.surface.forms import record_form, values_from, version_from
from counterfoil.surface.htmx import go, page, say
from counterfoil.surface.lists import Bulk, Empty, Listing, text

TASK, MAIL = "activities.task", "activities.mail"
NEW_TASK = ("title", "detail", "due_on", "assignee", "account")
CHANGE_TASK = ("title", "detail", "due_on", "assignee")
READ_OR_SAVE = ["GET", "HEAD", "POST"]


@require_GET
def tasks(request: Request) -> HttpResponseBase:
    """Open tasks, mine or everybody's; those that are due first. ``?done=1`` shows closed ones."""
    done, mine = "done" in request.GET, "mine" in request.GET
    may_change = request.actor.may("activities.change")
    listing = Listing(
        TASK,
        request.GET,
        columns=["title", "kind", "due_on", "assignee", "amount", "created_at"],
        filters=["kind", "assignee"],
        sorts=["due_on", "created_at", "title"],
        extra=[text("record_title", "About")],
        sort="due_on",
        bulk=[Bulk("Done", reverse("activities:finish_many"), keys="d")] if may_change and not done else [],
        empty=Empty(
            "Nothing to do",
            "Tasks come from failed payments, returned drafts and from colleagues.",
            "New task" if may_change else "",
            reverse("activities:new_task"),
            "list-checks",
        ),
    )
    found = queries.list_tasks(
        request.actor,
        text=listing.text,
        filters=listing.filters,
        sort=listing.sort,
        mine=mine,
        done=done,
        offset=listing.offset,
        limit=listing.limit,
    )
    if listing.export:
        return export.response(listing, found.rows, "tasks")
    context = {"listing": listing.filled(found.rows, count=found.count), "done": done, "mine": mine}
    return page(request, "activities/tasks.html", context)


@require_http_methods(READ_OR_SAVE)
def new_task(request: Request) -> HttpResponse:
    form = record_form(TASK, only=NEW_TASK, writable=request.actor.writes)
    status = 200
    if request.method == "POST":
        typed = values_from(request.POST, TASK, only=NEW_TASK)
        try:
            account, assignee = typed.get("account"), typed.get("assignee")
            due = typed.get("due_on")
            task_id = commands.open_task(
                actor=request.actor,
                title=str(typed.get("title") or ""),
                detail=str(typed.get("detail") or ""),
                due_on=_day(due),
                assignee_id=parse_id(assignee) if assignee else None,
                account_id=parse_id(account) if account else None,
            )
            say(request, "The task is open.")
            return go(request, reverse("activities:task", args=[task_id]))
        except Refusal as refusal:
            status = refusal.status
            form = record_form(TASK, typed=typed, only=NEW_TASK, problems=refusal, writable=request.actor.writes)
    return page(request, "activities/new_task.html", {"form": form}, status=status)


def _day(raw: Any) -> date | None:
    """The day that was typed, by the description of the field."""
    try:
        found: date | None = clean_value(record_type(TASK).by_id["due_on"], raw)
    except BadValue as bad:
        raise Refusal(bad.code, bad.message, "due_on") from None
    return found


@require_http_methods(READ_OR_SAVE)
def task(request: Request, task_id: UUID) -> HttpResponse:
    """One task: what it is about, and its form while it is open."""
    row = queries.get_task(request.actor, task_id)
    may_change = request.actor.may("activities.change") and row.state == "open"
    form = record_form(TASK, values=row, only=CHANGE_TASK, writable=request.actor.writes if may_change else frozenset())
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
                TASK, values=row, typed=typed, only=CHANGE_TASK, problems=refusal, writable=request.actor.writes
            )
    context = {"task": row, "form": form, "may_change": may_change, "about": _about(row)}
    return page(request, "activities/task.html", context, status=status)


def _about(row: Any) -> str:
    """The address of the record that a task or mail is about, if the actor may open it."""
    name, record_id = getattr(row, "record_page", ""), getattr(row, "about_id", None)
    if not name or not record_id:
        return ""
    try:
        return reverse(name, args=[record_id])
    except NoReverseMatch:
        return ""


@require_POST
def finish(request: Request, task_id: UUID) -> HttpResponse:
    commands.finish_tasks(
        actor=request.actor, task_ids=[task_id], outcome=request.POST.get("outcome", ""), at=clock.now()
    )
    say(request, "Done.", undo=reverse("activities:reopen", args=[task_id]))
    return go(request, reverse("activities:tasks"))


@require_POST
def finish_many(request: Request) -> HttpResponse:
    ids = [parse_id(value) for value in request.POST.getlist("ids")]
    count = commands.finish_tasks(actor=request.actor, task_ids=ids, at=clock.now())
    say(request, f"{count} task{'' if count == 1 else 's'} done.")
    return go(request, reverse("activities:tasks"))


@require_POST
def reopen(request: Request, task_id: UUID) -> HttpResponse:
    commands.reopen_task(actor=request.actor, task_id=task_id)
    return go(request, reverse("activities:task", args=[task_id]))


@require_http_methods(READ_OR_SAVE)
def timeline(request: Request, record_key: str, record_id: UUID) -> HttpResponse:
    """What happened to a record, with a place to write a note."""
    queries.check_visible(request.actor, record_key, record_id)
    problems: tuple[Any, ...] = ()
    status = 200
    if request.method == "POST":
        try:
            commands.write_note(
                actor=request.actor, record_key=record_key, record_id=record_id,
                values={"text": request.POST.get("text", "")},
            )  # fmt: skip
        except Refusal as refusal:
            problems, status = refusal.problems, refusal.status
    kinds = request.GET.getlist("kind") or None
    cursor = request.GET.get("cursor")
    shown = happened(
        request.actor, [record_id], kinds=kinds, cursor=parse_id(cursor) if cursor else None,
        language=getattr(request.user, "language", "en"),
    )  # fmt: skip
    context = {
        "timeline": shown,
        "kinds": kinds or [],
        "url": reverse("activities:timeline", args=[record_key, record_id]),
        "may_write": request.actor.may("activities.change"),
        "problems": problems,
        "is_more": bool(cursor),
    }
    return page(request, "activities/timeline.html", context, status=status)


@require_GET
def account_timeline(request: Request, account_id: UUID) -> HttpResponse:
    return timeline(request, "accounts.account", account_id)


@require_GET
def account_tasks(request: Request, account_id: UUID) -> HttpResponse:
    rows = queries.tasks_of(request.actor, account_id)
    return page(request, "activities/account_tasks.html", {"tasks": rows})


@require_GET
def mail(request: Request) -> HttpResponseBase:
    """All mail that left the house, waits, failed, or is kept because there is no server."""
    listing = Listing(
        MAIL,
        request.GET,
        columns=["subject", "state", "created_at", "sent_at", "attempts", "last_error"],
        filters=["state", "created_at"],
        sorts=["created_at"],
        extra=[text("to", "To"), text("account_title", "Account")],
        sort="-created_at",
        empty=Empty("No mail yet", "Invoices that are sent are listed here, with what became of them.", icon="mail"),
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
    return page(request, "activities/mail.html", {"listing": listing.filled(found.rows, count=found.count)})


@require_GET
def one_mail(request: Request, mail_id: UUID) -> HttpResponse:
    row = queries.get_mail(request.actor, mail_id)
    may_retry = request.actor.may("activities.change") and row.state in ("failed", "kept", "queued")
    return page(request, "activities/one_mail.html", {"mail": row, "about": _about(row), "may_retry": may_retry})


@require_POST
def retry(request: Request, mail_id: UUID) -> HttpResponse:
    commands.retry_mail(actor=request.actor, mail_id=mail_id, at=clock.now())
    say(request, "The mail will be tried again now.")
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
