"""`agent rotate`, strategy `hook`: what a hook is told in each step, what its answers mean, and hooks that misbehave."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional

from tests.lib.case import Case, lacks
from tests.lib.rotating import Rotating

# A hook that does as `plan.json` says, and notes what it was told. {step: [{"exit", "stdout", "stderr", "sh"}]}:
# the first call of a step has the first answer, the last one stays.
HOOK = """#!/usr/bin/python3
import json, os, sys, time
here = os.path.dirname(os.path.abspath(__file__))
told = json.load(sys.stdin)
with open(here + "/told", "a") as notes:
    notes.write(json.dumps({"told": told, "argv": sys.argv, "env": dict(os.environ), "cwd": os.getcwd()}) + "\\n")
with open(here + "/plan.json") as file:
    answers = json.load(file).get(told["step"], [{}])
with open(here + "/told") as notes:
    calls = sum(json.loads(line)["told"]["step"] == told["step"] for line in notes)
answer = answers[min(calls, len(answers)) - 1]
for name in ("current", "pending"):
    for value in told[name].values():
        answer = json.loads(json.dumps(answer).replace("@" + name + "@", value))
sys.stderr.write(answer.get("stderr", ""))
sys.stderr.flush()
if "sh" in answer:
    os.execvp("sh", ["sh", "-c", answer["sh"]])
