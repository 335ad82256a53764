"""What the contracts of several kinds of receivers need."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import NoReturn


@pytest.fixture(scope="module")
def certificate(
    tmp_path_factory: pytest.TempPathFactory, without: Callable[[str], NoReturn]
) -> Path:
    """A certificate for localhost that nobody signed; its key lies beside it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        without("no `openssl` to make a certificate with")
    file = tmp_path_factory.mktemp("tls") / "localhost.crt"
    options = "-x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", file.with_suffix(".key"), "-out", file]
    subprocess.run(
        [openssl, "req", *options.split(), *names, *files], check=True, capture_output=True
    )
    return file
