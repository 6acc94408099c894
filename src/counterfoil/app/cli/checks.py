"""``counterfoil verify`` and ``counterfoil doctor``: are the data right, and is the installation."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from counterfoil.app.cli.ground import Trouble, complain, say, the_product

if TYPE_CHECKING:
    from counterfoil.app.cli.ground import Commands


def register(commands: Commands) -> None:
    verify = commands.add_parser("verify", help="walk every promise over all data; exit 1 when one is broken")
    verify.add_argument("--json", action="store_true", help="print the findings as JSON")
    verify.set_defaults(run=run_verify)
    doctor = commands.add_parser("doctor", help="say in plain words what is misconfigured; exit 1 on errors")
    doctor.set_defaults(run=run_doctor)


def run_verify(given: argparse.Namespace) -> int:
    with the_product():
        from counterfoil.plumbing.invariants import verify

        findings = verify()
    if given.json:
        rows = [
            {"key": one.invariant.key, "promise": one.invariant.promise, "broken": one.count, "examples": one.examples}
            for one in findings
        ]
        say(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        for one in findings:
            say(f"{'holds ' if one.holds else 'BROKEN'} {one.invariant.key:<5}{one.count:>8}  {one.invariant.promise}")
            for example in one.examples:
                say(f"{'':22}{example[:200]}")
    broken = [one for one in findings if not one.holds]
    if not given.json:
        say(f"{len(findings)} promises, {len(broken)} broken.")
    return 1 if broken else 0


def run_doctor(_: argparse.Namespace) -> int:
    """Works as far as it can: what cannot be looked at is itself a finding."""
    from counterfoil.app.doctor import Level, examine, examine_environment
    from counterfoil.app.environment import present

    findings = examine_environment(present())
    try:
        with the_product(migrated=False) as environment:
            findings += examine(environment)
    except Trouble as trouble:
        complain(f"error    {trouble}")
        for finding in findings:
            say(f"{finding.level:<9}{finding.text}")
        return 1
    for finding in findings:
        say(f"{finding.level:<9}{finding.text}")
    errors = sum(finding.level is Level.ERROR for finding in findings)
    warnings = sum(finding.level is Level.WARNING for finding in findings)
    say(f"{errors} errors, {warnings} warnings.")
    return 1 if errors else 0
