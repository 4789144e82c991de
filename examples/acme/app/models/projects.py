"""What is worked on: projects, tasks, documents, and what is said about them."""
from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any, Dict, Optional

from sqlalchemy import (BigInteger, Boolean, CheckConstraint, Computed, Date, ForeignKey, Index,
                        Integer, LargeBinary, Numeric, PrimaryKeyConstraint, SmallInteger, String,
                        Text, UniqueConstraint, text)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR, UUID
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.accounts import MemberRole, Org
from app.models.base import EMPTY_OBJECT, NOW, Base, counted_key, labels, moment, to, uuid_key


class ProjectStatus(enum.Enum):
    """Where a project stands."""

    DRAFT = "draft"
    ACTIVE = "active"
    ARCHIVED = "archived"


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
    deleted_at: Mapped[Optional[dt.datetime]] = moment()


class Attachment(Base):
    """A file that belongs to a comment; its bytes are elsewhere."""

    __tablename__ = "attachments"
    __table_args__ = (
        CheckConstraint("size_bytes BETWEEN 1 AND 104857600", name="size_range"),
        Index("ix_attachments_checksum", "checksum"),
    )

    id: Mapped[uuid.UUID] = uuid_key()
    comment_id: Mapped[uuid.UUID] = to("comments.id", "CASCADE", index=True)
    filename: Mapped[str] = mapped_column(String(255))
    media_type: Mapped[str] = mapped_column(String(127))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    checksum: Mapped[bytes] = mapped_column(LargeBinary)
    storage_key: Mapped[str] = mapped_column(Text, unique=True)
    uploaded_by: Mapped[Optional[uuid.UUID]] = to("users.id", "SET NULL")
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)


class TaskStatus(enum.Enum):
    """Where a task stands."""

    TODO = "todo"
    DOING = "doing"
    REVIEW = "review"
    DONE = "done"
    CANCELLED = "cancelled"


class Milestone(Base):
    """A day by which something of a project is to be there."""

    __tablename__ = "milestones"
    __table_args__ = (
        Index("ix_milestones_open", "project_id", "due_on",
              postgresql_where=text("closed_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = uuid_key()
    project_id: Mapped[uuid.UUID] = to("projects.id", "CASCADE")
    name: Mapped[str] = mapped_column(String(200))
    due_on: Mapped[Optional[dt.date]] = mapped_column(Date)
    closed_at: Mapped[Optional[dt.datetime]] = moment()
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)


class Task(Base):
    """A piece of work; its number counts within the project."""

    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("project_id", "number"),
        CheckConstraint("priority BETWEEN 0 AND 4", name="priority_range"),
        CheckConstraint("(status IN ('done', 'cancelled')) = (closed_at IS NOT NULL)", name="closed_at"),
        CheckConstraint("estimate_minutes > 0", name="estimate_positive"),
        Index("ix_tasks_assignee_open", "assignee_id", "due_on",
              postgresql_where=text("closed_at IS NULL")),
        Index("ix_tasks_search", "search", postgresql_using="gin"),
        Index("ix_tasks_board", "project_id", "status", "position"),
    )

    id: Mapped[uuid.UUID] = uuid_key()
    project_id: Mapped[uuid.UUID] = to("projects.id", "CASCADE")
    number: Mapped[int] = mapped_column(Integer)
    title: Mapped[str] = mapped_column(String(300))
    body: Mapped[str] = mapped_column(Text, server_default="")
    status: Mapped[TaskStatus] = mapped_column(labels(TaskStatus), server_default="todo")
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("2"))
    assignee_id: Mapped[Optional[uuid.UUID]] = to("users.id", "SET NULL")
    created_by: Mapped[Optional[uuid.UUID]] = to("users.id", "SET NULL")
    due_on: Mapped[Optional[dt.date]] = mapped_column(Date)
    closed_at: Mapped[Optional[dt.datetime]] = moment()
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    updated_at: Mapped[dt.datetime] = moment(server_default=NOW)
    milestone_id: Mapped[Optional[uuid.UUID]] = to("milestones.id", "SET NULL", index=True)
    parent_id: Mapped[Optional[uuid.UUID]] = to("tasks.id", "CASCADE", index=True)
    estimate_minutes: Mapped[Optional[int]] = mapped_column(Integer)
    position: Mapped[Decimal] = mapped_column(Numeric, server_default=text("0"))
    search: Mapped[Any] = mapped_column(
        TSVECTOR, Computed("to_tsvector('simple'::regconfig, title || ' ' || body)", persisted=True))


class TaskLink(Base):
    """One task blocks, doubles or belongs to another."""

    __tablename__ = "task_links"
    __table_args__ = (
        PrimaryKeyConstraint("from_id", "to_id", "kind"),
        CheckConstraint("from_id <> to_id", name="not_to_itself"),
        CheckConstraint("kind IN ('blocks', 'duplicates', 'relates')", name="kind_known"),
    )

    from_id: Mapped[uuid.UUID] = to("tasks.id", "CASCADE")
    to_id: Mapped[uuid.UUID] = to("tasks.id", "CASCADE", index=True)
    kind: Mapped[str] = mapped_column(Text)


