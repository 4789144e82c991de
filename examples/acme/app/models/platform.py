"""What the product itself needs: hooks, mail, jobs, switches, support."""
from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, Dict, List, Optional

from sqlalchemy import (BigInteger, Boolean, CheckConstraint, ForeignKey, Index, Integer,
                        PrimaryKeyConstraint, SmallInteger, String, Text, UniqueConstraint, text)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import EMPTY_LIST, EMPTY_OBJECT, NOW, Base, counted_key, moment, to, uuid_key


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
    secret_ref: Mapped[Optional[str]] = mapped_column(Text)


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


class Notification(Base):
    """Something that a user is told in the product."""

    __tablename__ = "notifications"
    __table_args__ = (
        Index("ix_notifications_unread", "user_id", text("created_at DESC"),
              postgresql_where=text("read_at IS NULL")),
    )

    id: Mapped[int] = counted_key()
    user_id: Mapped[uuid.UUID] = to("users.id", "CASCADE")
    kind: Mapped[str] = mapped_column(String(60))
    payload: Mapped[Dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    read_at: Mapped[Optional[dt.datetime]] = moment()


class NotificationSetting(Base):
    """By which way somebody wants to be told of what."""

    __tablename__ = "notification_settings"
    __table_args__ = (
        PrimaryKeyConstraint("user_id", "kind", "channel"),
        CheckConstraint("channel IN ('app', 'mail', 'push')", name="channel_known"),
    )

    user_id: Mapped[uuid.UUID] = to("users.id", "CASCADE")
    kind: Mapped[str] = mapped_column(String(60))
    channel: Mapped[str] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))


class PushDevice(Base):
    """A phone or a browser that takes push messages."""

    __tablename__ = "push_devices"

    id: Mapped[uuid.UUID] = uuid_key()
    user_id: Mapped[uuid.UUID] = to("users.id", "CASCADE", index=True)
    platform: Mapped[str] = mapped_column(String(20))
    token_ref: Mapped[str] = mapped_column(Text, unique=True)
    seen_at: Mapped[dt.datetime] = moment(server_default=NOW)


class EmailTemplate(Base):
    """The text of a mail."""

    __tablename__ = "email_templates"
    __table_args__ = (PrimaryKeyConstraint("key", "locale"),)

    key: Mapped[str] = mapped_column(String(100))
    locale: Mapped[str] = mapped_column(String(10))
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[dt.datetime] = moment(server_default=NOW)


class EmailBounce(Base):
    """An address that does not take our mail."""

    __tablename__ = "email_bounces"
    __table_args__ = (
        Index("ix_email_bounces_recipient", text("lower(recipient)")),
        CheckConstraint("kind IN ('hard', 'soft', 'complaint')", name="kind_known"),
    )

    id: Mapped[int] = counted_key()
    recipient: Mapped[str] = mapped_column(String(320))
    kind: Mapped[str] = mapped_column(Text)
    detail: Mapped[Optional[str]] = mapped_column(Text)
    occurred_at: Mapped[dt.datetime] = moment(server_default=NOW)


