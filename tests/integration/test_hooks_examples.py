"""examples/hooks: each hook against a server that behaves as its provider's documentation says, driven by
the protocol: the way through, death at every request, lost replies, busy, too many requests, a yes after
which nothing happened. tests/lib/hooks.py looks at each call for secrets where none may be."""
from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
from typing import Any, Callable, Dict, List, NamedTuple

from tests.lib.case import Case
from tests.lib.hooks import (DONE, DONE_BEFORE, FAILED, HOOKS, LATER, NO_SUCH_STEP, STEPS, Hook,
                             build_resend, rotate)
from tests.lib.providers import (BUSY, LOST, NOTHING, Clerk, Neon, Resend, Upstash, refuse,
                                 too_many)

LONG = bool(os.environ.get("AGENT_LONG"))
REQUESTS_MAX = 40  # of one rotation; more would be a hook that never ends
OVERLAP_HOURS = 80
PAGE = 100  # of Resend's keys


class Site(NamedTuple):
    """A provider, the hook for it, the secret that an application has, and what can be asked of any."""

    server: Any
    hook: Hook
    former: Dict[str, str]
    living: Callable[[], List[str]]  # the credentials that the application could use now


def new_id() -> str:
    """A rotation's id, of the shape that agent gives."""
    return "20261126-" + secrets.token_hex(8)


# ---- sites --------------------------------------------------------------------------------------


def resend(case: Case, **config: Any) -> Site:
    """Resend; the application's key was made by hand."""
    server = Resend()
    case.defer(server.stop)
    case.canaries.add("admin's key", server.admin)
    former = {"api_key": server.add("acme by hand")}
    hook = Hook(case, [str(case.once("resend", build_resend))], "RESEND_API_KEY",
                {"api": server.address, "project": "acme",
                 "former_key_id": server.id_of("acme by hand"), **config},
                {"RESEND_ADMIN_KEY": server.admin})
    return Site(server, hook, former, lambda: [key["token"] for key in server.state["keys"]
                                               if key["token"] != server.admin])


def upstash(case: Case, **config: Any) -> Site:
    """Upstash; the application is the ACL user `app`."""
    server = Upstash()
    case.defer(server.stop)
    case.canaries.add("admin's token", server.admin)
    former = {"token": server.add_user("app")}
    hook = Hook(case, [str(HOOKS / "upstash.sh")], "REDIS_TOKEN",
                {"rest_url": server.address, "user": "app", **config},
                {"UPSTASH_ADMIN": server.admin})
    return Site(server, hook, former, lambda: server.tokens("app"))


def upstash_database(case: Case) -> Site:
    """Upstash; the application is the user default."""
    server = Upstash()
    case.defer(server.stop)
    login = case.canaries.add("the developer API's key", f"{server.email}:{server.api_key}")
    hook = Hook(case, [str(HOOKS / "upstash.sh")], "REDIS_PASSWORD",
                {"database_id": server.database_id, "rest_url": server.address,
                 "api": server.address, "rest_token_field": "rest_token"}, {"UPSTASH_ADMIN": login})
    former = {"password": server.password, "rest_token": server.admin}
    return Site(server, hook, former, lambda: [server.password, server.admin])


def clerk(case: Case) -> Site:
    """Clerk; the application has the instance's key."""
    server = Clerk()
    case.defer(server.stop)
    case.canaries.add("the Platform API's token", server.platform)
    hook = Hook(case, [str(HOOKS / "clerk.py")], "CLERK_SECRET_KEY",
                {"api": server.address, "application": server.application, "instance": "production",
                 "overlap_hours": OVERLAP_HOURS}, {"CLERK_ADMIN_KEY": server.platform})
    return Site(server, hook, {"secret_key": server.newest()}, server.living)


def clerk_machine(case: Case) -> Site:
    """Clerk; the application is a machine."""
    server = Clerk()
    case.defer(server.stop)
    key = case.canaries.add("the instance's key", server.newest())
    hook = Hook(case, [str(HOOKS / "clerk.py")], "CLERK_MACHINE_KEY",
                {"api": server.address, "machine": server.machine}, {"CLERK_ADMIN_KEY": key})
    return Site(server, hook, {"secret_key": server.newest("machine_keys")},
                lambda: server.living("machine_keys"))


