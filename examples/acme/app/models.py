"""The tables. What the ORM can't say (functions, triggers, the view) is in objects.py."""
from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any, Dict, List, Optional

from sqlalchemy import (BigInteger, Boolean, CheckConstraint, Computed, Date, DateTime, Enum,
                        ForeignKey, Identity, Index, Integer, LargeBinary, MetaData, Numeric,
                        PrimaryKeyConstraint, SmallInteger, String, Text, UniqueConstraint,
                        text)
from sqlalchemy.dialects.postgresql import ARRAY, INET, JSONB, UUID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

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


class OrgPlan(enum.Enum):
    """What an organisation pays for."""

    FREE = "free"
    TEAM = "team"
    BUSINESS = "business"
    ENTERPRISE = "enterprise"


class MemberRole(enum.Enum):
    """What a member may do."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


class ProjectStatus(enum.Enum):
    """Where a project stands."""

    DRAFT = "draft"
    ACTIVE = "active"
    ARCHIVED = "archived"


class InvoiceStatus(enum.Enum):
    """Where an invoice stands."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"


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


class User(Base):
    """A person. The e-mail is unique, whatever its case, among those who are not gone."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("position('@' in email) > 1", name="email_has_at"),
        Index("uq_users_email_lower", text("lower(email)"), unique=True,
              postgresql_where=text("deleted_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = uuid_key()
    email: Mapped[str] = mapped_column(String(320))
    name: Mapped[str] = mapped_column(String(200))
    clerk_id: Mapped[Optional[str]] = mapped_column(String(64), unique=True)
    is_active: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    updated_at: Mapped[dt.datetime] = moment(server_default=NOW)
    deleted_at: Mapped[Optional[dt.datetime]] = moment()
    locale: Mapped[str] = mapped_column(String(10), server_default="en")
    memberships: Mapped[List["Membership"]] = relationship(
        back_populates="user", foreign_keys="Membership.user_id")


class Org(Base):
    """An organisation: everything else belongs to one."""

    __tablename__ = "orgs"
    __table_args__ = (
        CheckConstraint("slug ~ '^[a-z0-9][a-z0-9-]*$'", name="slug_format"),
        Index("ix_orgs_settings", "settings", postgresql_using="gin",
              postgresql_ops={"settings": "jsonb_path_ops"}),
    )

    id: Mapped[uuid.UUID] = uuid_key()
    slug: Mapped[str] = mapped_column(String(63), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    plan: Mapped[OrgPlan] = mapped_column(labels(OrgPlan), server_default="free")
    billing_email: Mapped[Optional[str]] = mapped_column(String(320))
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    updated_at: Mapped[dt.datetime] = moment(server_default=NOW)
    settings: Mapped[Dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    memberships: Mapped[List["Membership"]] = relationship(back_populates="org")
    projects: Mapped[List["Project"]] = relationship(back_populates="org")


class Membership(Base):
    """A user in an organisation; each organisation has one owner at most."""

    __tablename__ = "memberships"
    __table_args__ = (
        PrimaryKeyConstraint("org_id", "user_id"),
        Index("uq_memberships_owner", "org_id", unique=True,
              postgresql_where=text("role = 'owner'")),
    )

    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE")
    user_id: Mapped[uuid.UUID] = to("users.id", "CASCADE", index=True)
    role: Mapped[MemberRole] = mapped_column(labels(MemberRole), server_default="member")
    invited_by: Mapped[Optional[uuid.UUID]] = to("users.id", "SET NULL")
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    org: Mapped[Org] = relationship(back_populates="memberships")
    user: Mapped[User] = relationship(back_populates="memberships", foreign_keys=[user_id])


class Session(Base):
    """A login of a browser; only the hash of its token is kept."""

    __tablename__ = "sessions"
    __table_args__ = (
        CheckConstraint(f"octet_length(token_hash) = {TOKEN_BYTES}", name="token_hash_length"),
        CheckConstraint("expires_at > created_at", name="expires_later"),
        Index("ix_sessions_live", "user_id", "expires_at",
              postgresql_where=text("revoked_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = uuid_key()
    user_id: Mapped[uuid.UUID] = to("users.id", "CASCADE")
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    user_agent: Mapped[Optional[str]] = mapped_column(Text)
    ip: Mapped[Optional[str]] = mapped_column(INET)
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    expires_at: Mapped[dt.datetime] = moment()
    revoked_at: Mapped[Optional[dt.datetime]] = moment()


class Project(Base):
    """A project of an organisation; `archived_at` says the same as its status."""

    __tablename__ = "projects"
    __table_args__ = (
        UniqueConstraint("org_id", "key"),
        CheckConstraint("(status = 'archived') = (archived_at IS NOT NULL)", name="archived_at"),
        Index("ix_projects_open", "org_id", "status",
              postgresql_where=text("archived_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = uuid_key()
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE")
    key: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, server_default="")
    status: Mapped[ProjectStatus] = mapped_column(labels(ProjectStatus), server_default="draft")
    archived_at: Mapped[Optional[dt.datetime]] = moment()
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    updated_at: Mapped[dt.datetime] = moment(server_default=NOW)
    attributes: Mapped[Dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    org: Mapped[Org] = relationship(back_populates="projects")


class AuditEntry(Base):
    """What was done, by whom; rows outlive both."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_created_at", "created_at", postgresql_using="brin"),
        Index("ix_audit_log_org_recent", "org_id", text("created_at DESC")),
    )

    id: Mapped[int] = counted_key()
    org_id: Mapped[Optional[uuid.UUID]] = to("orgs.id", "SET NULL")
    actor_id: Mapped[Optional[uuid.UUID]] = to("users.id", "SET NULL")
    action: Mapped[str] = mapped_column(String(100))
    object_type: Mapped[str] = mapped_column(String(50))
    object_id: Mapped[str] = mapped_column(String(64))
    detail: Mapped[Dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    ip: Mapped[Optional[str]] = mapped_column(INET)
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)


