"""Moving, losing and reopening deals."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import check, command
from counterfoil.core.errors import Conflict, Refusal
from counterfoil.deals.commands.locking import locked_deal, refuse_when_handed_over
from counterfoil.deals.events import DealLost, DealMoved, DealReopened
from counterfoil.deals.models import Deal, Stage, StageKind
from counterfoil.plumbing.outbox import emit

REASON_LENGTH = 300


@command("deals.move_deal", needs="deals.change")
def move_deal(
    *,
    actor: Actor,
    deal_id: UUID,
    stage_id: UUID,
    on: date,
    version: int | None = None,
    since: date | None = None,
) -> None:
    """Move an open deal to another open stage, of another pipeline too. Won and lost have commands of their own.

    ``since`` is the day since when it is there, for a move that is noted later or taken back; never after ``on``.
    """
    deal = locked_deal(deal_id, version)
    stage = _stage(stage_id)
    check(stage.kind != StageKind.WON, "use_win", "Mark the deal won: that hands it over to billing.", "stage")
    check(stage.kind != StageKind.LOST, "use_lose", "Mark the deal lost and give the reason.", "stage")
    check(since is None or since <= on, "in_the_future", "A deal cannot have moved on a day to come.", "since")
    if deal.status != StageKind.OPEN:
        raise Conflict("closed", f"This deal is {deal.status}. Open it again first.", "stage")
    if deal.stage_id == stage.pk:
        return
    _put(deal, stage, since or on)
    deal.save()
    emit(DealMoved(deal_id=deal.pk, account_id=deal.account_id, title=deal.name, stage=stage.name))


@command("deals.lose_deal", needs="deals.change")
def lose_deal(*, actor: Actor, deal_id: UUID, reason: str, on: date, version: int | None = None) -> None:
    """Mark an open deal lost, with the reason. Losing it again changes nothing; a won one is opened again first."""
    reason = " ".join(str(reason).split())
    check(bool(reason), "missing", "Say why the deal was lost.", "reason")
    check(
        len(reason) <= REASON_LENGTH, "too_long", f"The reason can have at most {REASON_LENGTH} characters.", "reason"
    )
    check(reason.isprintable(), "control_character", "The reason holds a character that cannot be printed.", "reason")
    deal = locked_deal(deal_id, version)
    if deal.status == StageKind.LOST:
        return
    if deal.status == StageKind.WON:
        raise Conflict("closed", "This deal is won. Open it again first.")
    stage = Stage.objects.filter(pipeline_id=deal.pipeline_id, kind=StageKind.LOST).first()
    _put(deal, stage or deal.stage, on)
    deal.status = StageKind.LOST
    deal.closed_on = on
    deal.lost_reason = reason
    deal.save()
    emit(DealLost(deal_id=deal.pk, account_id=deal.account_id, title=deal.name, reason=reason))


@command("deals.reopen_deal", needs="deals.change")
def reopen_deal(
    *, actor: Actor, deal_id: UUID, on: date, stage_id: UUID | None = None, version: int | None = None
) -> None:
    """Open a won or lost deal again, in the given open stage or the last one of its pipeline.

    Refused while billing holds a draft or an invoice of it. Opening an open deal changes nothing.
    """
    deal = locked_deal(deal_id, version)
    if deal.status == StageKind.OPEN:
        return
    if not deal.is_imported or deal.handoffs.exists():
        refuse_when_handed_over(deal, "it cannot be opened again")
    if stage_id is not None:
        stage = _stage(stage_id)
        check(stage.kind == StageKind.OPEN, "not_open", "A deal is opened again in an open stage.", "stage")
    else:
        last = Stage.objects.filter(pipeline_id=deal.pipeline_id, kind=StageKind.OPEN).order_by("-position").first()
        if last is None:
            raise Refusal("no_stage", "This pipeline has no open stage.", "stage")
        stage = last
    _put(deal, stage, on)
    deal.status = StageKind.OPEN
    deal.closed_on = None
    deal.lost_reason = ""
    deal.save()
    emit(DealReopened(deal_id=deal.pk, account_id=deal.account_id, title=deal.name))


def _stage(stage_id: UUID) -> Stage:
    found = Stage.objects.filter(pk=stage_id).first()
    if found is None:
        raise Refusal("no_such_record", "Stage: there is no such record.", "stage")
    return found


def _put(deal: Deal, stage: Stage, since: date) -> None:
    deal.stage = stage
    deal.pipeline_id = stage.pipeline_id
    deal.stage_since = since
    deal.version += 1
