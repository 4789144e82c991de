"""Print the whole schema as SQL, without a connection: `python3 -m app.emit_ddl`.

It is what `create_all` would send, compiled for PostgreSQL, and then what the ORM does not make.
"""
from __future__ import annotations

from typing import Any, List

from sqlalchemy import create_mock_engine

from app import objects
from app.config import DRIVER
from app.models import Base


def ddl() -> List[str]:
    """The statements, each without its semicolon."""
    made: List[str] = []

    def collect(statement: Any, *_args: Any, **_kwargs: Any) -> None:
        made.append(str(statement.compile(dialect=engine.dialect)).strip())

    engine = create_mock_engine(DRIVER + "://", collect)
    Base.metadata.create_all(engine, checkfirst=False)
    return made + objects.statements()


if __name__ == "__main__":
    for each in ddl():
        print(each + ";\n")
