"""Neon: roles of a branch, whose passwords are those of roles of a real PostgreSQL.

As documented: a reset answers the new password and operations; until the last one has finished the former
password is the one that works; while one runs, further changes are answered 423. What is stored can be
revealed, else 412.
"""
from __future__ import annotations

import secrets
import uuid
from typing import Any, Dict, List, Optional

from tests.lib.postgres import Postgres, Role, quote_name, quote_text
from tests.lib.providers.base import Answer, Asked, Provider, Route, say

ROLE = r"/projects/([^/]+)/branches/([^/]+)/roles/([^/]+)"


class Neon(Provider):
    """`roles`: logins of `server` with their present passwords. `polls`: how often the operations are looked
    at before they end."""

    project, branch = "aged-wildflower-123456", "br-young-forest-a5b6c7d8"

    def __init__(self, server: Postgres, roles: List[Role]) -> None:
        super().__init__()
        self._postgres = server
        self.api_key = "napi_" + secrets.token_hex(16)
        self.polls = 1
        self.stores_passwords = True
        self.state = {"passwords": {role.name: role.password for role in roles},
                      "operations": [], "waiting": {}, "polls": 0}

    # ---- what tests look at -------------------------------------------------------------------

    def resets(self) -> int:
        """How many there were."""
        return sum(line.endswith("/reset_password") for line in self.asked)

    def newest(self) -> Optional[Dict[str, Any]]:
        """The operation that was begun last."""
        return self.state["operations"][0] if self.state["operations"] else None

    def begin(self, action: str, status: str = "running") -> None:
        """An operation of somebody else."""
        self._begin(action, status)

    # ---- the API ------------------------------------------------------------------------------

    def problem(self, status: int, words: str) -> Any:
        return {"request_id": str(uuid.uuid4()), "code": "", "message": words}

    def routes(self) -> List[Route]:
        return [(f"POST {ROLE}/reset_password", self._reset),
                (f"GET {ROLE}/reveal_password", self._reveal),
                ("GET /projects/([^/]+)/operations", self._list)]

    def _denied(self, asked: Asked, project: str, branch: str, role: str) -> Optional[Answer]:
        if asked.bearer != self.api_key:
            return self.no(401, "unauthorized")
        if (project, branch) != (self.project, self.branch) or role not in self.state["passwords"]:
            return self.no(404, "not found")
        return None

    def _begin(self, action: str, status: str) -> Dict[str, Any]:
        made = {"id": str(uuid.uuid4()), "project_id": self.project, "branch_id": self.branch,
                "action": action, "status": status, "failures_count": 0}
        self.state["operations"].insert(0, made)
        self.state["polls"] = self.polls
        return made

    def _running(self) -> List[Dict[str, Any]]:
        return [one for one in self.state["operations"]
                if one["status"] in ("scheduling", "running", "cancelling")]

    def _end_operations(self) -> None:
        for one in self._running():
            one["status"] = "finished"
        for role, password in self.state["waiting"].items():
            self._postgres.sql(f"ALTER ROLE {quote_name(role)} PASSWORD {quote_text(password)}")
        self.state["waiting"] = {}

    def _reset(self, asked: Asked, project: str, branch: str, role: str) -> Answer:
        denied = self._denied(asked, project, branch, role)
        if denied is not None:
            return denied
        if self._running():
            return self.no(423, "project already has running operations, scheduling of new ones is "
                                "prohibited")
        password = "npg_" + secrets.token_hex(12)
        self.state["passwords"][role] = password
        self.state["waiting"][role] = password
        made = [self._begin("apply_config", "running"), self._begin("suspend_compute", "scheduling")]
        return say({"role": {"branch_id": branch, "name": role, "password": password,
                             "protected": False}, "operations": made})

    def _reveal(self, asked: Asked, project: str, branch: str, role: str) -> Answer:
        denied = self._denied(asked, project, branch, role)
        if denied is not None:
            return denied
        if not self.stores_passwords:
            return self.no(412, "password storage is off")
        return say({"password": self.state["passwords"][role]})

    def _list(self, asked: Asked, project: str) -> Answer:
        if asked.bearer != self.api_key or project != self.project:
            return self.no(401, "unauthorized")
        if self._running():
            self.state["polls"] -= 1
            if self.state["polls"] < 0:
                self._end_operations()
        limit = int(asked.query.get("limit", "10"))
        return say({"operations": self.state["operations"][:limit], "pagination": {"cursor": ""}})
