"""The application's stand-in: looks at its environment and says what it found, without a value."""
from __future__ import annotations

import os
import sys
from typing import List
from urllib.parse import urlsplit

NEEDED = ["DB_ROLE", "DATABASE_URL", "REDIS_URL", "CLERK_SECRET_KEY", "SESSION_SECRET", "PUBLIC_URL"]
NOT_OURS = ["VAULT_TOKEN", "VAULT_SECRET_ID", "VAULT_ROLE_ID"]


def describe(name: str) -> str:
    """One line on a variable: how long it is, and for an URL where it leads."""
    value = os.environ.get(name)
    if value is None:
        return f"{name}: not set"
    place = ""
    if "://" in value:
        parts = urlsplit(value)
        place = f", to {parts.hostname}" + (", with a password" if parts.password else "")
    return f"{name}: {len(value)} characters{place}"


def main() -> int:
    """0 when all is there that the application needs, and nothing that is not its business."""
    missing: List[str] = [name for name in NEEDED if not os.environ.get(name)]
    too_much: List[str] = [name for name in NOT_OURS if name in os.environ]
    print(f"acme-api, process {os.getpid()}, environment {os.environ.get('DB_ROLE', '(none)')}")
    for name in NEEDED:
        print("  " + describe(name))
    if missing:
        print("missing: " + ", ".join(missing))
    if too_much:
        print("not for an application: " + ", ".join(too_much))
    return 1 if missing or too_much else 0


if __name__ == "__main__":
    sys.exit(main())
