"""Providers of credentials, as their documentation says that they behave: local HTTP servers.

What each gives out can be used against it, and is refused once it is taken back. Their weather is
scripted (base.py): busy, too many requests, a reply that is lost, a yes after which nothing happened.
"""
from tests.lib.providers.base import BUSY, LOST, NOTHING, Provider, Weather, refuse, too_many
from tests.lib.providers.clerk import Clerk
from tests.lib.providers.neon import Neon
from tests.lib.providers.resend import Resend
from tests.lib.providers.upstash import Upstash

__all__ = ["BUSY", "Clerk", "LOST", "NOTHING", "Neon", "Provider", "Resend", "Upstash", "Weather",
           "refuse", "too_many"]