def neon(case: Case, two: bool = False) -> Site:
    """Neon before the shared PostgreSQL; the application has the first of two roles."""
    database = case.database()
    postgres = database.server
    roles = [postgres.role() for _ in range(2)]
    server = Neon(postgres, roles)
    case.defer(server.stop)
    case.canaries.add("Neon's API key", server.api_key)
    config = {"api": server.address, "project": server.project, "branch": server.branch,
              "host": "127.0.0.1", "port": postgres.port, "database": database.name,
              "sslmode": "disable", "operation_seconds": 5}
    former = {"password": roles[0].password}
    if two:
        config["roles"] = [role.name for role in roles]
        former["user"] = roles[0].name
    else:
        config["role"] = roles[0].name
    hook = Hook(case, [str(HOOKS / "neon.py")], "DATABASE_PASSWORD", config,
                {"NEON_API_KEY": server.api_key})
    return Site(server, hook, former, lambda: list(server.state["passwords"].values()))


def nothing_left(site: Site) -> None:
    """All weather came up: what was to be tested was."""
    assert site.server.forecast() == [], site.server.asked


# ---- death at every request -----------------------------------------------------------------------


def die_everywhere(case: Case, make: Callable[[Case], Site], steps: List[str],
                   proof: Callable[[Site, Dict[str, str]], None], first: int = 1,
                   every: int = 1) -> int:
    """Kill the hook at request 1, 2, … of a rotation, when the provider has done it and not answered; the
    step is repeated, and `proof` looks at the end. Gives how many requests there are.

    Without AGENT_LONG a dear hook dies at the request `first`, and at every `every`-th after it."""
    for at in range(1, REQUESTS_MAX) if LONG else range(first, REQUESTS_MAX, every):
        site = make(case)
        died = []

        def cut(number: int, at: int = at, site: Site = site, died: List[int] = died) -> bool:
            if number != at:
                return False
            died.append(number)
            site.hook.kill()
            return True

        site.server.cut = cut
        pending = rotate(site.hook, new_id(), site.former, steps)
        proof(site, pending)
        site.server.stop()
        if not died:
            return at - 1
    raise AssertionError("a rotation that never ends")


def only_the_new(site: Site, pending: Dict[str, str]) -> None:
    """One credential works, and it is the one that agent has."""
    (value,) = [value for name, value in pending.items() if name != "user"]
    assert site.living() == [value], (site.living(), site.server.asked)


def test_resend_dies_at_every_request_and_no_key_is_lost_or_left(case: Case) -> None:
    assert die_everywhere(case, resend, list(STEPS), only_the_new) >= 7


def test_upstash_dies_at_every_request_and_no_token_is_lost_or_left(case: Case) -> None:
    assert die_everywhere(case, upstash, list(STEPS), only_the_new, 2, 2) >= 7


def test_upstashs_reset_is_done_once_wherever_it_dies(case: Case) -> None:
    def proof(site: Site, pending: Dict[str, str]) -> None:
        assert sorted(pending.values()) == sorted(site.living())
        assert sum("reset-password" in line for line in site.server.asked) == 1

    assert die_everywhere(case, upstash_database, list(STEPS), proof, 1, 3) >= 5


def test_clerk_dies_at_every_request_and_the_former_key_ends(case: Case) -> None:
    def proof(site: Site, pending: Dict[str, str]) -> None:
        assert set(site.living()) >= {site.former["secret_key"], pending["secret_key"]}
        site.server.pass_hours(OVERLAP_HOURS + 1)
        only_the_new(site, pending)

    assert die_everywhere(case, clerk, ["create", "test"], proof) == 2


def test_clerks_machine_is_rotated_once_wherever_it_dies(case: Case) -> None:
    def proof(site: Site, pending: Dict[str, str]) -> None:
        assert sum(line.endswith("/rotate") for line in site.server.asked) == 1
        site.server.pass_hours(9)
        only_the_new(site, pending)

    assert die_everywhere(case, clerk_machine, ["create", "test"], proof) == 2


def test_neon_dies_at_every_request_and_is_reset_once(case: Case) -> None:
    def proof(site: Site, pending: Dict[str, str]) -> None:
        assert site.server.resets() == 1
        assert pending["password"] in site.living() and site.former["password"] not in site.living()

    assert die_everywhere(case, neon, list(STEPS), proof, 1, 3) >= 2


# ---- each hook's own ways -------------------------------------------------------------------------


