"""What is paid: plans, subscriptions, invoices."""
from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Optional

from sqlalchemy import (BigInteger, Boolean, CheckConstraint, Computed, Date, ForeignKey, Index,
                        Integer, Numeric, PrimaryKeyConstraint, SmallInteger, String, Text,
                        UniqueConstraint, text)
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Mapped, mapped_column

from app.models.accounts import OrgPlan
from app.models.base import NOW, Base, counted_key, labels, moment, to, uuid_key


class InvoiceStatus(enum.Enum):
    """Where an invoice stands."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"


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
    pdf_key: Mapped[Optional[str]] = mapped_column(Text)


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


class SubscriptionStatus(enum.Enum):
    """Where a subscription stands."""

    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    PAUSED = "paused"
    CANCELLED = "cancelled"


class Price(Base):
    """What a plan costs, from a day on."""

    __tablename__ = "prices"
    __table_args__ = (
        PrimaryKeyConstraint("plan", "currency", "valid_from"),
        CheckConstraint("monthly_cents >= 0 AND yearly_cents >= 0", name="not_negative"),
    )

    plan: Mapped[OrgPlan] = mapped_column(labels(OrgPlan))
    currency: Mapped[str] = mapped_column(String(3))
    valid_from: Mapped[dt.date] = mapped_column(Date)
    monthly_cents: Mapped[int] = mapped_column(BigInteger)
    yearly_cents: Mapped[int] = mapped_column(BigInteger)


class Subscription(Base):
    """What an organisation has ordered; one is current at most."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        CheckConstraint("seats > 0", name="seats_positive"),
        CheckConstraint("interval IN ('month', 'year')", name="interval_known"),
        Index("uq_subscriptions_current", "org_id", unique=True,
              postgresql_where=text("ended_at IS NULL")),
        Index("ix_subscriptions_renewal", "renews_on", postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = uuid_key()
    org_id: Mapped[uuid.UUID] = to("orgs.id", "RESTRICT")
    plan: Mapped[OrgPlan] = mapped_column(labels(OrgPlan))
    status: Mapped[SubscriptionStatus] = mapped_column(labels(SubscriptionStatus),
                                                       server_default="trialing")
    interval: Mapped[str] = mapped_column(Text, server_default="month")
    seats: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    started_at: Mapped[dt.datetime] = moment(server_default=NOW)
    ended_at: Mapped[Optional[dt.datetime]] = moment()
    provider_ref: Mapped[Optional[str]] = mapped_column(String(100), unique=True)
    updated_at: Mapped[dt.datetime] = moment(server_default=NOW)
    renews_on: Mapped[Optional[dt.date]] = mapped_column(Date)
    cancel_reason: Mapped[Optional[str]] = mapped_column(String(200))


class BillingAddress(Base):
    """Where an organisation's invoices go."""

    __tablename__ = "billing_addresses"
    __table_args__ = (CheckConstraint("country ~ '^[A-Z]{2}$'", name="country_format"),)

    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE", primary_key=True)
    company: Mapped[str] = mapped_column(String(200))
    street: Mapped[str] = mapped_column(String(200))
    postal_code: Mapped[str] = mapped_column(String(20))
    city: Mapped[str] = mapped_column(String(100))
    country: Mapped[str] = mapped_column(String(2))
    vat_id: Mapped[Optional[str]] = mapped_column(String(20))
    updated_at: Mapped[dt.datetime] = moment(server_default=NOW)


class PaymentMethod(Base):
    """A card or an account, as the provider knows it."""

    __tablename__ = "payment_methods"
    __table_args__ = (
        UniqueConstraint("provider", "provider_ref"),
        Index("uq_payment_methods_default", "org_id", unique=True, postgresql_where=text("is_default")),
    )

    id: Mapped[uuid.UUID] = uuid_key()
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE", index=True)
    provider: Mapped[str] = mapped_column(String(20))
    provider_ref: Mapped[str] = mapped_column(String(100))
    brand: Mapped[Optional[str]] = mapped_column(String(20))
    last_four: Mapped[Optional[str]] = mapped_column(String(4))
    expires_on: Mapped[Optional[dt.date]] = mapped_column(Date)
    is_default: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)