class ApiKey(Base):
    """A key for programs; its first characters are kept to tell it, its hash to check it."""

    __tablename__ = "api_keys"
    __table_args__ = (CheckConstraint(f"octet_length(key_hash) = {TOKEN_BYTES}",
                                      name="key_hash_length"),)

    id: Mapped[uuid.UUID] = uuid_key()
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE", index=True)
    created_by: Mapped[Optional[uuid.UUID]] = to("users.id", "SET NULL")
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(12), unique=True)
    key_hash: Mapped[bytes] = mapped_column(LargeBinary)
    last_used_at: Mapped[Optional[dt.datetime]] = moment()
    expires_at: Mapped[Optional[dt.datetime]] = moment()
    revoked_at: Mapped[Optional[dt.datetime]] = moment()
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    scopes: Mapped[List[str]] = mapped_column(ARRAY(Text), server_default=EMPTY_LIST)


class Invitation(Base):
    """An open invitation to an organisation: one for each address."""

    __tablename__ = "invitations"
    __table_args__ = (
        Index("uq_invitations_open", "org_id", text("lower(email)"), unique=True,
              postgresql_where=text("accepted_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = uuid_key()
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE")
    email: Mapped[str] = mapped_column(String(320))
    role: Mapped[MemberRole] = mapped_column(labels(MemberRole), server_default="member")
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    invited_by: Mapped[Optional[uuid.UUID]] = to("users.id", "SET NULL")
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    expires_at: Mapped[dt.datetime] = moment()
    accepted_at: Mapped[Optional[dt.datetime]] = moment()


class Tag(Base):
    """A label of an organisation's projects."""

    __tablename__ = "tags"
    __table_args__ = (
        CheckConstraint("color ~ '^#[0-9a-f]{6}$'", name="color_format"),
        Index("uq_tags_org_name", "org_id", text("lower(name)"), unique=True),
    )

    id: Mapped[int] = counted_key()
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE")
    name: Mapped[str] = mapped_column(String(50))
    color: Mapped[str] = mapped_column(String(7), server_default="#888888")


class ProjectTag(Base):
    """A tag on a project."""

    __tablename__ = "project_tags"

    project_id: Mapped[uuid.UUID] = to("projects.id", "CASCADE", primary_key=True)
    tag_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tags.id", ondelete="CASCADE"),
                                        primary_key=True, index=True)


class Invoice(Base):
    """A bill; amounts are in the currency's smallest unit."""

    __tablename__ = "invoices"
    __table_args__ = (
        UniqueConstraint("org_id", "number"),
        CheckConstraint("total_cents >= 0 AND tax_cents >= 0", name="amounts"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_format"),
        CheckConstraint("due_at >= issued_at", name="due_after_issued"),
        Index("ix_invoices_open_due", "due_at", postgresql_where=text("status = 'open'")),
    )

    id: Mapped[uuid.UUID] = uuid_key()
    org_id: Mapped[uuid.UUID] = to("orgs.id", "RESTRICT")
    number: Mapped[str] = mapped_column(String(20))
    status: Mapped[InvoiceStatus] = mapped_column(labels(InvoiceStatus), server_default="draft")
    currency: Mapped[str] = mapped_column(String(3), server_default="EUR")
    total_cents: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    issued_at: Mapped[dt.date] = mapped_column(Date)
    due_at: Mapped[dt.date] = mapped_column(Date)
    paid_at: Mapped[Optional[dt.datetime]] = moment()
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    updated_at: Mapped[dt.datetime] = moment(server_default=NOW)
    tax_cents: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class InvoiceLine(Base):
    """A line of a bill; the server computes its amount."""

    __tablename__ = "invoice_lines"
    __table_args__ = (
        UniqueConstraint("invoice_id", "position"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
    )

    id: Mapped[int] = counted_key()
    invoice_id: Mapped[uuid.UUID] = to("invoices.id", "CASCADE")
    position: Mapped[int] = mapped_column(Integer)
    description: Mapped[str] = mapped_column(Text)
    quantity: Mapped[Decimal] = mapped_column(Numeric(12, 3), server_default=text("1"))
    unit_cents: Mapped[int] = mapped_column(BigInteger)
    amount_cents: Mapped[int] = mapped_column(
        BigInteger, Computed("round(quantity * unit_cents)", persisted=True))


class Comment(Base):
    """A comment on a project, or an answer to one."""

    __tablename__ = "comments"
    __table_args__ = (
        CheckConstraint("length(body) > 0", name="body_not_empty"),
        Index("ix_comments_thread", "project_id", "created_at"),
    )

    id: Mapped[uuid.UUID] = uuid_key()
    project_id: Mapped[uuid.UUID] = to("projects.id", "CASCADE")
    author_id: Mapped[Optional[uuid.UUID]] = to("users.id", "SET NULL")
    parent_id: Mapped[Optional[uuid.UUID]] = to("comments.id", "CASCADE")
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    edited_at: Mapped[Optional[dt.datetime]] = moment()


class Webhook(Base):
    """An address that is told of events."""

    __tablename__ = "webhooks"
    __table_args__ = (CheckConstraint("url ~ '^https://'", name="url_https"),)

    id: Mapped[uuid.UUID] = uuid_key()
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE", index=True)
    url: Mapped[str] = mapped_column(Text)
    events: Mapped[List[str]] = mapped_column(ARRAY(Text), server_default=EMPTY_LIST)
    is_active: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)


class WebhookDelivery(Base):
    """One attempt to tell a web hook."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("attempt BETWEEN 1 AND 20", name="attempt_range"),
        Index("ix_webhook_deliveries_pending", "webhook_id", "created_at",
              postgresql_where=text("delivered_at IS NULL")),
    )

    id: Mapped[int] = counted_key()
    webhook_id: Mapped[uuid.UUID] = to("webhooks.id", "CASCADE")
    event: Mapped[str] = mapped_column(String(100))
    payload: Mapped[Dict[str, Any]] = mapped_column(JSONB)
    status_code: Mapped[Optional[int]] = mapped_column(Integer)
    attempt: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    delivered_at: Mapped[Optional[dt.datetime]] = moment()


class FeatureFlag(Base):
    """A switch, with rules for whom it is on."""

    __tablename__ = "feature_flags"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    description: Mapped[str] = mapped_column(Text, server_default="")
    enabled: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    rules: Mapped[List[Any]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    updated_at: Mapped[dt.datetime] = moment(server_default=NOW)


class Email(Base):
    """Mail that waits to leave."""

    __tablename__ = "email_outbox"
    __table_args__ = (
        Index("ix_email_outbox_due", "send_after", postgresql_where=text("sent_at IS NULL"),
              postgresql_include=["attempts"]),
    )

    id: Mapped[int] = counted_key()
    recipient: Mapped[str] = mapped_column(String(320))
    template: Mapped[str] = mapped_column(String(100))
    context: Mapped[Dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    send_after: Mapped[dt.datetime] = moment(server_default=NOW)
    sent_at: Mapped[Optional[dt.datetime]] = moment()
    last_error: Mapped[Optional[str]] = mapped_column(Text)


class Attachment(Base):
    """A file that belongs to a comment; its bytes are elsewhere."""

    __tablename__ = "attachments"
    __table_args__ = (CheckConstraint("size_bytes BETWEEN 1 AND 104857600", name="size_range"),)

    id: Mapped[uuid.UUID] = uuid_key()
    comment_id: Mapped[uuid.UUID] = to("comments.id", "CASCADE", index=True)
    filename: Mapped[str] = mapped_column(String(255))
    media_type: Mapped[str] = mapped_column(String(127))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    checksum: Mapped[bytes] = mapped_column(LargeBinary)
    storage_key: Mapped[str] = mapped_column(Text, unique=True)
    uploaded_by: Mapped[Optional[uuid.UUID]] = to("users.id", "SET NULL")
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
