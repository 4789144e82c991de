"""A CA of our own and a certificate for 127.0.0.1 and localhost, made with openssl."""
from __future__ import annotations

import secrets
import subprocess
from pathlib import Path
from typing import List, Tuple

DAYS = "2"
SECONDS = 60
FRESH = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Certificates:
    """`ca`, `certificate` and `key` as PEM files in a folder."""

    def __init__(self, folder: Path, name: str = "agent test CA") -> None:
        self.folder, self.ca, self._ca_key = folder, folder / "ca.pem", folder / "ca.key"
        _run(FRESH + ["-x509", "-days", DAYS, "-subj", f"/CN={name}",
                      "-keyout", str(self._ca_key), "-out", str(self.ca)])
        self.ca.chmod(0o644)
        self.certificate, self.key = self.sign("server", "localhost",
                                               "subjectAltName=IP:127.0.0.1,DNS:localhost\n")

    def sign(self, file: str, name: str, extensions: str = "") -> Tuple[Path, Path]:
        """Make a certificate of this CA for NAME, and its key, in files that begin with FILE."""
        certificate, key = self.folder / f"{file}.pem", self.folder / f"{file}.key"
        request, with_extensions = self.folder / f"{file}.csr", self.folder / f"{file}.ext"
        with_extensions.write_text(extensions)
        _run(FRESH + ["-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request)])
        _run(["openssl", "x509", "-req", "-days", DAYS, "-in", str(request), "-CA", str(self.ca),
              "-CAkey", str(self._ca_key), "-set_serial", str(secrets.randbits(63)), "-extfile", str(with_extensions),
              "-out", str(certificate)])
        certificate.chmod(0o644)
        return certificate, key


def _run(argv: List[str]) -> None:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv[:2])}: {done.stderr.strip()}")
