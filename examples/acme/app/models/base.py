"""What all tables share: one metadata, and columns that come back in most of them."""
from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import BigInteger, DateTime, Enum, ForeignKey, Identity, MetaData, text
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
NOW = text("now()")
NEW_ID = text("gen_random_uuid()")
EMPTY_OBJECT = text("'{}'::jsonb")
EMPTY_LIST = text("'{}'::text[]")
TOKEN_BYTES = 32


class Base(DeclarativeBase):
    """All tables are in one metadata, whose constraints have names that can be relied on."""

    metadata = MetaData(naming_convention=NAMES)


def labels(kind: type) -> Enum:
    """A PostgreSQL enum of a Python one: its values are the labels."""
    name = "".join("_" + c.lower() if c.isupper() else c for c in kind.__name__).lstrip("_")
    return Enum(kind, name=name, values_callable=lambda members: [m.value for m in members])


def uuid_key() -> Mapped[uuid.UUID]:
    """A primary key that the server makes."""
    return mapped_column(UUID(as_uuid=True), primary_key=True, server_default=NEW_ID)


def counted_key() -> Mapped[int]:
    """A primary key that counts."""
    return mapped_column(BigInteger, Identity(always=True), primary_key=True)


def moment(**how: Any) -> Any:
    """A time with its zone."""
    return mapped_column(DateTime(timezone=True), **how)


def to(target: str, on_delete: str, **how: Any) -> Any:
    """A foreign key to a table that has a UUID."""
    return mapped_column(UUID(as_uuid=True), ForeignKey(target, ondelete=on_delete), **how)
