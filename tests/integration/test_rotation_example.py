"""examples/rotation: seventeen secrets of a backend, all of them due at once, against a real OpenBao, a real
PostgreSQL and local servers for the providers; with the policy of the example and no other right."""
from __future__ import annotations

import json
from typing import Dict, Tuple

from prometheus_client.parser import text_string_to_metric_families

from tests.lib.backend import BY_HAND, EXAMPLE, IN_ORDER, WITH_GRACE, Backend, read_contract
from tests.lib.case import Case
from tests.lib.openbao import BaoError


def samples(backend: Backend) -> Dict[Tuple[str, str], float]:
    text = (backend.files / "agent.prom").read_text()
    return {(sample.name, sample.labels.get("name", "")): sample.value
            for family in text_string_to_metric_families(text) for sample in family.samples}


def rotate_what_is_due(backend: Backend) -> None:
    """The nightly call: the automatic ones are done, and three wait for a person, which is said."""
    shown = backend.rotate("--due", "--json", "--metrics", "agent.prom", "--reason", "the nightly run").expect(1)
    results = shown.json()["rotated"]
    assert [one["name"] for one in results] == IN_ORDER
    assert {one["name"] for one in results if not one["ok"]} == set(BY_HAND), results
    for one in results:
        if one["name"] in BY_HAND:
            assert "waits for a person" in one["error"]["message"] and "--value-stdin" in one["error"]["hint"]
        else:
            assert one["ending"] == ("soaking" if one["name"] in WITH_GRACE else "done"), one
    assert "create one, named after the day" in shown.stderr, "what is to be done by hand is said"


def test_all_of_them_are_rotated_when_they_are_due(case: Case) -> None:
    backend = Backend(case)
    first = backend.all_now()
    assert set(backend.states(1).values()) == {"overdue"}
    assert backend.rotate("--due", "--dry-run").expect(0).stdout.count("steps:") == len(IN_ORDER)
    assert backend.all_now() == first
    rotate_what_is_due(backend)
    now = backend.all_now()
    for name, value in first["app"].items():
        assert (now["app"][name] == value) == (name in BY_HAND), name
    assert now["app"]["SESSION_SECRET_PREVIOUS"] == first["app"]["SESSION_SECRET"]
    assert now["db"]["user"] == backend.logins[1] and now["neon"]["user"] == backend.roles[1].name
    assert now["redis"] != first["redis"] and backend.upstash.tokens("app")[0] == first["redis"]["token"]
    assert not backend.logs_in(*backend.root), "the engine's first password ended"
    assert backend.logs_in(backend.logins[0], backend.first), "the application's first one works on"
    assert (backend.files.parents[1] / "bin" / "systemctl.calls").read_text().count("acme-api.service") == 2
    metrics = samples(backend)
    assert [name for name in IN_ORDER if metrics["agent_secret_overdue", name]] == list(BY_HAND)

    for name in BY_HAND:
        value = case.canaries.add(f"typed {name}", backend.make_by_hand(name))
        backend.rotate(name, "--value-stdin", "--reason", "it was due", text=value.encode() + b"\n").expect()
        assert backend.kv("app")[name] == value

    # Days go by, and Clerk's timer ends with them: the next night ends what was former.
    backend.let_grace_end()
    done = backend.rotate("--due", "--metrics", "agent.prom").expect()
    assert done.stdout.count(": rotated, in ") == len(WITH_GRACE)
    assert set(backend.states().values()) == {"ok"}
    assert backend.rotate("--due").expect().stdout == "nothing is due\n"
    prove_the_former_are_dead(backend, first, now)
    look_at_what_is_kept(backend)


def prove_the_former_are_dead(backend: Backend, first: Dict[str, Dict[str, str]],
                              now: Dict[str, Dict[str, str]]) -> None:
    assert not backend.logs_in(backend.logins[0], backend.first)
    assert backend.logs_in(backend.logins[1], now["db"]["password"])
    assert not backend.logs_in(first["neon"]["user"], first["neon"]["password"])
    assert backend.upstash.tokens("app") == [now["redis"]["token"]]
    assert backend.clerk.living() == [now["app"]["CLERK_SECRET_KEY"]]
    for name in ("RESEND_API_KEY", "RESEND_ADMIN_KEY"):
        assert backend.resend.accepts(now["app"][name]) and not backend.resend.accepts(first["app"][name]), name
    tokens = (first["app"]["CI_VAULT_TOKEN"], now["app"]["CI_VAULT_TOKEN"])
    alive = [lives(backend, token) for token in tokens]
    assert alive == [False, True]


def lives(backend: Backend, token: str) -> bool:
    """Whether that token of Vault's is one."""
    try:
        return bool(backend.bao.request("GET", "auth/token/lookup-self", token=token))
    except BaoError as problem:
        assert problem.status == 403, problem
        return False


def look_at_what_is_kept(backend: Backend) -> None:
    """Who, when and why, and no value: the canaries are looked for in all that was printed."""
    metrics = samples(backend)
    for name in IN_ORDER:
        assert metrics["agent_secret_last_rotation_success", name] == 1
        assert metrics["agent_secret_due", name] == 0 == metrics["agent_secret_open", name]
        assert metrics["agent_secret_age_seconds", name] < 600
    for name in ("DATABASE_ENGINE_ROOT", "DATABASE_URL", "REDIS_URL", "NEON_API_KEY"):
        history = backend.rotate("--history", name, "--json").expect().json()["history"]
        why = "it was due" if name in BY_HAND else "the nightly run"
        assert [(one["result"], one["reason"], one["by"]) for one in history] == [
            ("done", why, "token-acme-rotate")], (name, history)
    backend.case.canaries.check((backend.files / "agent.prom").read_bytes(), "the metrics")
    for path in ("app", "db", "neon", "redis", ".agent/DATABASE_ENGINE_ROOT"):
        kept = backend.bao.request("GET", f"{backend.mount}/metadata/acme/prod/{path}")
        backend.case.canaries.check(json.dumps(kept).encode(), f"the metadata of {path}")


def test_the_contract_is_sound_and_has_seventeen(case: Case) -> None:
    contract = EXAMPLE / "contract.json"
    said = case.agent("check", "--lint", "--json", "--contract", str(contract)).expect().json()
    assert said["problems"] == []
    strategies = {name: rules["rotate"]["strategy"]
                  for name, rules in read_contract(contract)["vars"].items() if rules.get("secret")}
    assert len(strategies) == 17 and set(strategies) == {*IN_ORDER, "VAULT_TOKEN"}
    assert strategies["VAULT_TOKEN"] == "none"
    readme = (EXAMPLE / "README.md").read_text()
    assert not [name for name in strategies if f"`{name}`" not in readme]