class TaskWatcher(Base):
    """Who is told when a task changes."""

    __tablename__ = "task_watchers"

    task_id: Mapped[uuid.UUID] = to("tasks.id", "CASCADE", primary_key=True)
    user_id: Mapped[uuid.UUID] = to("users.id", "CASCADE", primary_key=True, index=True)
    since: Mapped[dt.datetime] = moment(server_default=NOW)


class TaskChange(Base):
    """What was changed in a task; written by a trigger."""

    __tablename__ = "task_changes"
    __table_args__ = (Index("ix_task_changes_task", "task_id", "changed_at"),)

    id: Mapped[int] = counted_key()
    task_id: Mapped[uuid.UUID] = to("tasks.id", "CASCADE")
    field: Mapped[str] = mapped_column(String(40))
    old_value: Mapped[Optional[str]] = mapped_column(Text)
    new_value: Mapped[Optional[str]] = mapped_column(Text)
    changed_at: Mapped[dt.datetime] = moment(server_default=NOW)


class TimeEntry(Base):
    """Time that somebody spent on a task."""

    __tablename__ = "time_entries"
    __table_args__ = (
        CheckConstraint("ended_at > started_at", name="ends_later"),
        Index("uq_time_entries_running", "user_id", unique=True,
              postgresql_where=text("ended_at IS NULL")),
        Index("ix_time_entries_billable", "task_id", "started_at", postgresql_where=text("billable")),
    )

    id: Mapped[int] = counted_key()
    task_id: Mapped[uuid.UUID] = to("tasks.id", "CASCADE", index=True)
    user_id: Mapped[uuid.UUID] = to("users.id", "CASCADE")
    started_at: Mapped[dt.datetime] = moment()
    ended_at: Mapped[Optional[dt.datetime]] = moment()
    note: Mapped[str] = mapped_column(String(500), server_default="")
    billable: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))


class ProjectMember(Base):
    """Who works on a project that is not open to the whole organisation."""

    __tablename__ = "project_members"

    project_id: Mapped[uuid.UUID] = to("projects.id", "CASCADE", primary_key=True)
    user_id: Mapped[uuid.UUID] = to("users.id", "CASCADE", primary_key=True, index=True)
    role: Mapped[MemberRole] = mapped_column(labels(MemberRole), server_default="member")
    added_at: Mapped[dt.datetime] = moment(server_default=NOW)


class ProjectTemplate(Base):
    """What a new project can start from."""

    __tablename__ = "project_templates"
    __table_args__ = (UniqueConstraint("org_id", "name"),)

    id: Mapped[uuid.UUID] = uuid_key()
    org_id: Mapped[Optional[uuid.UUID]] = to("orgs.id", "CASCADE")
    name: Mapped[str] = mapped_column(String(120))
    definition: Mapped[Dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)


class SavedFilter(Base):
    """A search that somebody keeps."""

    __tablename__ = "saved_filters"
    __table_args__ = (UniqueConstraint("user_id", "org_id", "name"),)

    id: Mapped[uuid.UUID] = uuid_key()
    user_id: Mapped[uuid.UUID] = to("users.id", "CASCADE")
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE", index=True)
    name: Mapped[str] = mapped_column(String(100))
    query: Mapped[Dict[str, Any]] = mapped_column(JSONB)
    is_shared: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))


class Reaction(Base):
    """A little picture under a comment."""

    __tablename__ = "reactions"

    comment_id: Mapped[uuid.UUID] = to("comments.id", "CASCADE", primary_key=True)
    user_id: Mapped[uuid.UUID] = to("users.id", "CASCADE", primary_key=True)
    emoji: Mapped[str] = mapped_column(String(32), primary_key=True)
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)


class Mention(Base):
    """Somebody was named in a comment."""

    __tablename__ = "mentions"
    __table_args__ = (
        Index("ix_mentions_unseen", "user_id", postgresql_where=text("seen_at IS NULL")),
    )

    comment_id: Mapped[uuid.UUID] = to("comments.id", "CASCADE", primary_key=True)
    user_id: Mapped[uuid.UUID] = to("users.id", "CASCADE", primary_key=True)
    seen_at: Mapped[Optional[dt.datetime]] = moment()


class Document(Base):
    """A text of a project; what it was before is in `document_versions`."""

    __tablename__ = "documents"
    __table_args__ = (
        CheckConstraint("version > 0", name="version_positive"),
        Index("ix_documents_project_title", "project_id", "title"),
    )

    id: Mapped[uuid.UUID] = uuid_key()
    project_id: Mapped[uuid.UUID] = to("projects.id", "CASCADE")
    title: Mapped[str] = mapped_column(String(300))
    body: Mapped[str] = mapped_column(Text, server_default="")
    version: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    created_by: Mapped[Optional[uuid.UUID]] = to("users.id", "SET NULL")
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    updated_at: Mapped[dt.datetime] = moment(server_default=NOW)
    published_at: Mapped[Optional[dt.datetime]] = moment()


class DocumentVersion(Base):
    """What a document was."""

    __tablename__ = "document_versions"

    document_id: Mapped[uuid.UUID] = to("documents.id", "CASCADE", primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    body: Mapped[str] = mapped_column(Text)
    edited_by: Mapped[Optional[uuid.UUID]] = to("users.id", "SET NULL")
    edited_at: Mapped[dt.datetime] = moment(server_default=NOW)
