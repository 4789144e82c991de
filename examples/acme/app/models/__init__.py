"""The tables. What the ORM can't say (functions, triggers, views, policies) is in objects.py."""
from app.models import accounts, billing, platform, projects
from app.models.base import Base

__all__ = ["Base", "accounts", "billing", "platform", "projects"]
