"""Certificates and keys as files, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["certified"]


def certified(directory: Path, name: str = "desk", passphrase: str = "") -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, encrypted where there is a passphrase."""
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    asked = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=localhost"]
    named = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    closed = ["-passout", f"pass:{passphrase}"] if passphrase else ["-nodes"]
    subprocess.run(["openssl", "req", *asked, *closed, *named], check=True, capture_output=True)
    return certificate, key
