"""Certificates of clients, at a real PostgreSQL that lets nobody in without one."""
from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import urlencode

from tests.lib.agent import Result
from tests.lib.case import Case, lacks
from tests.lib.certificates import Certificates
from tests.lib.processes import folder_in_memory
from tests.lib.project import Project, assert_made, assert_untouched
from tests.lib.servers import Postgres

HBA = "local all postgres trust\nhostssl all all 127.0.0.1/32 cert\n"
OPENSSL_SECONDS = 60


def make_server() -> Postgres:
    """One that asks for certificates of its own CA, and for nothing else."""
    server = Postgres(tls=True, parent=folder_in_memory())
    (server.data / "pg_hba.conf").write_text(HBA)
    server.sql(f"ALTER SYSTEM SET ssl_ca_file = '{server.ca_cert}'; SELECT pg_reload_conf()")
    return server


class Site:
    """A database, a contract that makes it, and the certificate of its owner."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.server: Postgres = case.once("postgres that wants certificates", make_server)
        self.database = case.database(self.server)
        assert self.server.certificates is not None
        self.ours: Certificates = self.server.certificates
        self.certificate, self.key = self.ours.sign(self.database.owner.name, self.database.owner.name)
        self.files: Dict[str, Any] = {"sslmode": "verify-full", "sslrootcert": self.ours.ca,
                                      "sslcert": self.certificate, "sslkey": self.key}
        Project(case).database_contract(wait="2s")

    def url(self, **other: Any) -> str:
        """The owner's URL, without a password; `other` replaces words of the query (None: not there)."""
        query = {name: value for name, value in {**self.files, **other}.items() if value is not None}
        return (f"postgresql://{self.database.owner.name}@localhost:{self.server.port}/"
                f"{self.database.name}?{urlencode(query)}")

    def agent(self, *args: str, url: str, **env: Any) -> Result:
        """Run a command to its end."""
        return self.case.agent(*args, env={"DATABASE_URL": url, **{name: str(value) for name, value in env.items()}})

    def refused(self, words: List[str], code: int = 6, **other: Any) -> None:
        """It is said by these words, by verify and by bootstrap, which does not wait for it."""
        for command in ("verify", "bootstrap"):
            result = self.agent(command, "--json", url=self.url(**other)).expect(code)
            error = result.json()["error"]
            assert not lacks(error["message"] + error["hint"], words), (words, result)
            assert "in vain" not in error["message"] and "password right" not in error["hint"], result


def test_a_certificate_in_place_of_a_password(case: Case) -> None:
    site = Site(case)
    document = site.agent("bootstrap", "--json", url=site.url()).expect(0).json()
    assert document["created"] is True and document["tls"] is True, document
    assert_made(site.database)
    environment = {"PGSSLCERT": site.certificate, "PGSSLKEY": site.key, "PGSSLROOTCERT": site.ours.ca}
    bare = site.url(sslcert=None, sslkey=None, sslrootcert=None)
    said = site.agent("verify", url=bare, **environment).expect(0).stdout
    assert not lacks(said, ["tls         TLSv1", "state       current"]), said
    result = site.agent("run", "--bootstrap", "--", "printenv", "DATABASE_URL", url=site.url()).expect(0)
    assert result.stdout == site.url() + "\n", result


def test_a_key_with_a_passphrase(case: Case) -> None:
    site = Site(case)
    phrase, wrong = case.canaries.new("passphrase"), case.canaries.new("wrong passphrase")
    locked = case.folder / "locked.key"
    subprocess.run(["openssl", "pkey", "-in", str(site.key), "-aes256", "-passout", "stdin", "-out", str(locked)],
                   input=phrase.encode(), check=True, capture_output=True, timeout=OPENSSL_SECONDS)
    locked.chmod(0o600)
    site.agent("bootstrap", url=site.url(sslkey=locked, sslpassword=phrase)).expect(0)
    site.refused(["TLS", str(locked), "sslpassword"], sslkey=locked, sslpassword=wrong)
    # Unsaid, OpenSSL would ask at the terminal.
    site.refused(["TLS", str(locked), "sslpassword"], sslkey=locked)


def test_certificates_that_the_server_refuses(case: Case) -> None:
    site = Site(case)
    stranger = Certificates(case.folder.path, "another CA")
    certificate, key = stranger.sign("stranger", site.database.owner.name)
    site.refused(["TLS", "alert unknown ca", "ssl_ca_file"], sslcert=certificate, sslkey=key)
    certificate, key = site.ours.sign("somebody-else", "somebody-else")
    site.refused(["authentication", "certificate authentication failed", "pg_ident.conf"],
                 sslcert=certificate, sslkey=key)
    for files in ({"sslcert": None, "sslkey": None}, {"sslcert": "/nowhere.pem"}):
        site.refused(["authentication", "requires a valid client certificate", "sslcert", "PGSSLKEY"], **files)
    site.refused(["no encryption", "pg_hba.conf"], sslmode="disable")
    assert_untouched(site.database)


def test_files_of_a_certificate_that_will_not_do(case: Case) -> None:
    site = Site(case)
    none = "/nowhere/client.key"
    garbage = case.folder.write("garbage", "-----BEGIN PRIVATE KEY-----\nxx\n", 0o600)
    shared = case.folder.write("shared.key", site.key.read_text(), 0o644)
    another = site.ours.sign("another", "another")[1]
    rows: List[Tuple[Dict[str, Any], List[str]]] = [
        ({"sslkey": none}, ["not private key file", none]),
        ({"sslkey": shared}, ["group or world access", str(shared), "0600"]),
        ({"sslkey": garbage}, ["could not load private key file", str(garbage)]),
        ({"sslkey": another}, ["key values mismatch", str(another)]),
        ({"sslcert": garbage}, ["could not read certificate file", str(garbage)])]
    for files, words in rows:
        site.refused(["TLS: ", *words, "sslcert and sslkey"], **files)
    site.refused(["sslcert is named, and its key is not", "PGSSLKEY"], code=2, sslkey=None)
    key_text = site.key.read_text().splitlines()[1]
    assert key_text and all(key_text not in line for line in case.log)
    assert_untouched(site.database)


def test_a_server_whose_certificate_is_not_the_named_cas(case: Case) -> None:
    site = Site(case)
    stranger = Certificates(case.folder.path, "another CA")
    for root, words in ((stranger.ca, "certificate verify failed"), (None, "certificate verify failed"),
                        (Path("/nowhere.pem"), "does not exist")):
        site.refused(["TLS: ", words, "sslrootcert"], sslrootcert=root)
    assert_untouched(site.database)
