"""Upstash: the developer API's database, and the database's REST API with its access control list.

As documented: commands are posted as JSON lists with a bearer token; 401 for a token that nobody has, 400
`{"error"}` for a command that fails. ACL GENTOKEN wraps a password for a user and changes nothing;
SETUSER takes only such tokens (">token", "<token"), a user may have several, `default` can't be changed.
A reset of the database's password changes the REST tokens too.
"""
from __future__ import annotations

import base64
import secrets
import uuid
from typing import Any, List, Optional

from tests.lib.providers.base import Answer, Asked, Provider, Route, say

HARMLESS = {"PING", "GET", "SET", "WHOAMI"}


class Upstash(Provider):
    """`email`, `api_key`: of the developer API; `admin`: the REST token of the user default."""

    def __init__(self) -> None:
        super().__init__()
        self.database_id = str(uuid.uuid4())
        self.email, self.api_key = "ops@example.org", secrets.token_hex(16)
        self.state = {"users": {}, "password": "", "tokens": []}
        self.reset()

    # ---- what tests look at -------------------------------------------------------------------

    @property
    def admin(self) -> str:
        """The REST token of the user default."""
        return str(self.state["tokens"][0])

    @property
    def password(self) -> str:
        """The database's password, of the user default."""
        return str(self.state["password"])

    def add_user(self, name: str, *rules: str) -> str:
        """An ACL user with one token; gives it."""
        token = self._token_for(name)
        self.state["users"][name] = {"tokens": [token], "rules": list(rules or ["+@all"])}
        return token

    def tokens(self, name: str) -> List[str]:
        """The tokens that a user has."""
        return list(self.state["users"].get(name, {"tokens": []})["tokens"])

    def accepts(self, token: str) -> bool:
        """Whether somebody has that token."""
        return self._who(token) is not None

    # ---- the API ------------------------------------------------------------------------------

    def problem(self, status: int, words: str) -> Any:
        return {"error": f"ERR {words}"}

    def routes(self) -> List[Route]:
        return [("POST /", self._command), ("GET /v2/redis/database/([^/]+)", self._database),
                ("POST /v2/redis/reset-password/([^/]+)", self._reset_password)]

    def reset(self) -> None:
        """The database's password is another one, and with it the REST token of `default`."""
        self.state["password"] = secrets.token_hex(16)
        self.state["tokens"] = [self._token_for("default")]

    @staticmethod
    def _token_for(user: str) -> str:
        return base64.b64encode(f"{user}:{secrets.token_hex(16)}".encode()).decode()

    def _who(self, token: str) -> Optional[str]:
        if token in self.state["tokens"]:
            return "default"
        return next((name for name, user in self.state["users"].items()
                     if token in user["tokens"]), None)

    # ---- the developer API --------------------------------------------------------------------

    def _described(self) -> Answer:
        return say({"database_id": self.database_id, "database_name": "acme", "state": "active",
                    "password": self.state["password"], "endpoint": "acme.upstash.io",
                    "port": 6379, "tls": True, "rest_token": self.admin})

    def _denied(self, asked: Asked, database: str) -> Optional[Answer]:
        if asked.basic != (self.email, self.api_key):
            return self.no(401, "Unauthorized")
        return None if database == self.database_id else self.no(404, "database not found")

    def _database(self, asked: Asked, database: str) -> Answer:
        return self._denied(asked, database) or self._described()

    def _reset_password(self, asked: Asked, database: str) -> Answer:
        denied = self._denied(asked, database)
        if denied is not None:
            return denied
        self.reset()
        return self._described()

    # ---- commands -----------------------------------------------------------------------------

    def _command(self, asked: Asked) -> Answer:
        user = self._who(asked.bearer)
        if user is None:
            return say({"error": "WRONGPASS invalid or missing auth token"}, 401)
        words = [str(word) for word in asked.body]
        name = words[0].upper()
        rules = ["+@all"] if user == "default" else self.state["users"][user]["rules"]
        if "+@all" not in rules and f"+{name.lower()}" not in rules:
            return say({"error": f"NOPERM this user has no permissions to run '{name}'"}, 400)
        if name == "ACL":
            return self._acl(user, words[1:])
        if name not in HARMLESS:
            return self.no(400, f"unknown command '{name}'")
        return say({"result": "PONG" if name == "PING" else None})

    def _acl(self, user: str, words: List[str]) -> Answer:
        name = words[0].upper()
        if name == "WHOAMI":
            return say({"result": user})
        if name == "GENTOKEN":
            return say({"result": self._token_for(words[1])})
        if name != "SETUSER":
            return self.no(400, f"unknown subcommand '{name}'")
        if words[1] == "default":
            return self.no(400, "the user default can't be modified")
        # All rules or none.
        users = self.state["users"]
        changed = {"tokens": self.tokens(words[1]),
                   "rules": list(users.get(words[1], {"rules": []})["rules"])}
        for rule in words[2:]:
            problem = self._apply(words[1], changed, rule)
            if problem:
                return self.no(400, f"Error in ACL SETUSER modifier '{rule}': {problem}")
        users[words[1]] = changed
        return say({"result": "OK"})

    @staticmethod
    def _apply(user: str, changed: Any, rule: str) -> str:
        if rule[0] in "><":
            try:
                owner = base64.b64decode(rule[1:], validate=True).decode().partition(":")[0]
            except ValueError:
                owner = ""
            if owner != user:
                return "no token of ACL GENTOKEN for that user"
            if rule[0] == ">" and rule[1:] not in changed["tokens"]:
                changed["tokens"].append(rule[1:])
            if rule[0] == "<":
                if rule[1:] not in changed["tokens"]:
                    return "the user has no such password"
                changed["tokens"].remove(rule[1:])
        elif rule[0] in "+~&-":
            changed["rules"].append(rule)
        elif rule != "on":
            return "syntax error"
        return ""
