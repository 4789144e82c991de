"""Resend's API keys and the sending of mail.

As documented: keys are made with POST /api-keys (name of at most 50 characters, `full_access` or
`sending_access`, a domain), their token is shown once, GET /api-keys has names and ids in pages, DELETE
takes one back. A key that may only send is answered 401 `restricted_api_key` by all else; one that is
gone 400 or 401 `validation_error`.
"""
from __future__ import annotations

import secrets
import uuid
from typing import Any, Dict, List, Optional

from tests.lib.providers.base import Answer, Asked, Provider, Route, say

NAME_MAX_CHARACTERS = 50
PAGE_MAX = 100
NAMES = {400: "validation_error", 401: "validation_error", 404: "not_found",
         422: "validation_error", 429: "rate_limit_exceeded", 500: "application_error"}


class Resend(Provider):
    """`admin`: the token of a key with full access that is there from the beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.state = {"keys": [], "sent": []}
        self.admin = self.add("made by hand", "full_access")

    # ---- what tests look at -------------------------------------------------------------------

    def add(self, name: str, permission: str = "sending_access") -> str:
        """A key, as the dashboard makes them; gives its token."""
        return str(self._make(name, permission, None)["token"])

    def names(self) -> List[str]:
        """The names of the keys that work."""
        return [key["name"] for key in self.state["keys"]]

    def id_of(self, name: str) -> str:
        """The id of the key with that name."""
        (found,) = [key["id"] for key in self.state["keys"] if key["name"] == name]
        return str(found)

    def accepts(self, token: str) -> bool:
        """Whether a key with that token works."""
        return self._key(token) is not None

    def permission(self, token: str) -> str:
        """What the key with that token may do."""
        key = self._key(token)
        assert key is not None
        return str(key["permission"])

    # ---- the API ------------------------------------------------------------------------------

    def problem(self, status: int, words: str) -> Any:
        return {"statusCode": status, "name": NAMES.get(status, "application_error"),
                "message": words}

    def routes(self) -> List[Route]:
        return [("POST /api-keys", self._create), ("GET /api-keys", self._list),
                ("DELETE /api-keys/([^/]+)", self._delete), ("GET /domains", self._domains),
                ("POST /emails", self._send)]

    def _key(self, token: str) -> Optional[Dict[str, Any]]:
        return next((key for key in self.state["keys"] if key["token"] == token), None)

    def _make(self, name: str, permission: str, domain: Optional[str]) -> Dict[str, Any]:
        made = {"id": str(uuid.uuid4()), "token": "re_" + secrets.token_hex(16), "name": name,
                "permission": permission, "domain_id": domain}
        self.state["keys"].insert(0, made)
        return made

    def _refused(self, asked: Asked) -> Optional[Answer]:
        """The answer for whoever may not do everything."""
        if not asked.bearer:
            return say({"statusCode": 401, "name": "missing_api_key",
                        "message": "Missing API Key"}, 401)
        key = self._key(asked.bearer)
        if key is None:
            return self.no(400, "API key is invalid")
        if key["permission"] != "full_access":
            return say({"statusCode": 401, "name": "restricted_api_key",
                        "message": "This API key is restricted to only send emails"}, 401)
        return None

    def _create(self, asked: Asked) -> Answer:
        refused = self._refused(asked)
        if refused is not None:
            return refused
        body = asked.body
        if not 1 <= len(body.get("name", "")) <= NAME_MAX_CHARACTERS:
            return self.no(422, "name: at most 50 characters")
        permission = body.get("permission", "full_access")
        if permission not in ("full_access", "sending_access"):
            return self.no(422, "permission")
        made = self._make(body["name"], permission, body.get("domain_id"))
        return say({"id": made["id"], "token": made["token"]}, 201)

    def _list(self, asked: Asked) -> Answer:
        refused = self._refused(asked)
        if refused is not None:
            return refused
        keys = self.state["keys"]
        if "after" in asked.query:
            ids = [key["id"] for key in keys]
            if asked.query["after"] not in ids:
                return self.no(422, "after")
            keys = keys[ids.index(asked.query["after"]) + 1:]
        limit = int(asked.query.get("limit", len(keys) or 1))
        if not 1 <= limit <= PAGE_MAX and "limit" in asked.query:
            return self.no(422, "limit")
        return say({"object": "list", "has_more": len(keys) > limit,
                    "data": [{"id": key["id"], "name": key["name"],
                              "created_at": "2026-11-26 00:00:00+00", "last_used_at": None}
                             for key in keys[:limit]]})

    def _delete(self, asked: Asked, key_id: str) -> Answer:
        refused = self._refused(asked)
        if refused is not None:
            return refused
        keys = self.state["keys"]
        left = [key for key in keys if key["id"] != key_id]
        if len(left) == len(keys):
            return self.no(404, "API key not found")
        self.state["keys"] = left
        return say({"object": "api-key", "id": key_id, "deleted": True})

    def _domains(self, asked: Asked) -> Answer:
        return self._refused(asked) or say({"object": "list", "has_more": False, "data": []})

    def _send(self, asked: Asked) -> Answer:
        if self._key(asked.bearer) is None:
            return self.no(401, "API key is invalid")
        if not {"from", "to", "subject"} <= set(asked.body):
            return self.no(422, "a field is missing")
        self.state["sent"].append(asked.body)
        return say({"id": str(uuid.uuid4())})
