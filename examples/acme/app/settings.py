"""Every variable that the application reads, each by its name: `agent check --drift .` holds them against contract.json."""
from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Settings:
    """What the environment said when it was read; None is not set. Rules and defaults are the contract's."""

    role: Optional[str]
    database_url: Optional[str]
    redis_url: Optional[str]
    session_secret: Optional[str]
    webhook_signing_key: Optional[str]
    clerk_secret_key: Optional[str]
    clerk_publishable_key: Optional[str]
    email_mode: Optional[str]
    resend_api_key: Optional[str]
    public_url: Optional[str]
    support_email: Optional[str]
    sentry_dsn: Optional[str]
    log_level: Optional[str]
    port: Optional[str]
    web_concurrency: Optional[str]
    request_timeout: Optional[str]
    trace_sample_rate: Optional[str]
    signup_open: Optional[str]
    tenant_id: Optional[str]
    upload_dir: Optional[str]


def read() -> Settings:
    """The settings of this process."""
    return Settings(
        role=os.environ.get("DB_ROLE"),
        database_url=os.environ.get("DATABASE_URL"),
        redis_url=os.environ.get("REDIS_URL"),
        session_secret=os.environ.get("SESSION_SECRET"),
        webhook_signing_key=os.environ.get("WEBHOOK_SIGNING_KEY"),
        clerk_secret_key=os.environ.get("CLERK_SECRET_KEY"),
        clerk_publishable_key=os.environ.get("CLERK_PUBLISHABLE_KEY"),
        email_mode=os.environ.get("EMAIL_MODE"),
        resend_api_key=os.environ.get("RESEND_API_KEY"),
        public_url=os.environ.get("PUBLIC_URL"),
        support_email=os.environ.get("SUPPORT_EMAIL"),
        sentry_dsn=os.environ.get("SENTRY_DSN"),
        log_level=os.environ.get("LOG_LEVEL"),
        port=os.environ.get("PORT"),
        web_concurrency=os.environ.get("WEB_CONCURRENCY"),
        request_timeout=os.environ.get("REQUEST_TIMEOUT"),
        trace_sample_rate=os.environ.get("TRACE_SAMPLE_RATE"),
        signup_open=os.environ.get("SIGNUP_OPEN"),
        tenant_id=os.environ.get("TENANT_ID"),
        upload_dir=os.environ.get("UPLOAD_DIR"),
    )
