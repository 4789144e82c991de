"""The application's stand-in: looks at its environment and says what it found, without a value."""
from __future__ import annotations

import os
import sys
from typing import Dict, List, Optional
from urllib.parse import urlsplit

from app import settings


def describe(name: str, value: Optional[str]) -> str:
    """One line on a variable: how long it is, and for an URL where it leads."""
    if value is None:
        return f"{name}: not set"
    place = ""
    if "://" in value:
        parts = urlsplit(value)
        place = f", to {parts.hostname}" + (", with a password" if parts.password else "")
    return f"{name}: {len(value)} characters{place}"


def what_is_not_ours() -> List[str]:
    """agent's own log-in, should it have come through to an application."""
    there = {"VAULT_TOKEN": "VAULT_TOKEN" in os.environ, "VAULT_SECRET_ID": "VAULT_SECRET_ID" in os.environ,
             "VAULT_ROLE_ID": "VAULT_ROLE_ID" in os.environ}
    return [name for name, is_there in there.items() if is_there]


def main() -> int:
    """0 when all is there that the application needs, and nothing that is not its business."""
    ours = settings.read()
    needed: Dict[str, Optional[str]] = {
        "DB_ROLE": ours.role, "DATABASE_URL": ours.database_url, "REDIS_URL": ours.redis_url,
        "CLERK_SECRET_KEY": ours.clerk_secret_key, "SESSION_SECRET": ours.session_secret,
        "PUBLIC_URL": ours.public_url}
    missing: List[str] = [name for name, value in needed.items() if not value]
    too_much = what_is_not_ours()
    print(f"acme-api, process {os.getpid()}, environment {ours.role or '(none)'}")
    for name, value in needed.items():
        print("  " + describe(name, value))
    if missing:
        print("missing: " + ", ".join(missing))
    if too_much:
        print("not for an application: " + ", ".join(too_much))
    return 1 if missing or too_much else 0


if __name__ == "__main__":
    sys.exit(main())
