"""A CA of our own and a certificate for 127.0.0.1 and localhost, made with openssl."""
from __future__ import annotations

import subprocess
from pathlib import Path
from typing import List

DAYS = "2"
SECONDS = 60


class Certificates:
    """`ca`, `certificate` and `key` as PEM files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.ca, ca_key = folder / "ca.pem", folder / "ca.key"
        self.certificate, self.key = folder / "server.pem", folder / "server.key"
        request, extensions = folder / "server.csr", folder / "server.ext"
        extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        fresh = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                 "-nodes"]
        _run(fresh + ["-x509", "-days", DAYS, "-subj", "/CN=agent test CA",
                      "-keyout", str(ca_key), "-out", str(self.ca)])
        _run(fresh + ["-subj", "/CN=localhost", "-keyout", str(self.key), "-out", str(request)])
        _run(["openssl", "x509", "-req", "-days", DAYS, "-in", str(request), "-CA", str(self.ca),
              "-CAkey", str(ca_key), "-CAcreateserial", "-extfile", str(extensions),
              "-out", str(self.certificate)])
        for path in (self.ca, self.certificate):
            path.chmod(0o644)


def _run(argv: List[str]) -> None:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv[:2])}: {done.stderr.strip()}")