class Payment(Base):
    """Money that came, or did not."""

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("amount_cents > 0", name="amount_positive"),
        CheckConstraint("status IN ('pending', 'succeeded', 'failed', 'refunded')",
                        name="status_known"),
        Index("ix_payments_pending", "created_at", postgresql_where=text("status = 'pending'")),
    )

    id: Mapped[uuid.UUID] = uuid_key()
    invoice_id: Mapped[uuid.UUID] = to("invoices.id", "RESTRICT", index=True)
    method_id: Mapped[Optional[uuid.UUID]] = to("payment_methods.id", "SET NULL")
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(Text, server_default="pending")
    provider_ref: Mapped[Optional[str]] = mapped_column(String(100), unique=True)
    failure: Mapped[Optional[str]] = mapped_column(Text)
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)
    settled_at: Mapped[Optional[dt.datetime]] = moment()


class CreditNote(Base):
    """An invoice taken back, or a part of it."""

    __tablename__ = "credit_notes"
    __table_args__ = (CheckConstraint("amount_cents > 0", name="amount_positive"),)

    id: Mapped[uuid.UUID] = uuid_key()
    invoice_id: Mapped[uuid.UUID] = to("invoices.id", "RESTRICT", index=True)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    issued_at: Mapped[dt.date] = mapped_column(Date)


class Coupon(Base):
    """A reduction that can be asked for by its code."""

    __tablename__ = "coupons"
    __table_args__ = (
        CheckConstraint("percent_off BETWEEN 1 AND 100", name="percent_range"),
        CheckConstraint("num_nonnulls(percent_off, cents_off) = 1", name="one_kind"),
    )

    code: Mapped[str] = mapped_column(String(40), primary_key=True)
    percent_off: Mapped[Optional[int]] = mapped_column(SmallInteger)
    cents_off: Mapped[Optional[int]] = mapped_column(BigInteger)
    valid_until: Mapped[Optional[dt.date]] = mapped_column(Date)
    max_uses: Mapped[Optional[int]] = mapped_column(Integer)
    created_at: Mapped[dt.datetime] = moment(server_default=NOW)


class CouponUse(Base):
    """A coupon that an organisation has used."""

    __tablename__ = "coupon_uses"
    __table_args__ = (PrimaryKeyConstraint("code", "org_id"),)

    code: Mapped[str] = mapped_column(String(40), ForeignKey("coupons.code", ondelete="RESTRICT"))
    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE", index=True)
    used_at: Mapped[dt.datetime] = moment(server_default=NOW)


class TaxRate(Base):
    """What a country takes, from a day on."""

    __tablename__ = "tax_rates"
    __table_args__ = (
        PrimaryKeyConstraint("country", "valid_from"),
        CheckConstraint("percent BETWEEN 0 AND 100", name="percent_range"),
    )

    country: Mapped[str] = mapped_column(String(2))
    valid_from: Mapped[dt.date] = mapped_column(Date)
    percent: Mapped[Decimal] = mapped_column(Numeric(6, 3))


class ExchangeRate(Base):
    """What a euro was worth on a day."""

    __tablename__ = "exchange_rates"
    __table_args__ = (PrimaryKeyConstraint("day", "currency"),)

    day: Mapped[dt.date] = mapped_column(Date)
    currency: Mapped[str] = mapped_column(String(3))
    rate: Mapped[Decimal] = mapped_column(Numeric(18, 8))


class UsageRecord(Base):
    """How much of something an organisation used on a day."""

    __tablename__ = "usage_records"
    __table_args__ = (
        PrimaryKeyConstraint("org_id", "metric", "day"),
        CheckConstraint("quantity >= 0", name="not_negative"),
        Index("ix_usage_records_day", "day", postgresql_using="brin"),
        {"comment": "One row per organisation, metric and day; billing adds them up."},
    )

    org_id: Mapped[uuid.UUID] = to("orgs.id", "CASCADE")
    metric: Mapped[str] = mapped_column(String(40))
    day: Mapped[dt.date] = mapped_column(Date)
    quantity: Mapped[int] = mapped_column(BigInteger, server_default=text("0"),
                                          comment="In the metric's own unit")


class Reminder(Base):
    """That an invoice is due was said."""

    __tablename__ = "invoice_reminders"
    __table_args__ = (
        PrimaryKeyConstraint("invoice_id", "step"),
        CheckConstraint("step BETWEEN 1 AND 4", name="step_range"),
    )

    invoice_id: Mapped[uuid.UUID] = to("invoices.id", "CASCADE")
    step: Mapped[int] = mapped_column(SmallInteger)
    sent_at: Mapped[dt.datetime] = moment(server_default=NOW)
