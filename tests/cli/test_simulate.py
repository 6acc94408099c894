"""``counterfoil simulate`` as people run it: many scenarios side by side, twice at once, and after it was killed."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
COMMAND = str(Path(sys.executable).parent / "counterfoil")
SECONDS = 240
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One data folder for the tests of this file, and no other database."""
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE")}
    return kept | {"COUNTERFOIL_DATA": str(tmp_path_factory.mktemp("simulated"))}


def start(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [COMMAND, "simulate", *arguments], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def results(process: subprocess.Popen[str], text: str | None = None) -> list[dict[str, Any]]:
    said, complained = process.communicate(text, timeout=SECONDS)
    assert not complained, complained
    return [json.loads(line) for line in said.splitlines()]


def scenarios() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(EXAMPLES.glob("*.json"))]


def lines(times: int) -> str:
    """Scenarios of different companies and prices, so that every process sets its stage again and again."""
    named = [
        json.dumps(scenario | {"name": f"{turn} {scenario['name']}"})
        for turn in range(times)
        for scenario in scenarios()
    ]
    return "\n".join(named)


def test_scenarios_are_played_side_by_side_and_told_in_order(environment: dict[str, str]) -> None:
    """None waits for another's company, and the same scenario comes out the same wherever it was played."""
    process = start(environment, "--json-lines", "-")
    told = results(process, lines(3))
    assert process.returncode == 0
    assert [one["name"] for one in told] == [
        f"{turn} {scenario['name']}" for turn in range(3) for scenario in scenarios()
    ]
    count = len(scenarios())
    for place in range(count):
        plays = [{**told[place + turn * count], "name": ""} for turn in range(3)]
        assert plays[0] == plays[1] == plays[2]


def test_a_bad_line_gives_its_error_and_the_next_goes_on(environment: dict[str, str]) -> None:
    good = json.dumps(scenarios()[0])
    process = start(environment, "--json-lines", "-")
    told = results(process, f'{good}\n{{"scenario": 1}}\nnot json\n{good}\n')
    assert process.returncode == 2
    assert [sorted(one) == ["error"] for one in told] == [False, True, True, False]
    assert told[0] == told[3]


def test_each_line_is_answered_before_the_next_is_written(environment: dict[str, str]) -> None:
    """Who writes a line and reads its result, one after another, does not wait for ever."""
    process = start(environment, "--json-lines", "-")
    assert process.stdin is not None and process.stdout is not None  # noqa: PT018
    for scenario in scenarios()[:2]:
        process.stdin.write(json.dumps(scenario) + "\n")
        process.stdin.flush()
        assert select.select([process.stdout], [], [], SECONDS)[0]
        assert json.loads(process.stdout.readline())["name"] == scenario["name"]
    assert results(process) == []
    assert process.returncode == 0


def test_two_at_once_and_one_after_a_kill(environment: dict[str, str]) -> None:
    """A second one does not wait for the first; what a killed one left is as good as new."""
    path = str(EXAMPLES / "upgrade.json")
    killed = start(environment, "--json-lines", "-")
    assert killed.stdin is not None
    killed.stdin.write(lines(30) + "\n")
    killed.stdin.flush()
    time.sleep(2)
    meanwhile = results(start(environment, "--json", path))
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=SECONDS)
    afterwards = results(start(environment, "--json", path))
    assert meanwhile == afterwards
