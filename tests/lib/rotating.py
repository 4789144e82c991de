"""A contract with secrets that are rotated, in an OpenBao: what the tests of strategies share."""
from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from tests.lib.agent import Result
from tests.lib.case import Case
from tests.lib.project import Project
from tests.lib.servers import Database

RECORDS = ".agent"  # below the mount: where the state of what lies in no KV path is kept


def composed_url(path: str, database: Database, port: Optional[int] = None,
                 user: str = "user") -> Dict[str, Any]:
    """A variable that is composed of a user and a password that lie at a path of Vault."""
    return {"type": "postgres-url", "secret": True,
            "source": {"user": f"vault:{path}#{user}", "password": f"vault:{path}#password"},
            "compose": "postgresql://{user|url}:{password|url}@127.0.0.1:"
                       f"{port or database.server.port}/{database.name}?sslmode=disable"}


def rotated_by_admin(url: Mapping[str, Any], rotate: Mapping[str, Any], admin_path: str) -> Dict[str, Any]:
    """The variables of a database whose credential, `url`, an admin rotates, whose own lies at that path."""
    return {"DATABASE_URL": {**url, "rotate": {"every": "30d", "admin": "ADMIN_URL", **rotate}},
            "ADMIN_URL": {"type": "postgres-url", "secret": True, "expose": "agent",
                          "source": f"vault:{admin_path}#url",
                          "rotate": {"strategy": "none", "why": "a test"}}}


class Rotating:
    """`variables`: the contract's, whose sources may say `{mount}` for a KV mount of the test's own."""

    def __init__(self, case: Case, variables: Mapping[str, Mapping[str, Any]],
                 fields: Optional[Mapping[str, str]] = None, **more: Any) -> None:
        self.case, self.bao = case, case.openbao
        self.mount = self.bao.kv(2)
        self.path = f"{self.mount}/app"
        self.env = {"VAULT_ADDR": self.bao.address, "VAULT_TOKEN": self.bao.token}
        if fields:
            self.bao.put(self.path, fields)
        self.contract(variables, **more)

    def contract(self, variables: Mapping[str, Mapping[str, Any]], **more: Any) -> None:
        """Write the contract."""
        made = {name: self._filled({"type": "string", "secret": True, **rules})
                for name, rules in variables.items()}
        Project(self.case).contract(
            made, **{"records": f"vault:{self.mount}/{RECORDS}/{{name}}", **more})

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._filled(inner) for name, inner in value.items()}
        return value.replace("{mount}", self.mount) if isinstance(value, str) else value

    def rotate(self, *args: str, **how: Any) -> Result:
        """Run `agent rotate ARGS`."""
        how["env"] = {**self.env, **how.get("env", {})}
        return self.case.agent("rotate", *args, **how)

    def fields(self, rest: str = "app") -> Dict[str, Any]:
        """What is there now; {} where nothing is."""
        return self.bao.read(f"{self.mount}/{rest}") or {}

    def record(self, name: str) -> Dict[str, Any]:
        """The open rotation of a variable; {} where there is none."""
        return self.fields(f"app.pending/{name}") or self.fields(f"{RECORDS}/{name}.pending/{name}")

    def put_record(self, name: str, record: Mapping[str, Any]) -> None:
        """Have an open rotation look as if its runner had died there."""
        self.bao.put(f"{self.mount}/app.pending/{name}", record)


def results(shown: Result) -> List[Dict[str, Any]]:
    """What `rotate --json` says of each."""
    return list(shown.json()["rotated"])
