"""Clerk: keys of an instance by the Platform API, keys of a machine by the Backend API, both with a timer.

As documented: a rotation gives a new key and lets the older ones work for as long as it is told; there is
no way to end one before, and none to list them. `pass_hours` moves this server's clock.
"""
from __future__ import annotations

import secrets
from typing import Any, Dict, List, Optional

from tests.lib.providers.base import Answer, Asked, Provider, Route, say

MACHINE_SECONDS_MAX = 28800


class Clerk(Provider):
    """`platform`: a token of the Platform API. One application, one instance, one machine."""

    application, instance, machine = "app_acme", "ins_prod", "mch_worker"

    def __init__(self) -> None:
        super().__init__()
        self.platform = "ak_" + secrets.token_hex(16)
        # A key and when it ends, in hours of this server's clock.
        self.state = {"now": 0.0, "reasons": [], "keys": {"sk_live_" + secrets.token_hex(16): None},
                      "machine_keys": {"ak_" + secrets.token_hex(16): None}}

    # ---- what tests look at -------------------------------------------------------------------

    def newest(self, kind: str = "keys") -> str:
        """The key that has no end."""
        (found,) = [key for key, end in self.state[kind].items() if end is None]
        return str(found)

    def living(self, kind: str = "keys") -> List[str]:
        """The keys that are accepted now."""
        return [key for key, end in self.state[kind].items()
                if end is None or end > self.state["now"]]

    def accepts(self, key: str) -> bool:
        """Whether it is one of them."""
        return key in self.living() + self.living("machine_keys")

    def pass_hours(self, hours: float) -> None:
        """Time goes by."""
        self.state["now"] += hours

    # ---- the API ------------------------------------------------------------------------------

    def problem(self, status: int, words: str) -> Any:
        return {"errors": [{"message": words, "long_message": words,
                            "code": "authentication_invalid" if status == 401 else "weather"}]}

    def routes(self) -> List[Route]:
        return [("POST /v1/platform/applications/([^/]+)/instances/([^/]+)/rotate_secret_keys",
                 self._rotate),
                ("POST /v1/machines/([^/]+)/secret_key/rotate", self._rotate_machine),
                ("GET /v1/machines/([^/]+)/secret_key", self._machine_key),
                ("GET /v1/users/count", self._count), ("GET /v1/m2m_tokens", self._tokens)]

    def _replace(self, kind: str, prefix: str, hours: float) -> str:
        keys: Dict[str, Optional[float]] = self.state[kind]
        for key, end in keys.items():
            ends = self.state["now"] + hours
            keys[key] = ends if end is None else min(end, ends)
        made = prefix + secrets.token_hex(16)
        keys[made] = None
        return made

    def _rotate(self, asked: Asked, application: str, instance: str) -> Answer:
        if asked.bearer != self.platform:
            return self.no(401)
        if application != self.application or instance not in (self.instance, "production"):
            return self.no(404)
        self.state["reasons"].append(asked.body.get("reason"))
        made = self._replace("keys", "sk_live_", asked.body["delay_old_secrets_expiration_hours"])
        return say({"application_id": application, "instances": [
            {"instance_id": self.instance, "environment_type": "production",
             "publishable_key": "pk_live_acme", "secret_key": made}]})

    def _rotate_machine(self, asked: Asked, machine: str) -> Answer:
        if asked.bearer not in self.living():
            return self.no(401)
        if machine != self.machine:
            return self.no(404)
        seconds = asked.body["previous_token_ttl"]
        if not 0 <= seconds <= MACHINE_SECONDS_MAX:
            return self.no(422)
        return say({"object": "machine_secret_key",
                    "secret": self._replace("machine_keys", "ak_", seconds / 3600)})

    def _machine_key(self, asked: Asked, machine: str) -> Answer:
        if asked.bearer not in self.living():
            return self.no(401)
        if machine != self.machine:
            return self.no(404)
        return say({"object": "machine_secret_key", "secret": self.newest("machine_keys")})

    def _count(self, asked: Asked) -> Answer:
        if asked.bearer not in self.living():
            return self.no(401)
        return say({"object": "total_count", "total_count": 7})

    def _tokens(self, asked: Asked) -> Answer:
        if asked.bearer not in self.living("machine_keys"):
            return self.no(401)
        if asked.query.get("subject") != self.machine:
            return self.no(404)
        return say({"m2m_tokens": [], "total_count": 0})