def test_resend_deletes_the_former_key_and_no_other(case: Case) -> None:
    site = resend(case, permission="sending_access", domain_id="d-1", test_from="acme@example.org")
    server, hook = site.server, site.hook
    base, other = "agent-acme-prod-RESEND_API_KEY-", new_id()
    neighbours = ["acme by hand too", f"agent-acme-staging-RESEND_API_KEY-{other}"[:50],
                  "agent-acme-prod-RESEND_API_KEY-by-somebody", f"agent-other{base[10:]}{other}"[:50]]
    for name in neighbours + [f"filler {number}" for number in range(2 * PAGE)]:
        server.add(name)
    former = site.former
    for _ in range(2):  # the second time the former key is one of agent's
        pending = rotate(hook, new_id(), former)
        assert not server.accepts(former["api_key"]) and server.accepts(pending["api_key"])
        former = pending
    assert not [name for name in neighbours if name not in server.names()]
    assert len([name for name in server.names() if name.startswith(base)]) == 2  # ours, "by-somebody"
    assert len(server.state["sent"]) == 2 and server.permission(former["api_key"]) == "sending_access"


def test_resends_names_fit_and_keep_the_ids_random_part(case: Case) -> None:
    site = resend(case)
    for project, room in (("acme", 19), ("a-company-inc", 10)):
        site.hook.config["project"] = project
        rotation = new_id()
        ended = site.hook.call("create", rotation, site.former)
        if room < 12:
            assert "key_name" in ended.expect(FAILED).message
        else:
            assert site.server.names()[0] == f"agent-{project}-prod-RESEND_API_KEY-{rotation[-room:]}"
    site.hook.config["key_name"] = "mail"
    site.hook.call("create", rotation, site.former).expect(DONE)
    assert site.server.names()[0] == f"mail-{rotation}"
    del site.hook.config["key_name"], site.hook.config["project"]
    assert "project" in site.hook.call("create", rotation, site.former).expect(FAILED).message


def test_resend_without_the_new_key_among_the_keys_deletes_nothing(case: Case) -> None:
    site = resend(case)
    before = site.server.names()
    said = site.hook.call("retire", new_id(), site.former, {"api_key": "re_of_nobody"}).expect(FAILED)
    assert "nothing was deleted" in said.message and site.server.names() == before


def test_resend_says_when_the_former_key_is_not_its_own(case: Case) -> None:
    site = resend(case, former_key_id="")
    rotation = new_id()
    pending = rotate(site.hook, rotation, site.former, STEPS[:-1])
    assert "former_key_id" in site.hook.call("retire", rotation, site.former, pending).expect(
        FAILED).message
    site.hook.config["former_key_id"] = site.server.id_of("acme by hand")
    site.hook.call("retire", rotation, site.former, pending).expect(DONE)
    site.hook.call("retire", rotation, site.former, pending).expect(DONE_BEFORE)


def test_resends_yes_without_a_deed_is_seen(case: Case) -> None:
    site = resend(case)
    rotation = new_id()
    site.server.weather("POST /api-keys", NOTHING)
    made = site.hook.call("create", rotation, site.former).expect(DONE).secret
    site.hook.call("test", rotation, site.former, made).expect(FAILED)
    site.hook.call("rollback", rotation, site.former, made).expect(DONE_BEFORE)
    pending = rotate(site.hook, rotation, site.former, STEPS[:-1])
    site.server.weather("DELETE /api-keys/.*", NOTHING)
    assert "still has it" in site.hook.call("retire", rotation, site.former, pending).expect(
        FAILED).message
    nothing_left(site)


def test_resends_key_with_full_access_rotates_itself(case: Case) -> None:
    site = resend(case, rotates_itself=True)
    site.hook.hand({})
    site.hook.config["former_key_id"] = site.server.id_of("made by hand")
    pending = rotate(site.hook, new_id(), {"api_key": site.server.admin})
    assert not site.server.accepts(site.server.admin)
    assert site.server.permission(pending["api_key"]) == "full_access"


def test_resends_new_key_with_other_rights_fails_the_test(case: Case) -> None:
    site = resend(case, permission="full_access")
    made = site.hook.call("create", new_id(), site.former).expect(DONE).secret
    site.hook.config["permission"] = "sending_access"
    assert "full_access, not sending_access" in site.hook.call(
        "test", new_id(), site.former, made).expect(FAILED).message


