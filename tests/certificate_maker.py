"""Certificates of our own for tests of TLS, made by openssl."""

import subprocess
from pathlib import Path


def certificate_of(folder: Path, name: str) -> Path:
    """A PEM file with a new key and its own certificate for 127.0.0.1 or another name."""
    key, cert, both = (folder / f"{name}.{end}" for end in ("key", "cert", "pem"))
    kind = "IP" if name[0].isdigit() else "DNS"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-days", "2", "-subj", "/CN=venue"]
    words += ["-addext", f"subjectAltName={kind}:{name}", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    both.write_bytes(key.read_bytes() + cert.read_bytes())
    return both
