"""What an application held before a restart is revoked behind it; a Vault that is away then is asked again."""
from __future__ import annotations

import json
import signal
from typing import Any, Dict, List, Optional

from tests.integration.test_renew import Between, Site
from tests.lib.case import Case, lacks
from tests.lib.processes import wait_until
from tests.lib.scripted import Answer, Request

CALM = True  # tokens of seconds
AWAY = Answer(503, b'{"errors": ["the node is away"]}', {"Retry-After": "3600"})  # one request an attempt
LEASES, TOKENS = "sys/leases/revoke", "auth/token/revoke-self"
AGAIN = "could not be revoked; it is tried again until it has ended"
# A token near its maximum is replaced, with the leases that hang on it, which by themselves last.
TOKEN = {"token_ttl": "4s", "token_max_ttl": "6s", "ttl": "1h", "max_ttl": "2h"}


class Refusing(Between):
    """Revokes what is asked for once REFUSALS requests were answered with 503."""

    def __init__(self, case: Case, refusals: int) -> None:
        self.refusals = refusals
        self.made: List[str] = []  # leases
        self.asked: List[str] = []  # leases, and "" for a token
        self.done: List[str] = []
        super().__init__(case, "")

    def _forward(self, request: Request) -> Optional[Answer]:
        revokes = LEASES in request.path or TOKENS in request.path
        lease = json.loads(request.body or b"{}").get("lease_id", "") if revokes else ""
        if revokes:
            self.asked.append(lease)
        if revokes and len(self.asked) <= self.refusals:
            return AWAY
        answer = super()._forward(request)
        if revokes:
            self.done.append(lease)
        elif "/creds/" in request.path and answer is not None and answer.status == 200:
            self.made.append(json.loads(answer.body)["lease_id"])
        return answer


def site_behind(case: Case, vault: Refusing, **how: Any) -> Site:
    return Site(case, address=vault.address, **{**TOKEN, **how})


def last_longer(site: Site) -> None:
    """Whatever comes next lasts for an hour."""
    site.bao.write(f"auth/{site.role.mount}/role/{site.role.name}", {"token_ttl": "1h", "token_max_ttl": "2h"})


def lease(site: Site) -> str:
    """The only one that there is."""
    [only] = site.bao.leases(site.creds)
    return f"{site.creds}/{only}"


def test_what_could_not_be_revoked_is_tried_again_until_it_is(case: Case) -> None:
    vault = Refusing(case, 1)
    site = site_behind(case, vault)
    site.start("sh", "app.sh")
    first = lease(site)
    site.until(lambda: vault.asked, "an attempt in vain")
    last_longer(site)
    site.until(lambda: first in vault.done, "the end of the former lease")
    assert vault.asked[:2] == [first] * 2, vault.asked
    assert len(site.seen()) == 2 and len(site.bao.leases(site.creds)) == 1, site.seen()
    running = site.running
    assert running is not None
    site.until(lambda: "is revoked now" in running.heard(), "the message")
    said = site.end()
    assert said.count(AGAIN) == 1 and not lacks(said, ["left=2", "the node is away"]), said
    assert "what could not be revoked before is revoked now" in said, said
    assert "it ends by itself" not in said and "ended by itself" not in said, said
    wait_until(lambda: site.bao.leases(site.creds) == [] and site.tokens() == [], "the end of all leases")


def test_what_has_ended_by_itself_is_not_tried_any_more(case: Case) -> None:
    vault = Refusing(case, 1 << 30)
    site = site_behind(case, vault, token_ttl="1h", token_max_ttl="2h", ttl="4s", max_ttl="4s")
    site.start("sh", "app.sh")
    first = lease(site)
    running = site.running
    site.until(lambda: vault.asked, "an attempt in vain")
    site.bao.write(f"{site.mount}/roles/app", {"default_ttl": "1h", "max_ttl": "1h"})
    assert running is not None
    site.until(lambda: "what could not be revoked has ended by itself" in running.heard(), "its end")
    assert set(vault.asked) == {first} and running.heard().count(AGAIN) == 1, running.heard()
    site.end()


def test_a_token_that_was_renewed_is_revoked_behind_a_restart(case: Case) -> None:
    vault = Refusing(case, 0)
    # Renewed once for its whole time, then for less, and replaced when its first time is over.
    site = site_behind(case, vault, token_ttl="4s", token_max_ttl="8s")
    site.start("sh", "app.sh")
    site.until(lambda: "" in vault.done, "the end of a former token")
    assert len(site.seen()) >= 2
    site.end()


def test_what_is_left_at_the_end_is_said(case: Case) -> None:
    vault = Refusing(case, 1 << 30)
    site = site_behind(case, vault)
    site.start("sh", "app.sh")
    site.until(lambda: vault.asked, "an attempt in vain")
    last_longer(site)
    site.until(lambda: len(vault.asked) >= 2, "two attempts in vain")
    assert site.running is not None
    site.running.signal(signal.SIGTERM)
    said = site.running.wait(20.0).stderr
    assert not lacks(said, [AGAIN, "what Vault lent could not be revoked; it ends by itself"]), said
    assert vault.done == []


HOLDS = """\
trap 'while [ -e hold ]; do sleep 0.05; done; kill -9 $! 2>/dev/null; exit 0' TERM
echo "$$ $U" >>seen
while :; do sleep 600 & wait $!; done
"""


def test_what_the_application_holds_is_not_revoked_with_what_it_held(case: Case) -> None:
    vault = Refusing(case, 1 << 30)
    site = site_behind(case, vault, stop_timeout="60s", splay="1h")
    case.folder.write("holds.sh", HOLDS)
    site.start("sh", "holds.sh")
    # The token ends in six seconds, and what hangs on it: no splay goes beyond that.
    site.until(lambda: vault.asked, "an attempt in vain, behind a restart")
    assert len(site.seen()) == 2
    hold = case.folder.write("hold", "")
    site.until(lambda: len(vault.made) >= 3, "a third lease")
    vault.refusals = 0
    first, second = vault.made[:2]
    site.until(lambda: first in vault.done, "the end of what it held before")
    assert second not in vault.asked and len(site.seen()) == 2, vault.asked
    hold.unlink()
    site.until(lambda: second in vault.done, "the end of what it held then")
    assert len(site.seen()) >= 3
    site.end()