def test_a_rollback_ends_the_new_secret_and_leaves_the_former(case: Case) -> None:
    for make in (resend, upstash):
        site, rotation = make(case), new_id()
        site.hook.watched = True
        pending = rotate(site.hook, rotation, site.former, STEPS[:-1])
        site.hook.call("rollback", rotation, site.former, pending).expect(DONE)
        assert site.living() == list(site.former.values())
        site.hook.call("rollback", rotation, site.former, pending).expect(DONE_BEFORE)
    for make in (upstash_database, clerk, neon):
        site = make(case)
        assert site.hook.call("rollback", new_id(), site.former, site.former).expect(
            NO_SUCH_STEP).message


def test_upstash_keeps_both_tokens_until_retire(case: Case) -> None:
    site = upstash(case)
    site.hook.watched = True
    rotation = new_id()
    pending = rotate(site.hook, rotation, site.former, STEPS[:-1])
    assert site.living() == [site.former["token"], pending["token"]]
    site.hook.call("set", rotation, site.former, pending).expect(DONE)  # once more is the same
    assert b"--config" in site.hook.seen(), site.hook.seen()
    assert b"UPSTASH_ADMIN=" in site.hook.seen(), site.hook.seen()
    assert site.living() == [site.former["token"], pending["token"]]
    site.hook.call("retire", rotation, site.former, pending).expect(DONE)
    site.hook.call("retire", rotation, site.former, pending).expect(DONE_BEFORE)


def test_upstashs_yes_without_a_deed_is_seen(case: Case) -> None:
    site = upstash(case)
    rotation = new_id()
    made = site.hook.call("create", rotation, site.former).expect(DONE).secret
    site.server.weather("POST /", NOTHING)
    site.hook.call("set", rotation, site.former, made).expect(DONE)
    site.hook.call("test", rotation, site.former, made).expect(FAILED)
    pending = rotate(site.hook, rotation, site.former, STEPS[:-1])
    site.server.weather("POST /", *[NOTHING] * 4)
    assert "still works" in site.hook.call("retire", rotation, site.former, pending).expect(
        FAILED).message
    nothing_left(site)


def test_upstashs_user_without_rights_and_a_token_of_defaults_are_said(case: Case) -> None:
    site = upstash(case)
    rotation = new_id()
    site.server.state["users"]["app"]["rules"] = ["+get"]
    pending = rotate(site.hook, rotation, site.former, ["create", "set"])
    assert "NOPERM" in site.hook.call("test", rotation, site.former, pending).expect(FAILED).message
    site.hook.config["rules"] = ["+ping", "~app:*"]
    site.hook.call("set", rotation, site.former, pending).expect(DONE)
    site.hook.call("test", rotation, site.former, pending).expect(DONE)
    default = {"token": site.server.admin}
    assert "default" in site.hook.call("retire", rotation, default, pending).expect(FAILED).message
    site.hook.config["user"] = "default"
    assert "database_id" in site.hook.call("create", rotation, site.former).expect(FAILED).message


def test_upstashs_reset_cuts_at_once_and_says_so(case: Case) -> None:
    site = upstash_database(case)
    site.hook.watched = True
    made = site.hook.call("create", new_id(), site.former).expect(DONE)
    assert "works no more" in made.message and not site.server.accepts(site.former["rest_token"])
    pending = rotate(site.hook, new_id(), made.secret)
    assert pending == {"password": site.server.password, "rest_token": site.server.admin}
    site.server.weather("POST /v2/redis/reset-password/.*", NOTHING)
    made = site.hook.call("create", new_id(), pending).expect(DONE)
    site.hook.call("test", new_id(), pending, made.secret).expect(FAILED)


def test_clerks_retire_waits_for_the_timer_and_ends_nothing(case: Case) -> None:
    for make, hours in ((clerk, OVERLAP_HOURS), (clerk_machine, 8)):
        site, rotation = make(case), new_id()
        pending = rotate(site.hook, rotation, site.former, STEPS[:-1])
        assert f"{hours} hours" in site.hook.call("retire", rotation, site.former, pending).expect(
            LATER).message
        site.server.pass_hours(hours + 1)
        site.hook.call("retire", rotation, site.former, pending).expect(DONE_BEFORE)
        only_the_new(site, pending)
    assert site.hook.config["machine"]
    site.hook.config["overlap_hours"] = 9
    assert "overlap_hours" in site.hook.call("create", rotation, pending).expect(FAILED).message


def test_clerks_yes_without_a_deed_is_seen(case: Case) -> None:
    site = clerk(case)
    site.server.weather("POST .*rotate_secret_keys", NOTHING)
    made = site.hook.call("create", new_id(), site.former).expect(DONE).secret
    assert "refuses" in site.hook.call("test", new_id(), site.former, made).expect(FAILED).message
    assert "refuses" in site.hook.call("retire", new_id(), site.former, made).expect(FAILED).message


