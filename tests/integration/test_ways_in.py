"""Every way to log in to Vault, each against a real OpenBao."""
from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from tests.lib.agent import Result
from tests.lib.case import Case, lacks
from tests.lib.openbao import OpenBao, find_binary
from tests.lib.processes import Program, plain_environment, wait_until
from tests.lib.servers import Answer, BaoError, Certificates, Request, ScriptedHttp

SECONDS = 60
ISSUER, AUDIENCE = "https://ci.acme.example", "vault.acme.example"
NAMESPACE, ACCOUNT = "acme", "app"


class Site:
    """A secret in an OpenBao, a policy for it, and a contract that wants it."""

    def __init__(self, case: Case, bao: OpenBao) -> None:
        self.case, self.bao = case, bao
        self.mount = bao.kv(2)
        self.value = case.canaries.new("the secret")
        bao.put(f"{self.mount}/app", {"f": self.value})
        self.policies = [bao.policy({f"{self.mount}/data/*": ["read"]})]

    def contract(self, **vault: Any) -> None:
        """Write the contract with that `vault` section."""
        self.case.folder.write("contract.json", json.dumps({
            "contract": 1, "vault": {"address": self.bao.address, **vault},
            "vars": {"S": {"secret": True, "source": f"vault:{self.mount}/app#f"}}}))

    def fetch(self, **env: str) -> Result:
        """Fetch it; its value is on stdout."""
        return self.case.agent("fetch", "--format=json", env=env, prints_secrets=True)

    def gets_in(self, **env: str) -> None:
        """It can be fetched."""
        assert self.fetch(**env).expect(0).json() == {"S": self.value}

    def is_refused(self, *words: str, **env: str) -> str:
        """It can't, for want of rights; the words are in what is said. Gives that."""
        result = self.fetch(**env).expect(4)
        assert result.stdout == "" and not lacks(result.stderr, list(words)), result
        return result.stderr


# ---- tokens that a key signs -------------------------------------------------------------------------