class Integration(Base):
    """Another product that an organisation has connected."""

    __tablename__ = "integrations"
    __table_args__ = (UniqueConstraint("org_id", "kind"),)

    id: Mapped[uuid.UUID] = uuid_key()
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE")
    kind: Mapped[str] = mapped_column(String(40))
    settings: Mapped[Dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    secret_ref: Mapped[Optional[str]] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    updated_at: Mapped[dt.datetime] = moment(server_default=NOW)


class IntegrationEvent(Base):
    """What another product told us."""

    __tablename__ = "integration_events"
    __table_args__ = (
        UniqueConstraint("integration_id", "external_id"),
        Index("ix_integration_events_waiting", "received_at",
              postgresql_where=text("handled_at IS NULL")),
    )

    id: Mapped[int] = counted_key()
    integration_id: Mapped[uuid.UUID] = to("integrations.id", "CASCADE")
    external_id: Mapped[str] = mapped_column(String(100))
    payload: Mapped[Dict[str, Any]] = mapped_column(JSONB)
    received_at: Mapped[dt.datetime] = moment(server_default=NOW)
    handled_at: Mapped[Optional[dt.datetime]] = moment()


class Job(Base):
    """Work that waits for a worker."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("attempts >= 0", name="attempts_not_negative"),
        Index("ix_jobs_ready", "queue", "priority", "run_after",
              postgresql_where=text("finished_at IS NULL")),
        Index("uq_jobs_unique_key", "unique_key", unique=True,
              postgresql_where=text("finished_at IS NULL")),
    )

    id: Mapped[int] = counted_key()
    queue: Mapped[str] = mapped_column(String(40), server_default="default")
    kind: Mapped[str] = mapped_column(String(100))
    payload: Mapped[Dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    run_after: Mapped[dt.datetime] = moment(server_default=NOW)
    locked_until: Mapped[Optional[dt.datetime]] = moment()
    finished_at: Mapped[Optional[dt.datetime]] = moment()
    last_error: Mapped[Optional[str]] = mapped_column(Text)
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("100"))
    unique_key: Mapped[Optional[str]] = mapped_column(String(200))


class Schedule(Base):
    """A job that comes back."""

    __tablename__ = "schedules"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    cron: Mapped[str] = mapped_column(String(60))
    kind: Mapped[str] = mapped_column(String(100))
    payload: Mapped[Dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    enabled: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    last_run_at: Mapped[Optional[dt.datetime]] = moment()


class FlagOverride(Base):
    """A switch that is otherwise for one organisation."""

    __tablename__ = "feature_flag_overrides"
    __table_args__ = (PrimaryKeyConstraint("flag_key", "org_id"),)

    flag_key: Mapped[str] = mapped_column(String(64),
                                          ForeignKey("feature_flags.key", ondelete="CASCADE"))
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE", index=True)
    enabled: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str] = mapped_column(Text, server_default="")
    expires_at: Mapped[Optional[dt.datetime]] = moment()


class Announcement(Base):
    """A line at the top of every page."""

    __tablename__ = "announcements"
    __table_args__ = (CheckConstraint("ends_at > starts_at", name="ends_later"),)

    id: Mapped[int] = counted_key()
    title: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    starts_at: Mapped[dt.datetime] = moment()
    ends_at: Mapped[dt.datetime] = moment()
    severity: Mapped[str] = mapped_column(String(10), server_default="info")


class DataExport(Base):
    """All data of an organisation, made ready for it."""

    __tablename__ = "data_exports"
    __table_args__ = (
        CheckConstraint("status IN ('waiting', 'running', 'ready', 'failed', 'expired')",
                        name="status_known"),
    )

    id: Mapped[uuid.UUID] = uuid_key()
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE", index=True)
    requested_by: Mapped[Optional[uuid.UUID]] = to("users.id", "SET NULL")
    status: Mapped[str] = mapped_column(Text, server_default="waiting")
    storage_key: Mapped[Optional[str]] = mapped_column(Text)
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    expires_at: Mapped[Optional[dt.datetime]] = moment()
    size_bytes: Mapped[Optional[int]] = mapped_column(BigInteger)


class ImportBatch(Base):
    """A file of rows that an organisation brings along."""

    __tablename__ = "import_batches"

    id: Mapped[uuid.UUID] = uuid_key()
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE", index=True)
    source: Mapped[str] = mapped_column(String(40))
    filename: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    finished_at: Mapped[Optional[dt.datetime]] = moment()


class ImportRow(Base):
    """One row of it, and what became of it."""

    __tablename__ = "import_rows"
    __table_args__ = (PrimaryKeyConstraint("batch_id", "line"),)

    batch_id: Mapped[uuid.UUID] = to("import_batches.id", "CASCADE")
    line: Mapped[int] = mapped_column(Integer)
    content: Mapped[Dict[str, Any]] = mapped_column(JSONB)
    error: Mapped[Optional[str]] = mapped_column(Text)


class RetentionRule(Base):
    """After how many days something of an organisation is removed."""

    __tablename__ = "retention_rules"
    __table_args__ = (
        PrimaryKeyConstraint("org_id", "subject"),
        CheckConstraint("days BETWEEN 1 AND 3650", name="days_range"),
    )

    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE")
    subject: Mapped[str] = mapped_column(String(40))
    days: Mapped[int] = mapped_column(Integer)


class SupportTicket(Base):
    """Somebody needs help."""

    __tablename__ = "support_tickets"
    __table_args__ = (
        CheckConstraint("status IN ('open', 'waiting', 'closed')", name="status_known"),
        Index("ix_support_tickets_open", "created_at", postgresql_where=text("status <> 'closed'")),
    )

    id: Mapped[int] = counted_key()
    org_id: Mapped[Optional[uuid.UUID]] = to("orgs.id", "SET NULL", index=True)
    opened_by: Mapped[Optional[uuid.UUID]] = to("users.id", "SET NULL")
    subject: Mapped[str] = mapped_column(String(300))
    status: Mapped[str] = mapped_column(Text, server_default="open")
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    closed_at: Mapped[Optional[dt.datetime]] = moment()
    rating: Mapped[Optional[int]] = mapped_column(SmallInteger)


class SupportMessage(Base):
    """What was said in a ticket."""

    __tablename__ = "support_messages"

    id: Mapped[int] = counted_key()
    ticket_id: Mapped[int] = mapped_column(BigInteger,
                                           ForeignKey("support_tickets.id", ondelete="CASCADE"),
                                           index=True)
    author_id: Mapped[Optional[uuid.UUID]] = to("users.id", "SET NULL")
    body: Mapped[str] = mapped_column(Text)
    is_internal: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