def test_neon_waits_for_operations_and_comes_again_when_it_is_busy(case: Case) -> None:
    site = neon(case)
    site.hook.watched = True
    rotation = new_id()
    site.server.weather("POST .*reset_password", BUSY)
    assert "another operation" in site.hook.call("create", rotation, site.former).expect(LATER).message
    site.server.begin("create_branch")
    site.hook.call("create", rotation, site.former).expect(LATER)
    site.hook.call("set", rotation, site.former, site.former).expect(DONE)  # until that has ended
    site.server.polls = 1000
    made = site.hook.call("create", rotation, site.former).expect(DONE).secret
    site.hook.config["operation_seconds"] = 0.2
    assert "is still" in site.hook.call("set", rotation, site.former, made).expect(LATER).message
    assert "not work yet" in site.hook.call("test", rotation, site.former, made).expect(LATER).message
    site.server.state["polls"] = 0
    site.hook.call("set", rotation, site.former, made).expect(DONE)
    site.hook.call("test", rotation, site.former, made).expect(DONE)
    assert b"PGPASSFILE=/proc/self/fd/" in site.hook.seen()


def test_neon_resets_again_where_the_lost_password_is_not_stored(case: Case) -> None:
    site = neon(case)
    rotation = new_id()
    site.server.stores_passwords = False
    site.server.weather("POST .*reset_password", LOST)
    site.hook.call("create", rotation, site.former).expect(LATER)
    site.hook.call("create", rotation, site.former, attempt=2).expect(LATER)  # the first one runs
    site.hook.call("set", rotation, site.former, site.former).expect(DONE)
    pending = site.hook.call("create", rotation, site.former, attempt=3).expect(DONE).secret
    assert site.server.resets() == 3 and pending["password"] in site.living()


def test_neons_yes_without_a_deed_is_seen(case: Case) -> None:
    site = neon(case)
    site.server.weather("POST .*reset_password", NOTHING)
    made = site.hook.call("create", new_id(), site.former).expect(DONE).secret
    assert "refused" in site.hook.call("test", new_id(), site.former, made).expect(FAILED).message
    site.server.begin("apply_config", "failed")
    assert "is failed" in site.hook.call("test", new_id(), site.former, made).expect(LATER).message


def test_neons_two_roles_overlap_and_take_turns(case: Case) -> None:
    site = neon(case, two=True)
    first, second = site.hook.config["roles"]
    rotation = new_id()
    pending = rotate(site.hook, rotation, site.former, STEPS[:-1])
    assert pending["user"] == second and site.server.resets() == 1
    assert site.former["password"] in site.living()
    site.hook.call("retire", rotation, site.former, pending).expect(DONE)
    site.hook.call("retire", rotation, site.former, pending).expect(DONE_BEFORE)
    again = rotate(site.hook, rotation, pending, STEPS[:-1])
    assert again["user"] == first
    site.hook.call("rollback", rotation, pending, again).expect(DONE)
    site.hook.call("rollback", rotation, pending, again).expect(DONE_BEFORE)
    assert "none of config.roles" in site.hook.call(
        "create", rotation, {"user": "other", "password": "other-password"}).expect(FAILED).message


def test_neon_takes_the_login_out_of_a_url(case: Case) -> None:
    for two in (False, True):
        site = neon(case, two)
        server = case.postgres
        former = {"url": server.url("app", site.hook.config.get("roles", [site.hook.config.get("role")])[0],
                                    site.former["password"])}
        made = site.hook.call("create", new_id(), former).expect(DONE).secret
        assert set(made) == ({"user", "password"} if two else {"password"})
        user = made.get("user", site.hook.config.get("role"))
        pending = {"url": server.url("app", user, made["password"])}
        site.hook.call("set", new_id(), former, pending).expect(DONE)
        site.hook.call("test", new_id(), None, pending).expect(DONE)
        site.hook.call("retire", new_id(), former, pending).expect(DONE if two else DONE_BEFORE)


def test_hooks_take_the_name_of_the_field_from_the_store(case: Case) -> None:
    for make in (resend, upstash, clerk, neon):
        for config, name in (({}, "the_stores"), ({"field": "the_contracts"}, "the_contracts")):
            site = make(case)
            site.hook.config.update(config)
            (value,) = site.former.values()
            made = site.hook.call("create", new_id(), {"the_stores": value}).expect(DONE)
            assert list(made.secret) == [name]


