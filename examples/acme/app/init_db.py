"""Make the whole schema through a connection: `python3 -m app.init_db`."""
from __future__ import annotations

from sqlalchemy import create_engine

from app import objects
from app.config import database_url
from app.models import Base


def init_db() -> None:
    """All tables by the ORM and the rest by SQL, committed together."""
    engine = create_engine(database_url())
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
        for statement in objects.statements():
            connection.exec_driver_sql(statement)
    engine.dispose()


if __name__ == "__main__":
    init_db()
