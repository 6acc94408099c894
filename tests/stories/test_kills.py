"""Handoffs while processes are killed at random: in the end, all done once and nothing lost.

``COUNTERFOIL_KILL_HANDOFFS=500`` makes it the long run that a release must pass; the suite runs a short one.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.stories.installation import Installation, Killer

HANDOFFS = int(os.environ.get("COUNTERFOIL_KILL_HANDOFFS", "40"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 + 5 * HANDOFFS)]

PREPARE = """
import json
from datetime import date
from counterfoil.access import commands as access
from counterfoil.access.actors import Actor
from counterfoil.accounts import commands as accounts
from counterfoil.deals import commands as deals
from counterfoil.invoicing import commands as invoicing
from counterfoil.ledger import commands as ledger
from counterfoil.plumbing import clock
actor = Actor.system("Story", "cli")
on = clock.today()
user = access.add_user(actor=actor, values={"email": "boss@firm.example", "name": "Boss", "roles": ["admin"]},
                       password="a long password here")
accounts.install_defaults(actor=actor)
ledger.add_entity(actor=actor, values={"name": "Firm", "legal_name": "Firm GmbH", "country": "DE", "currency": "EUR",
                                       "iban": "DE89370400440532013000", "tax_id": "DE136695976",
                                       "email": "billing@firm.example"})
invoicing.install_defaults(actor=actor)
deals.install_defaults(actor=actor)
account = accounts.add_account(actor=actor, on=on, values={
    "legal_name": "Acme AG", "tax_profile": "standard",
    "addresses": [{"kind": "invoice", "street": "Weg 1", "postcode": "1", "city": "Bonn", "country": "DE"}]})
contact = accounts.add_contact(actor=actor, values={"name": "Ann", "email": "ann@acme.example"}, on=on)
accounts.give_role(actor=actor, account_id=account, contact_id=contact, role="billing", on=on)
ids = [str(deals.add_deal(actor=actor, on=on, values={
    "name": f"Deal {n}", "account": str(account), "currency": "EUR",
    "lines": [{"description": "Work", "quantity": "1", "unit_price": "100.00"}]})) for n in range(COUNT)]
_, secret = access.make_api_key(actor=Actor("user", user, "Boss", frozenset({"admin"}), "cli"),
                                values={"name": "Story", "roles": ["admin"]}, at=clock.now())
print(json.dumps({"deals": ids, "key": secret}))
"""

COUNTED = """
import json
from django.db import connection
from counterfoil.activities.models import Mail, MailAttempt
from counterfoil.deals.models import Handoff
from counterfoil.invoicing.models import Invoice
print(json.dumps({
    "handoffs": Handoff.objects.count(),
    "drafts": Invoice.objects.filter(status="draft").count(),
    "issued": Invoice.objects.filter(status="issued").count(),
    "numbers": sorted(Invoice.objects.values_list("sequence", flat=True)),
    "without_file": Invoice.objects.filter(status="issued", pdf=None).count(),
    "mails": Mail.objects.count(),
    "mails_done": Mail.objects.filter(state="kept").count(),
}))
"""


def test_handoffs_survive_kills_of_everything(tmp_path: Path):
    """Every deal is won, issued and mailed exactly once, with no gap in the numbers, whatever is killed meanwhile."""
    installation = Installation(tmp_path)
    installation.up()
    try:
        prepared = json.loads(installation.python(PREPARE.replace("COUNT", str(HANDOFFS))))
        installation.key = prepared["key"]
        killer = Killer(installation, seed=20_261_124, between=(0.2, 1.2))
        killer.start()

        def hand_over(deal: str) -> None:
            draft = installation.call("POST", f"/deals/{deal}/win", {}, once=f"win-{deal}")["invoice"]
            installation.call("POST", f"/invoices/{draft}/issue", {"send": True}, once=f"issue-{draft}")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(hand_over, prepared["deals"]))
        killer.stop()
        assert killer.kills >= HANDOFFS // 20
        _wait_until_quiet(installation)
        counted = json.loads(installation.python(COUNTED))
        assert counted == {
            "handoffs": HANDOFFS,
            "drafts": 0,
            "issued": HANDOFFS,
            "numbers": list(range(1, HANDOFFS + 1)),
            "without_file": 0,
            "mails": HANDOFFS,
            "mails_done": HANDOFFS,
        }
        verified = installation.run("verify")
        assert verified.returncode == 0, verified.stdout
    finally:
        installation.down()


def _wait_until_quiet(installation: Installation) -> None:
    """Until nothing is due any more: the watchdog has returned the jobs of the dead, and the worker has done them."""
    import time

    # The last kill costs a job a minute at most: to be noticed, to start again, and SOON_SECONDS of waiting. A mail
    # whose job found the connection of the dead one still open waits as long again for its sweep. The rest is for a
    # busy machine, on which all is printed and mailed meanwhile.
    until = time.monotonic() + 2 * 60 + 5 * HANDOFFS
    while time.monotonic() < until:
        counted = json.loads(installation.python(COUNTED))
        if counted["mails_done"] == HANDOFFS and counted["without_file"] == 0:
            return
        time.sleep(3)
    raise AssertionError(f"still not quiet: {counted}")
