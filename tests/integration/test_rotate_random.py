"""`agent rotate`, strategies `random` and `manual`: what is generated, what is kept of it, and what a person makes."""
from __future__ import annotations

from typing import Any, Dict

from tests.lib.case import Case, lacks
from tests.lib.rotating import Rotating

SOURCE = {"source": "vault:{mount}/app#KEY"}


def keyed(case: Case, rotate: Dict[str, Any], **fields: str) -> Rotating:
    """A contract with the one secret KEY."""
    first = {"KEY": case.canaries.new("the first value"), **fields}
    return Rotating(case, {"KEY": {**SOURCE, "rotate": rotate}}, first)


def now(r: Rotating) -> Dict[str, Any]:
    """All fields; each is a canary from here on."""
    fields = r.fields()
    for name, value in fields.items():
        for part in str(value).split(","):
            r.case.canaries.add(f"{name} {part}", part)
    return fields


# ---- random ----------------------------------------------------------------------------------------------


def test_each_shape_is_generated_as_asked(case: Case) -> None:
    shapes: Dict[str, Any] = {
        "HEX": ({"bytes": 24, "as": "hex"}, 48, "0123456789abcdef"),
        "URL": ({"bytes": 32, "as": "base64url"}, 43, None),
        "PLAIN": ({"length": 30}, 30, None),
        "OWN": ({"length": 64, "alphabet": "ab01"}, 64, "ab01"),
        "UNSAID": ({}, 44, None)}
    r = Rotating(case, {name: {"source": f"vault:{{mount}}/app#{name}", "rotate": {"strategy": "random", **rotate}}
                        for name, (rotate, _, _) in shapes.items()},
                 {name: case.canaries.new(name) for name in shapes})
    r.rotate(*shapes).expect(0)
    fields = now(r)
    for name, (_, length, alphabet) in shapes.items():
        assert len(fields[name]) == length, name
        assert not alphabet or set(fields[name]) <= set(alphabet), name
        assert not set(fields[name]) & set(" '\"$`\\%#&?@:"), f"{name} needs quoting somewhere"


def test_too_little_randomness_is_refused_before_anything_is_begun(case: Case) -> None:
    r = keyed(case, {"strategy": "random", "length": 12})
    before = r.fields()
    refused = r.rotate("KEY").expect(2)
    assert not lacks(refused.stderr, ["12 characters", "128 bits", '"length": 22']), refused
    assert r.fields() == before and r.record("KEY") == {}


def test_the_former_value_is_published_beside_the_new_one(case: Case) -> None:
    r = keyed(case, {"strategy": "random", "bytes": 32, "as": "hex", "keep": 1}, OTHER="stays as it is")
    first = now(r)["KEY"]
    r.rotate("KEY").expect(0)
    second = now(r)
    assert second["KEY_PREVIOUS"] == first and second["KEY"] != first and second["OTHER"] == "stays as it is"
    r.rotate("KEY").expect(0)
    assert now(r)["KEY_PREVIOUS"] == second["KEY"]


def test_a_list_of_former_values_has_the_newest_first_and_no_more_than_asked(case: Case) -> None:
    r = keyed(case, {"strategy": "random", "bytes": 16, "as": "hex", "keep": 3})
    values = [now(r)["KEY"]]
    for _ in range(5):
        r.rotate("KEY").expect(0)
        values.append(now(r)["KEY"])
    assert r.fields()["KEY_PREVIOUS"].split(",") == [values[4], values[3], values[2]]


def test_a_value_that_has_the_separator_in_it_is_not_put_into_a_list(case: Case) -> None:
    r = keyed(case, {"strategy": "random", "bytes": 16, "keep": 2})
    r.bao.put(r.path, {"KEY": case.canaries.new("one") + "," + case.canaries.new("two")})
    refused = r.rotate("KEY").expect(2)
    assert not lacks(refused.stderr, ["separator ','", "keep"]), refused
    assert r.record("KEY") == {}


def test_a_rollback_gives_back_the_former_and_what_was_published_with_it(case: Case) -> None:
    r = keyed(case, {"strategy": "random", "bytes": 32, "as": "hex", "keep": 1, "grace": "1h"})
    first = now(r)["KEY"]
    r.rotate("KEY").expect(0)
    second = now(r)["KEY"]
    r.rotate("--rollback", "KEY").expect(0)
    assert r.fields() == {"KEY": first, "KEY_PREVIOUS": second}, "what was signed meanwhile is verified still"
    assert r.record("KEY") == {}


# ---- manual ----------------------------------------------------------------------------------------------


STEPS = ["open https://provider.example/keys", "make a key and paste it here", "delete the old key"]


def manual(case: Case, **rules: Any) -> Rotating:
    first = {"KEY": case.canaries.new("the first value", prefix="pk_")}
    return Rotating(case, {"KEY": {**SOURCE, "prefix": "pk_", "rotate": {"strategy": "manual", "steps": STEPS},
                                   **rules}}, first)


def test_what_a_person_made_is_read_checked_and_promoted(case: Case) -> None:
    r = manual(case)
    made = case.canaries.new("made by hand", prefix="pk_")
    done = r.rotate("KEY", "--value-stdin", text=made.encode() + b"\n").expect(0)
    assert r.fields() == {"KEY": made}
    assert STEPS[2] in done.stderr, "what agent can't do is said"


def test_what_the_contract_refuses_is_not_promoted(case: Case) -> None:
    r = manual(case)
    before = r.fields()
    wrong = r.rotate("KEY", "--value-stdin", text=case.canaries.new("wrong").encode())
    assert wrong.code == 1 and "pk_" in wrong.stderr, wrong
    assert r.fields() == before and r.record("KEY") == {}, "what was is"


def test_the_present_value_is_no_new_one(case: Case) -> None:
    r = manual(case)
    same = r.rotate("KEY", "--value-stdin", text=r.fields()["KEY"].encode()).expect(1)
    assert "present value" in same.stderr and r.record("KEY") == {}
    nothing = r.rotate("KEY", "--value-stdin", text=b"")
    assert nothing.code != 0 and r.record("KEY") == {}, nothing


def test_the_former_is_left_until_the_contracts_test_refuses_it(case: Case) -> None:
    r = manual(case)
    r.contract({"KEY": {**SOURCE, "prefix": "pk_", "rotate": {
        "strategy": "manual", "steps": STEPS, "test": {"command": ["./accepts"]}}}})
    # Accepts what the file lists, as a provider does.
    program = case.folder / "accepts"
    program.write_text("#!/bin/sh\ntold=$(cat)\nfor key in $(cat accepted); do\n"
                       "case $told in *pending*$key*) exit 0;; esac\ndone\nexit 1\n")
    program.chmod(0o755)
    first, made = r.fields()["KEY"], case.canaries.new("made by hand", prefix="pk_")
    (case.folder / "accepted").write_text(f"{first}\n{made}\n")
    left = r.rotate("KEY", "--value-stdin", text=made.encode()).expect(1)
    assert not lacks(left.stderr, ["still accepts the former", STEPS[2], "--resume KEY"]), left
    assert r.fields() == {"KEY": made} and r.record("KEY")["step"] == "retire"
    (case.folder / "accepted").write_text(f"{made}\n")
    r.rotate("--resume", "KEY").expect(0)
    assert r.record("KEY") == {}


def test_the_plan_shows_what_is_done_by_hand(case: Case) -> None:
    shown = manual(case).rotate("KEY", "--dry-run").expect(0)
    assert not lacks(shown.stdout, STEPS), shown
