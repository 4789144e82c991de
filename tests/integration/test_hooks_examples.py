"""examples/hooks: each hook against a server that behaves as its provider's documentation says, driven by
the protocol: the way through, death at every request, lost replies, busy, too many requests, a yes after
which nothing happened. tests/lib/hooks.py looks at each call for secrets where none may be."""
from __future__ import annotations

import json
import re
import secrets
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple

from tests.lib.case import Case
from tests.lib.hooks import (DONE, DONE_BEFORE, FAILED, HOOKS, LATER, NO_SUCH_STEP, STEPS, Hook,
                             rotate)
from tests.lib.providers import (BUSY, LOST, NOTHING, Clerk, Neon, Provider, Resend, Upstash, refuse,
                                 too_many)
from tests.lib.servers import ROOT

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


def build_resend() -> Path:
    """The hook in C, with the warnings of this tree as errors."""
    (probed,) = (ROOT / "build").glob("probed-gcc.mk")
    found = re.search(r"^WARNINGS :=(.*)$", probed.read_text(), re.M)
    assert found, probed
    binary = ROOT / "build" / "debug" / "hooks" / "resend"
    binary.parent.mkdir(parents=True, exist_ok=True)
    libraries = subprocess.run(["pkg-config", "--cflags", "--libs", "libcurl", "jansson"], check=True,
                               capture_output=True, text=True).stdout.split()
    subprocess.run(["gcc", "-std=c17", "-D_GNU_SOURCE", *found.group(1).split(), "-Werror", "-O1", "-g",
                    "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined",
                    str(HOOKS / "resend.c"), "-o", str(binary), *libraries], check=True)
    return binary


def resend(case: Case, **config: Any) -> Site:
    """Resend; the application's key was made by hand."""
    server = Resend()
    case.defer(server.stop)
    case.canaries.add("admin's key", server.admin)
    former = {"api_key": server.add("acme by hand")}
    hook = Hook(case, [str(case.once("resend", build_resend))], "RESEND_API_KEY",
                {"api": server.address, "project": "acme",
                 "former_key_id": server.id_of("acme by hand"), **config},
                {"RESEND_ADMIN_KEY": server.admin, "ASAN_OPTIONS": "detect_leaks=0"})
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
                   proof: Callable[[Site, Dict[str, str]], None]) -> int:
    """Kill the hook at request 1, 2, … of a rotation, when the provider has done it and not answered; the
    step is repeated, and `proof` looks at the end. Gives how many requests there are."""
    for at in range(1, REQUESTS_MAX):
        site = make(case)
        site.hook.watched = False
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
    assert die_everywhere(case, upstash, list(STEPS), only_the_new) >= 7


def test_upstashs_reset_is_done_once_wherever_it_dies(case: Case) -> None:
    def proof(site: Site, pending: Dict[str, str]) -> None:
        assert sorted(pending.values()) == sorted(site.living())
        assert sum("reset-password" in line for line in site.server.asked) == 1

    assert die_everywhere(case, upstash_database, list(STEPS), proof) >= 5


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

    assert die_everywhere(case, neon, list(STEPS), proof) >= 2


# ---- what holds for all ---------------------------------------------------------------------------

MAKE: Dict[str, Callable[[Case], Site]] = {
    "resend": resend, "upstash": upstash, "upstash_database": upstash_database, "clerk": clerk,
    "clerk_machine": clerk_machine, "neon": neon}


def test_hooks_say_later_when_the_provider_is_not_well(case: Case) -> None:
    for make in MAKE.values():
        site = make(case)
        site.hook.watched = False
        rotation = new_id()
        site.server.weather(".*", too_many(77))
        assert "77 s" in site.hook.call("create", rotation, site.former).expect(LATER).message
        site.server.weather(".*", refuse(503))
        site.hook.call("create", rotation, site.former).expect(LATER)
        site.server.weather(".*", too_many(0))  # so little is waited for
        site.hook.call("create", rotation, site.former).expect(DONE)
        nothing_left(site)
        site.server.stop()
        site.hook.call("create", rotation, site.former).expect(LATER)


def test_hooks_without_the_admins_credential_change_nothing(case: Case) -> None:
    for make in MAKE.values():
        site = make(case)
        site.hook.watched = False
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
    for make in MAKE.values():
        site = make(case)
        site.hook.watched = False
        (value,) = [value for name, value in site.hook.handed().items() if name != "ASAN_OPTIONS"]
        path = str(case.folder.write("admin", value + "\n", 0o600))
        site.hook.hand({})
        site.hook.config.update({"api_key_file": path, "admin_file": path})
        site.hook.call("create", new_id(), site.former).expect(DONE)
        path = str(case.folder / "not-there")
        site.hook.config.update({"api_key_file": path, "admin_file": path})
        assert "not-there" in site.hook.call("create", new_id(), site.former).expect(FAILED).message


def test_hooks_talk_to_nobody_else_and_know_their_steps(case: Case) -> None:
    for name, make in MAKE.items():
        site = make(case)
        site.hook.watched = False
        site.hook.call("dance", new_id(), site.former, site.former).expect(NO_SUCH_STEP)
        site.hook.call("promote", new_id(), site.former, site.former).expect(NO_SUCH_STEP)
        for address in ("http://127.0.0.1:1@example.org", "http://127.0.0.1.example.org:80",
                        "http://example.org", "https://example.org/"):
            site.hook.config["rest_url" if name == "upstash" else "api"] = address
            said = site.hook.call("create", new_id(), site.former).expect(FAILED).message
            assert "api" in said or "rest_url" in said, said


def test_hooks_refuse_what_is_not_the_protocol(case: Case) -> None:
    for make in MAKE.values():
        argv = make(case).hook.argv
        for given in (b"", b"[]", b"{", b'{"version": 2}', b'{"version": 1}', b"\xff" * 100):
            done = subprocess.run(argv, input=given, capture_output=True, timeout=60)
            assert done.returncode == FAILED and json.loads(done.stdout)["message"], (argv, given)