def openssl(*argv: str, text: bytes = b"") -> bytes:
    """What openssl puts out."""
    done = subprocess.run(["openssl", *argv], input=text, capture_output=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def encode(data: bytes) -> str:
    """As a part of a JWT."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    """A key, and JWTs that it signs."""

    def __init__(self, folder: Path) -> None:
        self.key = folder / "signer.key"
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048",
                "-out", str(self.key))
        self.public = openssl("pkey", "-in", str(self.key), "-pubout").decode()

    def sign(self, claims: Mapping[str, Any], lasts: int = 600) -> str:
        """A JWT with these claims, from now on."""
        now = int(time.time())
        head = encode(json.dumps({"alg": "RS256", "typ": "JWT", "kid": "k1"}).encode())
        body = encode(json.dumps({"iat": now - 5, "nbf": now - 5, "exp": now + lasts,
                                  **claims}).encode())
        signed = openssl("dgst", "-sha256", "-sign", str(self.key), text=f"{head}.{body}".encode())
        return f"{head}.{body}.{encode(signed)}"


def test_a_jwt_logs_in_and_is_read_anew_each_time(case: Case) -> None:
    site, signer = Site(case, case.openbao), Signer(case.folder.path)
    mount = site.bao.jwt(signer.public, site.policies, ISSUER, AUDIENCE)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "repo:acme/api"}
    token = case.canaries.add("the JWT", signer.sign(claims))
    site.contract(auth={"method": "jwt", "mount": mount, "role": "app", "jwt": "env:CI_JWT"})
    site.gets_in(CI_JWT=token)
    site.contract(auth={"method": "jwt", "mount": mount, "jwt": "file:jwt"})  # the default role
    for _ in range(2):
        case.folder.write("jwt", case.canaries.add("a later JWT", signer.sign(claims)) + "\n", 0o600)
        site.gets_in()
    case.folder.write("jwt", signer.sign(claims, lasts=-300), 0o600)
    assert "expired" in site.is_refused("log in to Vault (JWT)", f"auth/{mount}/login")
    case.folder.write("jwt", signer.sign({**claims, "aud": "another"}), 0o600)
    site.is_refused("log in to Vault (JWT)", "aud")


def test_without_a_contract_the_environment_says_how_to_log_in(case: Case) -> None:
    site, signer = Site(case, case.openbao), Signer(case.folder.path)
    site.bao.write("sys/auth/jwt", {"type": "jwt"})
    case.defer(lambda: site.bao.request("DELETE", "sys/auth/jwt"))
    site.bao.write("auth/jwt/config", {"jwt_validation_pubkeys": [signer.public]})
    site.bao.write("auth/jwt/role/ci", {"role_type": "jwt", "user_claim": "sub",
                                        "bound_audiences": [AUDIENCE],
                                        "token_policies": site.policies})
    token = signer.sign({"iss": ISSUER, "aud": AUDIENCE, "sub": "x"})
    case.folder.write("token", case.canaries.add("the JWT", token), 0o600)
    env = {"VAULT_ADDR": site.bao.address, "VAULT_AUTH_METHOD": "jwt", "VAULT_ROLE": "ci",
           "VAULT_JWT_FILE": str(case.folder / "token"), "S": f"vault:{site.mount}/app#f"}
    assert json.loads(case.agent("fetch", "--format=json", env=env,
                                 prints_secrets=True).expect(0).stdout)["S"] == site.value


# ---- Kubernetes --------------------------------------------------------------------------------------

class Reviewer:
    """A cluster's TokenReview: it knows the tokens that it was told, by their account."""

    def __init__(self, case: Case) -> None:
        self.accounts: Dict[str, Tuple[str, str]] = {}
        self.reviewed: List[str] = []
        self.certificates = Certificates(case.folder.path)
        self.server = ScriptedHttp(self._answer, self.certificates)
        case.defer(self.server.stop)

    def _answer(self, request: Request) -> Answer:
        if request.path != "/apis/authentication.k8s.io/v1/tokenreviews":
            return Answer(404)
        assert request.headers["authorization"] == "Bearer reviewer"
        asked = json.loads(request.body)["spec"]
        token = asked["token"]
        self.reviewed.append(token)
        status: Dict[str, Any] = {"authenticated": False, "error": "token has been invalidated"}
        if token in self.accounts:
            namespace, account = self.accounts[token]
            status = {"authenticated": True, "audiences": asked["audiences"], "user": {
                "uid": "uid-1", "username": f"system:serviceaccount:{namespace}:{account}",
                "groups": ["system:serviceaccounts", "system:authenticated"]}}
        return Answer(201, json.dumps({"apiVersion": "authentication.k8s.io/v1",
                                       "kind": "TokenReview", "status": status}))


def account_token(signer: Signer, namespace: str, account: str) -> str:
    """As a projected volume has it."""
    return signer.sign({
        "iss": "https://kubernetes.default.svc", "aud": ["https://kubernetes.default.svc"],
        "sub": f"system:serviceaccount:{namespace}:{account}",
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": account,
                                                                     "uid": "uid-1"}}})


def test_a_service_account_of_kubernetes_logs_in(case: Case) -> None:
    site, signer, reviewer = Site(case, case.openbao), Signer(case.folder.path), Reviewer(case)
    mount = site.bao.kubernetes(reviewer.server.address, reviewer.certificates.ca, site.policies,
                                NAMESPACE, ACCOUNT)
    token = case.canaries.add("the account's token", account_token(signer, NAMESPACE, ACCOUNT))
    reviewer.accounts[token] = (NAMESPACE, ACCOUNT)
    case.folder.write("..data/token", token + "\n")  # as kubelet lays it out
    (case.folder / "token").symlink_to("..data/token")
    site.contract(auth={"method": "kubernetes", "mount": mount, "role": "app",
                        "jwt": "file:token"})
    site.gets_in()
    assert reviewer.reviewed == [token]
    other = case.canaries.add("another's token", account_token(signer, NAMESPACE, "other"))
    reviewer.accounts[other] = (NAMESPACE, "other")
    case.folder.write("..data/token", other)
    site.is_refused("log in to Vault (Kubernetes)", f"auth/{mount}/login")
    del reviewer.accounts[token]  # the pod was deleted
    case.folder.write("..data/token", token)
    site.is_refused("log in to Vault (Kubernetes)")
    site.contract(auth={"method": "kubernetes", "mount": mount, "role": "app"})
    absent = case.agent("fetch", "--format=json")
    assert not lacks(absent.stderr, ["/var/run/secrets/kubernetes.io/serviceaccount/token",
                                     "automountServiceAccountToken"]), absent


# ---- certificates ------------------------------------------------------------------------------------