# ---- what holds for all ---------------------------------------------------------------------------

MAKE: Dict[str, Callable[[Case], Site]] = {
    "resend": resend, "upstash": upstash, "upstash_database": upstash_database, "clerk": clerk,
    "clerk_machine": clerk_machine, "neon": neon}
ONE_OF_EACH = [resend, upstash, clerk, neon]


def test_hooks_say_later_when_the_provider_is_not_well(case: Case) -> None:
    for make in MAKE.values():
        site = make(case)
        rotation = new_id()
        site.server.weather(".*", too_many(77))
        assert "77 s" in site.hook.call("create", rotation, site.former).expect(LATER).message
        site.server.weather(".*", refuse(503))
        site.hook.call("create", rotation, site.former).expect(LATER)
        if make in ONE_OF_EACH:
            site.server.weather(".*", too_many(1))  # so little is waited for
            site.hook.call("create", rotation, site.former).expect(DONE)
        nothing_left(site)
        site.server.stop()
        site.hook.call("create", rotation, site.former).expect(LATER)


def test_hooks_without_the_admins_credential_change_nothing(case: Case) -> None:
    for make in MAKE.values():
        site = make(case)
        before = json.dumps(site.server.state)
        site.hook.hand({})
        site.hook.call("create", new_id(), site.former).expect(FAILED)
        wrong = {name: "wrong:" + secrets.token_hex(8) if "upstash" in site.hook.argv[0]
                 else "re_" + secrets.token_hex(8) for name in
                 ("RESEND_ADMIN_KEY", "UPSTASH_ADMIN", "CLERK_ADMIN_KEY", "NEON_API_KEY")}
        site.hook.hand(wrong)
        assert re.search(r"40[013]", site.hook.call("create", new_id(), site.former).expect(FAILED)
                         .message)
        assert json.dumps(site.server.state) == before


def test_hooks_take_the_admins_credential_from_a_file(case: Case) -> None:
    for make in ONE_OF_EACH:
        site = make(case)
        (value,) = site.hook.handed().values()
        path = str(case.folder.write("admin", value + "\n", 0o600))
        site.hook.hand({})
        site.hook.config.update({"api_key_file": path, "admin_file": path})
        site.hook.call("create", new_id(), site.former).expect(DONE)
        path = str(case.folder / "not-there")
        site.hook.config.update({"api_key_file": path, "admin_file": path})
        assert "not-there" in site.hook.call("create", new_id(), site.former).expect(FAILED).message


def test_hooks_put_nothing_into_a_request_that_is_no_credential(case: Case) -> None:
    for make in ONE_OF_EACH:
        site = make(case)
        (name,) = site.former
        forged = {name: 'secret-key"\r\nX-Other: "header'}
        site.hook.call("test", new_id(), None, forged).expect(FAILED)
        site.hook.call("retire", new_id(), forged, forged)
        site.hook.call("retire", new_id(), site.former, forged).expect(FAILED)
        assert site.living().count(site.former[name]) == 1, "what works was left"


def test_hooks_talk_to_nobody_else_and_know_their_steps(case: Case) -> None:
    for name, make in MAKE.items():
        if name == "clerk_machine":
            continue  # as clerk
        site = make(case)
        site.hook.call("dance", new_id(), site.former, site.former).expect(NO_SUCH_STEP)
        site.hook.call("promote", new_id(), site.former, site.former).expect(NO_SUCH_STEP)
        for address in ("http://127.0.0.1:1@example.org", "http://127.0.0.1.example.org:80",
                        "https://example.org/\n"):
            site.hook.config["rest_url" if name == "upstash" else "api"] = address
            said = site.hook.call("create", new_id(), site.former).expect(FAILED).message
            assert "api" in said or "rest_url" in said, said


def test_hooks_refuse_what_is_not_the_protocol(case: Case) -> None:
    for argv in ([str(case.once("resend", build_resend))], [str(HOOKS / "upstash.sh")],
                 [str(HOOKS / "clerk.py")], [str(HOOKS / "neon.py")]):
        for given in (b"", b"[]", b'{"version": 2}', b'{"version": 1}', b"\xff"):
            done = subprocess.run(argv, input=given, capture_output=True, timeout=60)
            assert done.returncode == FAILED and json.loads(done.stdout)["message"], (argv, given)