sys.stdout.write(answer.get("stdout", "{}"))
sys.exit(answer.get("exit", 0))
"""


class Hooked:
    """A secret in KV that a hook rotates."""

    def __init__(self, case: Case, plan: Optional[Dict[str, Any]] = None, rules: Optional[Dict[str, Any]] = None,
                 fields: Optional[Dict[str, str]] = None, **rotate: Any) -> None:
        self.case = case
        self.first = case.canaries.new("the first key")
        self.made = case.canaries.new("the made key")
        self.folder = case.folder / "hooks"
        self.folder.mkdir()
        self.file = self.folder / "hook"
        self.file.write_text(HOOK)
        self.file.chmod(0o755)
        self.r = Rotating(case, {"KEY": {
            "source": "vault:{mount}/app#KEY", **(rules or {}),
            "rotate": {"strategy": "hook", "hook": ["hooks/hook", "an argument"], **rotate}}},
            {"KEY": self.first, "OTHER": "stays as it is", **(fields or {})})
        self.plan(**{"create": [self.created()], **(plan or {})})

    def created(self, **more: str) -> Dict[str, Any]:
        """What `create` answers."""
        return {"stdout": json.dumps({"secret": {"KEY": self.made, **more}})}

    def plan(self, **steps: Any) -> None:
        """What the hook answers."""
        (self.folder / "plan.json").write_text(json.dumps(steps))

    def calls(self) -> List[Dict[str, Any]]:
        """What it was told so far."""
        path = self.folder / "told"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def steps(self) -> List[str]:
        """The steps that it was called for."""
        return [call["told"]["step"] for call in self.calls()]

    def key(self) -> str:
        return str(self.r.fields()["KEY"])


# ---- the dialogue ----------------------------------------------------------------------------------------


def test_a_hook_is_told_what_its_step_needs_and_no_more(case: Case) -> None:
    h = Hooked(case, config={"project": "p", "deep": {"er": [1, True, None]}})
    h.r.rotate("KEY", env={"NOT_LISTED": "x"}).expect(0)
    assert h.steps() == ["create", "set", "test", "promote", "retire"]
    former, pending = {"KEY": h.first}, {"KEY": h.made}
    given = {call["told"]["step"]: (call["told"]["current"], call["told"]["pending"]) for call in h.calls()}
    assert given == {"create": (former, {}), "set": (former, pending), "test": ({}, pending), "promote": ({}, {}),
                     "retire": (former, pending)}, "and nothing of OTHER"
    told = h.calls()[0]["told"]
    assert set(told) == {"version", "name", "step", "id", "profile", "attempt", "current", "pending", "config"}
    assert (told["version"], told["name"], told["attempt"]) == (1, "KEY", 1) and len(told["id"]) == 32
    assert told["config"] == {"project": "p", "deep": {"er": [1, True, None]}}
    for call in h.calls():
        assert set(call["env"]) - {"LC_CTYPE", "PWD", "OLDPWD", "SHLVL", "_"} <= {"PATH", "HOME", "LANG"}, call["env"]
        assert call["argv"][1:] == ["an argument"] and call["cwd"] == str(case.folder.path)
        assert call["told"]["id"] == told["id"]
    assert h.key() == h.made and h.r.fields()["OTHER"] == "stays as it is" and h.r.record("KEY") == {}


def test_names_that_the_contract_lists_are_handed_on(case: Case) -> None:
    h = Hooked(case, env=["PROVIDER_KEY"])
    h.r.rotate("KEY", env={"PROVIDER_KEY": "of the provider", "OTHER_KEY": "no"}).expect(0)
    assert all(call["env"]["PROVIDER_KEY"] == "of the provider" and "OTHER_KEY" not in call["env"]
               for call in h.calls())


def test_a_part_of_what_is_handed_on_is_not_shown(case: Case) -> None:
    parts = {name: case.canaries.new(name) for name in ("password", "token", "key")}
    config = json.dumps({"user": "acme", "password": parts["password"], "url": f"https://u:{parts['token']}@acme.io/"})
    h = Hooked(case, {"set": [{"stderr": "acme: {password}, {token}, {key}\n".format(**parts)}]},
               fields={"CONFIG": config, "URL": f"redis://:{parts['key']}@cache/0"}, env=["CONFIG", "URL"])
    rotate = {"strategy": "none", "why": "a test's"}
    h.r.contract({"KEY": json.loads((case.folder / "contract.json").read_text())["vars"]["KEY"],
                  "CONFIG": {"source": "vault:{mount}/app#CONFIG", "rotate": rotate},
                  "URL": {"source": "vault:{mount}/app#URL", "rotate": rotate}})
    said = h.r.rotate("KEY").expect(0).stderr
    assert "acme: ***, ***, ***" in said, said


def test_steps_that_a_provider_does_not_have_are_passed_over(case: Case) -> None:
    none = [{"exit": 78, "stdout": ""}]
    h = Hooked(case, {"create": none, "set": [{}], "test": none, "promote": none, "retire": none},
               bytes=24, **{"as": "hex"})
    h.r.rotate("KEY").expect(0)
    made = h.case.canaries.add("a generated key", h.key())
    assert len(made) == 48 and h.steps() == ["create", "set", "test", "promote", "retire"]
    assert h.calls()[1]["told"]["pending"] == {"KEY": made}, "it was generated, and recorded, before set"


def test_done_already_is_done_and_messages_are_shown_without_secrets(case: Case) -> None:
    h = Hooked(case, {"set": [{"exit": 10, "stdout": '{"message": "had @pending@ already"}'}],
                      "test": [{"stdout": '{"message": "logged in"}'}]})
    done = h.r.rotate("KEY").expect(0)
    assert not lacks(done.stderr, ["set: had *** already", "test: logged in"]), done


def test_what_it_writes_to_stderr_is_logged_without_secrets(case: Case) -> None:
    h = Hooked(case, {"set": [{"stderr": "first line\nfor @pending@ and @current@\n"}]})
    done = h.r.rotate("KEY").expect(0)
    assert not lacks(done.stderr, ["first line", "for *** and ***", "hook step 'set'"]), done


def test_a_provider_that_is_busy_is_asked_again_and_told_so(case: Case) -> None:
    h = Hooked(case, {"set": [{"exit": 20, "stdout": '{"message": "423 locked"}'}, {}]})
    h.r.rotate("KEY").expect(0)
    attempts = [call["told"]["attempt"] for call in h.calls() if call["told"]["step"] == "set"]
    assert attempts == [1, 2] and h.steps().count("create") == 1 and h.key() == h.made


def test_fields_beside_the_value_are_published_and_given_back_to_it(case: Case) -> None:
    h = Hooked(case, fields={"KEY_ID": "old"})
    h.plan(create=[h.created(KEY_ID="new")])
    h.r.rotate("KEY").expect(0)
    assert h.r.fields() == {"KEY": h.made, "KEY_ID": "new", "OTHER": "stays as it is"}
    retire = h.calls()[-1]["told"]
    assert retire["current"] == {"KEY": h.first, "KEY_ID": "old"} and retire["pending"]["KEY_ID"] == "new"


def test_of_a_url_only_user_and_password_change(case: Case) -> None:
    url = "postgresql://app:%s@db.example:5432/app?sslmode=verify-full&application_name=a%%20b"
    h = Hooked(case, rules={"type": "postgres-url"})
    h.r.bao.put(h.r.path, {"KEY": url % h.first})
    password = case.canaries.new("a made password", prefix="p@/")
    h.plan(create=[{"stdout": json.dumps({"secret": {"password": password}})}])
    h.r.rotate("KEY").expect(0)
    assert h.key() == url % password.replace("@", "%40").replace("/", "%2F")


# ---- crashes, and the ways back ---------------------------------------------------------------------------


def record(h: Hooked, step: str, **more: Any) -> Dict[str, Any]:
    return {"format": 1, "id": "0123456789abcdef0123456789abcdef", "variable": "KEY", "strategy": "hook",
            "step": step, "started": "2026-11-26T00:00:00Z", "by": "somebody", "reason": "", "base_version": 1,
            "runner": "gone", "sequence": 1, "fields": {}, "former": {}, "state": {}, **more}


def test_a_key_whose_answer_was_lost_is_created_again_under_the_same_id(case: Case) -> None:
    h = Hooked(case)
    h.r.put_record("KEY", record(h, "set"))
    h.r.rotate("--resume", "KEY").expect(0)
    create = h.calls()[0]["told"]
    assert (create["step"], create["id"], create["attempt"]) == ("create", record(h, "set")["id"], 2)
    assert create["current"] == {"KEY": h.first} and h.key() == h.made


def test_a_key_that_was_recorded_is_not_created_again(case: Case) -> None:
    h = Hooked(case)
    h.r.put_record("KEY", record(h, "set", fields={"KEY": h.made}, former={"KEY": h.first}))
    h.r.rotate("--resume", "KEY").expect(0)
    assert h.steps() == ["set", "test", "promote", "retire"] and h.calls()[0]["told"]["attempt"] == 2


def test_a_test_that_fails_takes_back_what_was_set(case: Case) -> None:
    h = Hooked(case, {"test": [{"exit": 1, "stdout": '{"message": "401 with @pending@"}'}]})
    failed = h.r.rotate("KEY")
    assert failed.code == 4 and not lacks(failed.stderr, ["step 'test'", "exit code 1", "401 with ***"]), failed
    assert h.steps() == ["create", "set", "test", "rollback"] and h.key() == h.first and h.r.record("KEY") == {}
    rollback = h.calls()[-1]["told"]
    assert rollback["current"] == {"KEY": h.first} and rollback["pending"] == {"KEY": h.made}


def test_a_set_that_fails_stays_for_resume_or_abort(case: Case) -> None:
    h = Hooked(case, {"set": [{"exit": 3}]})
    left = h.r.rotate("KEY").expect(7)
    assert not lacks(left.stderr, ["exit code 3", "--resume KEY", "--abort KEY"]), left
    assert h.key() == h.first and h.r.record("KEY")["step"] == "set"
    h.r.rotate("--abort", "KEY").expect(0)
    assert h.steps() == ["create", "set", "rollback"] and h.r.record("KEY") == {}


def test_behind_promote_the_hook_gives_back_the_former(case: Case) -> None:
    h = Hooked(case, grace="1h")
    h.r.rotate("KEY").expect(0)
    assert h.key() == h.made and h.steps() == ["create", "set", "test", "promote"], "it soaks"
    h.r.rotate("--rollback", "KEY").expect(0)
    assert h.key() == h.first and h.r.record("KEY") == {}
    assert h.steps().count("rollback") == 1 and "retire" not in h.steps()


def test_a_key_that_could_not_be_ended_is_reported(case: Case) -> None:
    h = Hooked(case, {"retire": [{"exit": 1, "stdout": '{"message": "still in use"}'}, {}]})
    left = h.r.rotate("KEY").expect(1)
    assert "still in use" in left.stderr and h.key() == h.made and h.r.record("KEY")["step"] == "retire"
    h.r.rotate("--resume", "KEY").expect(0)
    assert h.r.record("KEY") == {}


def test_a_hook_that_ended_nothing_is_caught_by_the_contracts_test(case: Case) -> None:
    h = Hooked(case, test={"command": ["./accepts"]})
    program = case.folder / "accepts"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    left = h.r.rotate("KEY").expect(1)
    assert "still accepts the former value" in left.stderr and h.r.record("KEY")["step"] == "retire"
    program.write_text("#!/bin/sh\nexit 1\n")
    h.r.rotate("--resume", "KEY").expect(0)
    assert h.steps().count("retire") == 2 and h.r.record("KEY") == {}


# ---- hooks that misbehave --------------------------------------------------------------------------------


def refused(h: Hooked, code: int, *parts: str, step: str = "") -> None:
    ended = h.r.rotate("KEY")
    assert ended.code == code and not lacks(ended.stderr, parts), ended
    assert h.key() == h.first, "what was is"
    assert h.r.record("KEY").get("step", "") == step


def test_a_file_that_cannot_be_run_is_said_before_anything_is_begun(case: Case) -> None:
    h = Hooked(case)
    h.file.chmod(0o644)
    refused(h, 2, "hooks/hook", "Permission denied", "chmod +x")
    h.file.chmod(0o777)
    refused(h, 2, "hooks/hook", "written by others")
    h.file.unlink()
    refused(h, 2, "hooks/hook", "No such file", "contract's folder")
    assert h.calls() == []


def lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def test_a_hook_that_hangs_is_killed_with_all_that_it_started(case: Case) -> None:
    h = Hooked(case, timeout="200ms")
    h.file.write_text("#!/bin/sh\nsleep 600 & echo $! >>hooks/pids\nsleep 600\n")
    ended = h.r.rotate("KEY").expect(7)
    assert not lacks(ended.stderr, ["ran out of time", "was killed", "asked again", "timeout"]), ended
    pids = (h.folder / "pids").read_text().split()
    assert len(pids) > 1 and not [pid for pid in pids if lives(pid)], "what it started lives on"
    assert h.key() == h.first


def test_a_hook_that_floods_is_stopped(case: Case) -> None:
    h = Hooked(case, {"create": [{"sh": "exec cat /dev/zero"}]})
    refused(h, 7, "create", "more than 1048576 bytes", step="set")


def test_a_hook_that_dies_is_said_with_its_signal(case: Case) -> None:
    h = Hooked(case, {"create": [{"sh": "kill -SEGV $$"}]})
    refused(h, 7, "create", "SIGSEGV", step="set")


def test_answers_of_another_shape_are_told_by_member_and_never_by_value(case: Case) -> None:
    lie = case.canaries.new("a lie")
    answers = {
        "no JSON": ("no JSON at all " + lie, "its stdout"),
        "member": (json.dumps({"secrets": {"KEY": lie}}), "'secrets'"),
        "number": (json.dumps({"secret": {"KEY": 12345678}}), "'KEY', which is no string"),
        "other field": (json.dumps({"secret": {"NO_KEY": lie}}), "no secret in the field 'KEY'"),
        "nothing": ("", "no secret in the field 'KEY'"),
    }
    h = Hooked(case)
    for name, (stdout, part) in answers.items():
        h.plan(create=[{"stdout": stdout}])
        ended = h.r.rotate("KEY").expect(7)
        assert not lacks(ended.stderr, ["'create'", part]), f"{name}: {ended}"
        h.r.rotate("--abort", "KEY").expect(0)
    h.plan(create=[h.created()], set=[{"stdout": json.dumps({"secret": {"KEY": lie}})}])
    refused(h, 7, "'set'", "'secret'", "none of this step's", step="set")


def test_a_provider_that_says_yes_and_did_nothing_is_caught_by_the_test(case: Case) -> None:
    h = Hooked(case, {"create": [{"exit": 78}]}, test={"command": ["hooks/test"]}, length=32)
    probe = h.folder / "test"
    probe.write_text("#!/bin/sh\nexit 3\n")
    probe.chmod(0o755)
    ended = h.r.rotate("KEY").expect(1)
    assert not lacks(ended.stderr, ["hooks/test", "ended with 3"]), ended
    assert h.steps()[-1] == "rollback" and h.key() == h.first and h.r.record("KEY") == {}
