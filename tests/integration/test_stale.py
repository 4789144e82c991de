"""`stale_ok`: a start while Vault is away, on what it said last, for as long as the contract allows."""
from __future__ import annotations

import stat
import time
from typing import Any, Dict, List

from tests.lib.agent import Result
from tests.lib.case import Case, lacks
from tests.lib.project import Project

SECRET = {"type": "string", "secret": True}
VAULT = {"deadline": "1s", "timeout": "1s"}
RUN = {"stale": {"dir": "copies", "key_file": "stale.key"}}


class Away:
    """An OpenBao with one secret, a contract that reads it, and an address at which nobody answers."""

    def __init__(self, case: Case, **variable: Any) -> None:
        self.case, self.bao = case, case.openbao
        self.mount = self.bao.kv(2)
        self.value = self.put("value")
        self.variable = {**SECRET, "source": f"vault:{self.mount}/app#v", "stale_ok": "1h", **variable}
        self.contract()

    def put(self, name: str) -> str:
        """Give the secret a new value."""
        value = self.case.canaries.new(name)
        self.bao.put(f"{self.mount}/app", {"v": value})
        return value

    def contract(self, **more: Any) -> None:
        """Write the contract: the variable V, and what is in `more`."""
        variables = {"V": self.variable, **more.pop("variables", {})}
        Project(self.case).contract(variables, **{"vault": VAULT, "run": RUN, **more})

    def there(self, *args: str, env: Dict[str, str] = {}) -> Result:
        """Run with Vault."""
        return self.case.agent(*args, env={"VAULT_ADDR": self.bao.address, "VAULT_TOKEN": self.bao.token, **env},
                               prints_secrets=True)

    def away(self, *args: str, env: Dict[str, str] = {}) -> Result:
        """Run without: nothing listens at port 1."""
        return self.there(*args, env={"VAULT_ADDR": "http://127.0.0.1:1", **env})

    def copies(self) -> List[str]:
        """The names of the copies' files."""
        folder = self.case.folder / "copies"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_what_vault_said_last_is_used_while_it_is_away(case: Case) -> None:
    away = Away(case)
    first = away.away("fetch").expect(3)
    assert not lacks(first.stderr, ["V", "Nor is there a last known value"]), first
    for command in (["fetch"], ["check"], ["run", "--", "true"]):
        for path in away.copies():
            (case.folder / "copies" / path).unlink()
        away.there(*command).expect(0)
        assert len(away.copies()) == 1, command
        got = away.away("fetch").expect(0)
        assert got.stdout == f"V={away.value}\n"
        assert not lacks(got.stderr, ["warn", "last known value is used", "variable=V", "age="]), got
    ran = away.away("run", "--", "sh", "-c", "echo $V").expect(0)
    assert ran.stdout == away.value + "\n"
    away.away("check").expect(0)
    changed = away.put("another value")
    assert away.there("fetch").expect(0).stdout == f"V={changed}\n"
    assert away.away("fetch").expect(0).stdout == f"V={changed}\n", "the copy is of the last fetch"


def test_copies_are_shut_to_others_and_have_no_value_in_the_clear(case: Case) -> None:
    away = Away(case)
    away.there("fetch").expect(0)
    folder, key = case.folder / "copies", case.folder / "stale.key"
    files = [key, *folder.iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and key.stat().st_size == 32
    for path in files:
        case.canaries.check(path.read_bytes(), path.name)
    folder.chmod(0o755)
    refused = away.away("fetch").expect(3)
    assert not lacks(refused.stderr, ["open to others (mode 0755)"]), refused
    warned = away.there("fetch").expect(0)
    assert not lacks(warned.stderr, ["could not be kept", "chmod 0700"]), warned
    folder.chmod(0o700)
    key.unlink()
    away.away("fetch").expect(3)
    away.there("fetch").expect(0)
    away.away("fetch").expect(0)


def test_a_refusal_is_never_answered_by_a_copy(case: Case) -> None:
    away = Away(case)
    away.there("fetch").expect(0)
    denied = away.there("fetch", env={"VAULT_TOKEN": "no-such-token"}).expect(4)
    assert "last known" not in denied.stderr
    away.bao.request("DELETE", f"{away.mount}/metadata/app")
    missing = away.there("fetch").expect(4)
    assert "last known" not in missing.stderr
    away.away("fetch").expect(0)


def test_a_copy_is_good_for_so_long_and_for_one_source_and_profile(case: Case) -> None:
    away = Away(case, stale_ok="1s")
    away.there("fetch").expect(0)
    time.sleep(2.1)
    old = away.away("fetch").expect(3)
    assert not lacks(old.stderr, ["the copy is", "old, and stale_ok is 1s"]), old

    away.variable["stale_ok"] = "1h"
    away.contract()
    away.there("fetch").expect(0)
    away.variable["source"] = f"vault:{away.mount}/app#other"
    away.contract()
    other = away.away("fetch").expect(3)
    assert "another source" in other.stderr
    away.variable["source"] = f"vault:{away.mount}/app#v"
    away.contract(profile={"var": "STAGE", "values": ["dev", "prod"]},
                  variables={"STAGE": {"type": "enum", "values": ["dev", "prod"], "source": "env"}})
    profile = away.away("fetch", "--profile=prod").expect(3)
    assert "there is no copy" in profile.stderr


def test_only_what_asks_for_it_has_a_copy_and_it_is_checked_again(case: Case) -> None:
    away = Away(case)
    plain = {**SECRET, "source": f"vault:{away.mount}/app#v"}
    away.contract(variables={"PLAIN": plain})
    away.there("fetch").expect(0)
    assert len(away.copies()) == 1 and away.copies()[0].startswith("V-")
    failed = away.away("fetch").expect(3)
    assert not lacks(failed.stderr, ["PLAIN"]), failed
    assert away.away("fetch", "V").expect(0).stdout == f"V={away.value}\n"
    away.variable["prefix"] = "re_"
    away.contract()
    wrong = away.away("fetch").expect(1)
    assert not lacks(wrong.stderr, ["V", "re_"]), wrong


def test_leased_credentials_are_kept_by_what_leaves_them_alive(case: Case) -> None:
    bao, database = case.openbao, case.database()
    engine = bao.database_engine(case.postgres, database.name)
    away = Away(case, source=f"vault:{engine}/creds/app#password")
    away.there("check").expect(0)
    assert away.copies() == [], "check revokes what it leased"
    got = away.there("fetch").expect(0).stdout
    assert away.away("fetch").expect(0).stdout == got
    bao.request("PUT", f"sys/leases/revoke-prefix/{engine}")


def test_explain_says_which_value_is_a_copy_and_how_old(case: Case) -> None:
    away = Away(case)
    away.there("fetch").expect(0)
    fresh = away.there("fetch", "--explain", "--json").expect(0).json()["variables"][0]
    assert (fresh["origin"], fresh["stale_age_s"]) == ("source", None), fresh
    one = away.away("fetch", "--explain", "--json").expect(0).json()["variables"][0]
    assert one["name"] == "V" and one["stale_age_s"] is not None and one["stale_age_s"] < 600, one
    text = away.away("fetch", "--explain").expect(0)
    assert not lacks(text.stdout, ["V", "stale copy", f"vault:{away.mount}/app#v"]), text
    for said in (text.stdout, text.stderr):
        assert away.value not in said
