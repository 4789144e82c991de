"""Who: users, organisations, and how they come in."""
from __future__ import annotations

import datetime as dt
import enum
import uuid
from typing import TYPE_CHECKING, Any, Dict, List, Optional

from sqlalchemy import (Boolean, CheckConstraint, Index, LargeBinary, PrimaryKeyConstraint,
                        SmallInteger, String, Text, UniqueConstraint, text)
from sqlalchemy.dialects.postgresql import ARRAY, CIDR, INET, JSONB, UUID
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import (EMPTY_LIST, EMPTY_OBJECT, NOW, TOKEN_BYTES, Base, counted_key, labels,
                             moment, to, uuid_key)

if TYPE_CHECKING:
    from app.models.projects import Project


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
    avatar_key: Mapped[Optional[str]] = mapped_column(Text)
    last_seen_at: Mapped[Optional[dt.datetime]] = moment()
    memberships: Mapped[List["Membership"]] = relationship(
        back_populates="user", foreign_keys="Membership.user_id")


class Org(Base):
    """An organisation: everything else belongs to one."""

    __tablename__ = "orgs"
    __table_args__ = (
        CheckConstraint("slug ~ '^[a-z0-9][a-z0-9-]*$'", name="slug_format"),
        CheckConstraint("country ~ '^[A-Z]{2}$'", name="country_format"),
        Index("ix_orgs_suspended", "suspended_at", postgresql_where=text("suspended_at IS NOT NULL")),
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
    suspended_at: Mapped[Optional[dt.datetime]] = moment()
    country: Mapped[Optional[str]] = mapped_column(String(2))
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
    last_seen_at: Mapped[Optional[dt.datetime]] = moment()


class AuditEntry(Base):
    """What was done, by whom; rows outlive both."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_created_at", "created_at", postgresql_using="brin"),
        Index("ix_audit_log_org_recent", "org_id", text("created_at DESC")),
        Index("ix_audit_log_object", "object_type", "object_id"),
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
    service_account_id: Mapped[Optional[uuid.UUID]] = to("service_accounts.id", "CASCADE", index=True)


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


class Team(Base):
    """Members of an organisation who work together."""

    __tablename__ = "teams"
    __table_args__ = (UniqueConstraint("org_id", "slug"),)

    id: Mapped[uuid.UUID] = uuid_key()
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE")
    slug: Mapped[str] = mapped_column(String(63))
    name: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    parent_id: Mapped[Optional[uuid.UUID]] = to("teams.id", "SET NULL", index=True)


class TeamMember(Base):
    """A user in a team."""

    __tablename__ = "team_members"

    team_id: Mapped[uuid.UUID] = to("teams.id", "CASCADE", primary_key=True)
    user_id: Mapped[uuid.UUID] = to("users.id", "CASCADE", primary_key=True, index=True)
    is_lead: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    joined_at: Mapped[dt.datetime] = moment(server_default=NOW)


class UserPreference(Base):
    """How somebody likes the product to look and to speak."""

    __tablename__ = "user_preferences"
    __table_args__ = (CheckConstraint("theme IN ('system', 'light', 'dark')", name="theme_known"),)

    user_id: Mapped[uuid.UUID] = to("users.id", "CASCADE", primary_key=True)
    theme: Mapped[str] = mapped_column(Text, server_default="system")
    timezone: Mapped[str] = mapped_column(String(64), server_default="UTC")
    week_starts_on: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    updated_at: Mapped[dt.datetime] = moment(server_default=NOW)


class UserEmail(Base):
    """A further address of a user; the first one is in `users`."""

    __tablename__ = "user_emails"
    __table_args__ = (Index("uq_user_emails_address_lower", text("lower(address)"), unique=True),)

    id: Mapped[uuid.UUID] = uuid_key()
    user_id: Mapped[uuid.UUID] = to("users.id", "CASCADE", index=True)
    address: Mapped[str] = mapped_column(String(320))
    verified_at: Mapped[Optional[dt.datetime]] = moment()
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)


class LoginEvent(Base):
    """Somebody came in, or did not."""

    __tablename__ = "login_events"
    __table_args__ = (
        Index("ix_login_events_user_recent", "user_id", text("occurred_at DESC")),
        Index("ix_login_events_occurred_at", "occurred_at", postgresql_using="brin"),
    )

    id: Mapped[int] = counted_key()
    user_id: Mapped[Optional[uuid.UUID]] = to("users.id", "SET NULL")
    succeeded: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[Optional[str]] = mapped_column(String(60))
    ip: Mapped[Optional[str]] = mapped_column(INET)
    occurred_at: Mapped[dt.datetime] = moment(server_default=NOW)
    country: Mapped[Optional[str]] = mapped_column(String(2))


class MfaDevice(Base):
    """A second factor; its secret is in the vault, under `secret_ref`."""

    __tablename__ = "mfa_devices"
    __table_args__ = (UniqueConstraint("user_id", "label"),)

    id: Mapped[uuid.UUID] = uuid_key()
    user_id: Mapped[uuid.UUID] = to("users.id", "CASCADE")
    kind: Mapped[str] = mapped_column(String(20))
    label: Mapped[str] = mapped_column(String(60))
    secret_ref: Mapped[str] = mapped_column(Text)
    confirmed_at: Mapped[Optional[dt.datetime]] = moment()
    last_used_at: Mapped[Optional[dt.datetime]] = moment()


class OrgDomain(Base):
    """A mail domain whose users may join by themselves."""

    __tablename__ = "org_domains"
    __table_args__ = (CheckConstraint("domain = lower(domain)", name="domain_lower"),)

    id: Mapped[uuid.UUID] = uuid_key()
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE", index=True)
    domain: Mapped[str] = mapped_column(String(253), unique=True)
    challenge: Mapped[str] = mapped_column(String(64))
    verified_at: Mapped[Optional[dt.datetime]] = moment()
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    auto_join: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))


class SsoConnection(Base):
    """An organisation's own identity provider."""

    __tablename__ = "sso_connections"
    __table_args__ = (
        CheckConstraint("protocol IN ('saml', 'oidc')", name="protocol_known"),
        UniqueConstraint("org_id", "issuer"),
    )

    id: Mapped[uuid.UUID] = uuid_key()
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE")
    protocol: Mapped[str] = mapped_column(Text)
    issuer: Mapped[str] = mapped_column(Text)
    settings: Mapped[Dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    enabled: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    updated_at: Mapped[dt.datetime] = moment(server_default=NOW)


class CustomRole(Base):
    """A role that an organisation has put together itself."""

    __tablename__ = "custom_roles"
    __table_args__ = (UniqueConstraint("org_id", "name"),)

    id: Mapped[uuid.UUID] = uuid_key()
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE")
    name: Mapped[str] = mapped_column(String(60))
    permissions: Mapped[List[str]] = mapped_column(ARRAY(Text), server_default=EMPTY_LIST)
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    description: Mapped[str] = mapped_column(Text, server_default="")


class ServiceAccount(Base):
    """A member that is a program."""

    __tablename__ = "service_accounts"
    __table_args__ = (UniqueConstraint("org_id", "name"),)

    id: Mapped[uuid.UUID] = uuid_key()
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE")
    name: Mapped[str] = mapped_column(String(100))
    role_id: Mapped[Optional[uuid.UUID]] = to("custom_roles.id", "SET NULL")
    disabled_at: Mapped[Optional[dt.datetime]] = moment()
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)


class IpAllowRule(Base):
    """From where an organisation's members may come in."""

    __tablename__ = "ip_allow_rules"
    __table_args__ = (UniqueConstraint("org_id", "network"),)

    id: Mapped[int] = counted_key()
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE")
    network: Mapped[str] = mapped_column(CIDR)
    note: Mapped[str] = mapped_column(String(200), server_default="")
