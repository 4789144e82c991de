"""No copy of a secret is left in the memory of an agent that stays: raw, in hexadecimal, base64 or escaped.

As it is built for use: a sanitizer keeps copies of its own.
"""
from __future__ import annotations

import json
from typing import Set

from tests.integration.test_renew import Site
from tests.lib.agent import Running
from tests.lib.case import Case
from tests.lib.memory import places_of

VARIANT = "release"
CALM = True  # leases of some seconds
STARTS = 3
GIVEN = ("secret id", "a value of the environment")


def learn_what_was_lent(case: Case, turn: int) -> None:
    """What this start got, and what agent made of it: the URL, and the password in it."""
    url = (case.folder / "url").read_text()
    case.canaries.add(f"URL of start {turn}", url)
    case.canaries.add(f"password of start {turn}", url.split(":")[2].split("@")[0])


def look_for_copies(case: Case, running: Running) -> Set[str]:
    """Fails for one that is not in the one place; gives the names of the secrets that are in it."""
    forms, there = case.canaries.forms(), set()
    found: Set[str] = set()
    for form, mapping in places_of(running.pid, list(forms)):
        # What agent was started with is where the kernel put it, which is no copy.
        if mapping.line.endswith("[stack]") and forms[form] in GIVEN:
            continue
        assert mapping.locked, f"'{forms[form]}' is in {mapping}"
        there.add(mapping.line)
        found.add(forms[form])
    assert len(there) == 1, there
    return found


def stays(case: Case, *options: str) -> None:
    """It starts the application three times, with other credentials each; what each start had is looked for."""
    case.needs_a_look_inside()
    site = Site(case, ttl="4s", max_ttl="6s", token_ttl="10m", token_max_ttl="1h")
    contract = json.loads((case.folder / "contract.json").read_text())
    contract["vars"]["GIVEN"] = {"type": "string", "secret": True, "source": "env"}
    contract["files"].append({"path": "made", "template": "{GIVEN|json} {GIVEN|url} {U|json}"})
    case.folder.write("contract.json", json.dumps(contract))
    given = case.canaries.new(GIVEN[1], prefix='"%/\\ ')
    running = site.running = case.make_agent().start(
        "run", *options, "--", "sh", "app.sh",
        env={"ROLE_ID": site.role.role_id, "SECRET_ID": site.role.secret_id, "GIVEN": given})
    for turn in range(1, STARTS + 1):
        site.until(lambda: len(site.seen()) >= turn, "the next start")
        learn_what_was_lent(case, turn)
        found = look_for_copies(case, running)
        assert f"password of start {turn}" in found, found
        if "--redact" not in options:  # which hides what an application may have kept
            assert not any("start" in name and not name.endswith(f" {turn}") for name in found), found
    site.end()


def test_no_copy_of_a_secret_is_left_behind_a_start(case: Case) -> None:
    stays(case)


def test_what_is_hidden_in_output_is_in_locked_memory_alone(case: Case) -> None:
    stays(case, "--redact")
