"""The sealed store and stale copies where memory, the disk or a call fails: a named error, and the store as it was."""
from __future__ import annotations

import shutil

from tests.integration.test_fault import (SECRET, VALUE, run_with, scripted_vault, vault_contract,
                                          without_memory)
from tests.lib.case import Case
from tests.lib.project import Project

VARIANT = "release"
MOST = 40
FAILURES = ("write:error=ENOSPC", "write:error=EIO", "fsync:error=EIO", "renameat:error=EACCES",
            "fchmod:error=EPERM", "flock:error=ENOLCK")


def make_store(case: Case) -> None:
    """A store with two values; files with the next ones."""
    run_with(case, ["seal", "init"], {}).expect(0)
    case.folder.write("value", VALUE + "\n", 0o600)
    case.folder.write("other", VALUE + "2\n", 0o600)
    for name in ("A", "B"):
        run_with(case, ["seal", "set", name, "--file=value"], {}).expect(0)


def assert_whole(case: Case, *values: str) -> None:
    """A is one of them, B is what it was, and nothing is left beside the store."""
    assert run_with(case, ["seal", "get", "A"], {}).expect(0).stdout in values
    assert run_with(case, ["seal", "get", "B"], {}).expect(0).stdout == VALUE
    assert not [path.name for path in case.folder.path.iterdir() if path.name.startswith(".agent-")]


def test_memory_fails_where_things_are_sealed(case: Case) -> None:
    make_store(case)
    whole = (case.folder / "sealed.json").read_bytes()

    def again() -> None:
        (case.folder / "sealed.json").write_bytes(whole)

    without_memory(case, ["seal", "list"], {}, MOST)
    without_memory(case, ["seal", "get", "A"], {}, MOST)
    without_memory(case, ["seal", "export", "--format=json"], {}, MOST)
    without_memory(case, ["seal", "set", "A", "--file=other"], {}, MOST,
                   after=lambda _result: assert_whole(case, VALUE, VALUE + "2"), before=again)
    again()
    without_memory(case, ["seal", "rekey"], {}, MOST, after=lambda _result: assert_whole(case, VALUE))
    without_memory(case, ["seal", "rm", "A"], {}, MOST, before=again)
    again()
    Project(case).contract({"A": {**SECRET, "source": "sealed:A"}})
    without_memory(case, ["fetch", "--format=json"], {}, MOST)


def test_calls_fail_where_things_are_sealed(case: Case) -> None:
    if shutil.which("strace") is None:
        case.skip("strace is not installed")
    make_store(case)
    before = (case.folder / "sealed.json").read_bytes()
    for failure in FAILURES:
        result = run_with(case, ["seal", "set", "A", "--file=other", "-q"], {},
                          prefix=["strace", "-qq", "-o", "/dev/null", "-e", f"inject={failure}:when=1"])
        assert result.code in (2, 9) and result.stderr.startswith("error "), (failure, result)
        assert (case.folder / "sealed.json").read_bytes() == before, failure
        assert_whole(case, VALUE)


def test_memory_fails_where_a_copy_is_kept_and_used(case: Case) -> None:
    vault = case.scripted(scripted_vault)
    env = vault_contract(case, vault.address)
    variable = {**SECRET, "source": "vault:kv/app#x", "stale_ok": "1h"}
    auth = {"method": "approle", "role_id": "env:ROLE", "secret_id": "env:SECRET_ID"}

    def contract(address: str, deadline: str) -> None:
        Project(case).contract({"X": variable}, run={"stale": {"dir": "copies", "key_file": "key"}},
                               vault={"address": address, "auth": auth, "kv": {"kv": 2}, "deadline": deadline})

    contract(vault.address, "2s")
    without_memory(case, ["fetch", "--format=json", "-q"], env, 20)
    run_with(case, ["fetch", "-q"], env).expect(0)
    contract("http://127.0.0.1:1", "100ms")
    without_memory(case, ["fetch", "--format=json", "-q"], env, 20)