def test_a_client_certificate_logs_in(case: Case) -> None:
    site = Site(case, case.openbao_tls)
    (case.folder / "ours").mkdir()
    (case.folder / "others").mkdir()
    ours, others = Certificates(case.folder / "ours"), Certificates(case.folder / "others")
    mount = site.bao.certificates(ours.ca, site.policies)
    auth = {"method": "cert", "mount": mount, "cert": "ours/server.pem",
            "key": "file:ours/server.key"}
    ca = {"ca_cert": str(site.bao.ca_cert)}
    site.contract(auth=auth, **ca)
    site.gets_in()
    site.contract(auth={**auth, "role": "web"}, **ca)
    site.gets_in()
    site.contract(auth={**auth, "cert": "env:CERT", "key": "env:KEY"}, **ca)
    key = case.canaries.add("the key", ours.key.read_text())
    site.gets_in(CERT=ours.certificate.read_text(), KEY=key)
    site.contract(auth={**auth, "role": "absent"}, **ca)
    site.is_refused("log in to Vault (client certificate)")
    site.contract(auth={**auth, "cert": "others/server.pem", "key": "others/server.key"}, **ca)
    assert others.certificate.exists()
    site.is_refused("log in to Vault (client certificate)")


# ---- wrapped secret ids ------------------------------------------------------------------------------

def test_a_wrapped_secret_id_logs_in_once_and_a_spent_one_is_an_alarm(case: Case) -> None:
    site = Site(case, case.openbao)
    role = site.bao.approle(site.policies)
    auth = {"method": "approle", "mount": role.mount, "role_id": role.role_id, "role": role.name,
            "secret_id": "file:wrapped", "secret_id_wrapped": True}
    site.contract(auth=auth)
    token = case.canaries.add("the wrapping token", site.bao.wrapped_secret_id(role))
    case.folder.write("wrapped", token + "\n", 0o600)
    site.gets_in()
    site.is_refused("unwrapped already", "Somebody else may have the secret id")


def test_what_was_wrapped_elsewhere_is_left_as_it_is(case: Case) -> None:
    site = Site(case, case.openbao)
    role, other = site.bao.approle(site.policies), site.bao.approle(site.policies)
    auth = {"method": "approle", "mount": role.mount, "role_id": role.role_id,
            "secret_id": "env:WRAPPED", "secret_id_wrapped": True}
    site.contract(auth=auth)
    forged = case.canaries.add("a forged one", site.bao.wrapped({"secret_id": other.secret_id}))
    site.is_refused("sys/wrapping/wrap", f"auth/{role.mount}/role/ROLE/secret-id", WRAPPED=forged)
    others = case.canaries.add("of another mount", site.bao.wrapped_secret_id(other))
    site.is_refused(f"auth/{other.mount}/role/app/secret-id", WRAPPED=others)
    for token in (forged, others):  # neither was spent
        assert site.bao.request("POST", "sys/wrapping/unwrap", token=token)["data"]["secret_id"]


def test_a_wrapped_secret_id_of_a_namespace_logs_in(case: Case) -> None:
    site = Site(case, case.openbao)
    space = site.bao.namespace()
    role = site.bao.approle(["default"], namespace=space)
    made = site.bao.request("POST", f"auth/{role.mount}/role/app/secret-id", {}, namespace=space,
                            wrap=300)
    site.contract(namespace=space, auth={
        "method": "approle", "mount": role.mount, "role_id": role.role_id, "role": "app",
        "secret_id": "env:WRAPPED", "secret_id_wrapped": True})
    result = site.fetch(WRAPPED=case.canaries.add("wrapping", made["wrap_info"]["token"]))
    assert "log in" not in result.stderr  # it did; there is nothing to read for it there
    assert result.code == 4 and f"{site.mount}" in result.stderr, result


# ---- an agent of Vault's ---------------------------------------------------------------------------------

def start_proxy(case: Case, site: Site) -> Path:
    """`bao proxy`, which logs in by itself, on a unix socket; only our kind of requests get in."""
    role, folder = site.bao.approle(site.policies), case.folder
    case.canaries.add("the proxy's secret id", role.secret_id)
    (folder / "proxy").mkdir()
    folder.write("proxy/role", role.role_id)
    folder.write("proxy/secret", role.secret_id, 0o600)
    socket = folder / "proxy" / "vault.sock"
    config = folder.write("proxy/config.hcl", f"""
vault {{ address = "{site.bao.address}" }}
auto_auth {{
  method "approle" {{
    mount_path = "auth/{role.mount}"
    config = {{ role_id_file_path = "{folder / 'proxy' / 'role'}"
               secret_id_file_path = "{folder / 'proxy' / 'secret'}"
               remove_secret_id_file_after_reading = false }}
  }}
}}
api_proxy {{ use_auto_auth_token = true }}
listener "unix" {{
  address = "{socket}"
  tls_disable = true
  require_request_header = true
}}
""")
    program = Program([str(find_binary()), "proxy", f"-config={config}"], folder / "proxy" / "log",
                      plain_environment(folder.path), folder.path)
    case.defer(program.stop)
    wait_until(lambda: socket.exists() and "authentication successful" in program.output(),
               "bao proxy", program)
    return socket


