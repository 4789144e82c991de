"""Where the database is: the one variable that models, scripts and Alembic share."""
from __future__ import annotations

import os

DRIVER = "postgresql+psycopg"


def database_url() -> str:
    """DATABASE_URL with the driver that we have; a plain `postgresql://` is fine too."""
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        raise SystemExit("DATABASE_URL is not set")
    scheme, separator, rest = url.partition("://")
    if scheme in ("postgres", "postgresql"):
        scheme = DRIVER
    return scheme + separator + rest
