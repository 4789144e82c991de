"""The servers that tests and the demo start: one door to them.

    from tests.lib.servers import OpenBao, Postgres, Proxy, ScriptedHttp
"""
from tests.lib.certificates import Certificates
from tests.lib.cluster import Cluster, Node
from tests.lib.openbao import AppRole, BaoError, OpenBao
from tests.lib.postgres import (Database, Postgres, PostgresError, Role, quote_name, quote_text,
                                server_user)
from tests.lib.processes import (ROOT, Folder, NotReady, Program, free_port, plain_environment,
                                 reachable, stop_everything, stop_on_signals, wait_until)
from tests.lib.proxy import Proxy, Traffic
from tests.lib.scripted import Answer, RawServer, Request, ScriptedHttp

__all__ = [
    "Answer", "AppRole", "BaoError", "Certificates", "Cluster", "Database", "Folder", "Node",
    "NotReady", "OpenBao",
    "Postgres", "PostgresError", "Program", "Proxy", "ROOT", "RawServer", "Request", "Role",
    "ScriptedHttp", "Traffic", "free_port", "plain_environment", "quote_name", "quote_text",
    "reachable", "server_user", "stop_everything", "stop_on_signals", "wait_until",
]