def test_an_agents_socket_needs_no_token(case: Case) -> None:
    site = Site(case, case.openbao)
    socket = start_proxy(case, site)
    site.contract()
    site.gets_in(VAULT_AGENT_ADDR=f"unix://{socket}")
    site.contract(address=f"unix://{socket}")
    site.gets_in()
    # Who we are is the agent's business, whatever the contract says; not in strict profiles.
    site.contract(auth={"method": "approle", "role_id": "r", "secret_id": "env:ABSENT"})
    site.gets_in(VAULT_AGENT_ADDR=f"unix://{socket}")
    case.folder.write("contract.json", json.dumps({
        "contract": 1, "profile": {"var": "P", "values": ["prod"]}, "strict_profiles": ["prod"],
        "vault": {"auth": {"method": "approle", "role_id": "r", "secret_id": "env:ABSENT"}},
        "vars": {"P": {"type": "enum", "values": ["prod"], "source": "env"},
                 "S": {"secret": True, "source": f"vault:{site.mount}/app#f"}}}))
    assert "no secret id" in site.fetch(VAULT_AGENT_ADDR=f"unix://{socket}", P="prod").stderr


# ---- what every way has ----------------------------------------------------------------------------------

def test_a_token_that_we_made_ends_with_us_whatever_the_way(case: Case) -> None:
    site, signer = Site(case, case.openbao), Signer(case.folder.path)
    mount = site.bao.jwt(signer.public, site.policies, ISSUER, AUDIENCE)
    token = signer.sign({"iss": ISSUER, "aud": AUDIENCE, "sub": "x"})
    site.contract(auth={"method": "jwt", "mount": mount, "jwt": "env:CI_JWT"})
    site.gets_in(CI_JWT=case.canaries.add("the JWT", token))

    def made(path: str) -> Optional[str]:
        for accessor in site.bao.request("LIST", "auth/token/accessors")["data"]["keys"]:
            try:
                data = site.bao.write("auth/token/lookup-accessor", {"accessor": accessor})["data"]
            except BaoError:
                continue  # it has ended since it was listed
            if data["path"] == path:
                return str(accessor)
        return None

    assert made(f"auth/{mount}/login") is None


def test_what_a_contract_leaves_out_the_environment_brings(case: Case) -> None:
    site = Site(case, case.openbao)
    role = site.bao.approle(site.policies)
    site.contract(auth={"method": "approle", "mount": role.mount})
    case.agent("check", "--lint").expect(0)
    case.folder.write("role-id", role.role_id + "\n")
    case.folder.write("secret-id", case.canaries.add("secret id", role.secret_id) + "\n")
    site.gets_in(VAULT_ROLE_ID_FILE="role-id", VAULT_SECRET_ID_FILE="secret-id")
    site.is_refused("role id", "VAULT_ROLE_ID")


# ---- on the way ----------------------------------------------------------------------------------------


def test_the_connection_is_on_its_way_while_the_library_is_opened(case: Case) -> None:
    if shutil.which("strace") is None:
        case.skip("strace is not here")
    case.needs_a_look_inside()
    site = Site(case, case.openbao_tls)
    site.contract(ca_cert=str(site.bao.ca_cert))
    calls = case.folder / "calls"
    said = case.tool("strace", "-f", "-e", "trace=socket,connect,openat", "-o", str(calls),
                     str(case.make_agent("release").binary), "fetch", "--format=json",
                     env={"VAULT_TOKEN": site.bao.token})
    if "ptrace" in said.stderr:
        case.skip("no process may be traced here")
    assert said.expect(0).json() == {"S": site.value}
    lines = calls.read_text().splitlines()
    connected = [i for i, line in enumerate(lines) if f"htons({site.bao.port})" in line]
    opened = [i for i, line in enumerate(lines) if "libcurl" in line and "= -1" not in line]
    assert connected[0] < opened[0], lines
    assert len([line for line in lines if "SOCK_STREAM" in line]) == 1, "it is the one that is used"
