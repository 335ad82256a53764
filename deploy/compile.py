"""Compiles the hot core of pulse with mypyc, next to its sources.

Usage: python deploy/compile.py [--remove | --check]

The compiled modules are made from the very files that run without a compiler: with PULSE_PURE=1,
or where there is no C compiler, Python runs those. A hash of the sources is kept, so that nothing
is compiled twice and that tests notice a core that is older than its sources.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src"
CORE = [
    "pulse/model/instants.py",
    "pulse/model/shape.py",
    "pulse/alerting/alert.py",
    "pulse/signals/signal.py",
    *(f"pulse/signals/{name}.py" for name in (
        "usage/silence", "usage/drop", "usage/champion", "usage/feature",
        "success/seats", "success/onboarding", "success/check_in", "success/renewal",
        "success/ready_to_ask", "billing/payment", "billing/card", "billing/cancelled",
        "voice/threads", "voice/detractor",
    )),
    *(f"pulse/engagement/{name}.py" for name in (
        "windows", "line", "days", "measures", "scorecard", "account", "packing", "usage",
        "lifecycle", "forecast", "holidays", "codec", "recent", "sources", "profile", "facts",
        "notes", "working", "ranks", "load",
        "distinct", "key_features", "on_demand", "patching", "trend",
    )),
    *(f"pulse/engine/{name}.py" for name in (
        "state", "columns", "rules", "seeing", "watching", "evaluate", "timekeeper", "engine",
        "intake", "admission", "placing",
    )),
    "pulse/stream/kafka/records.py",
]  # fmt: skip
NOTE = SOURCES / "pulse" / ".compiled"
BUILD = ROOT / ".cache" / "mypyc"


def main() -> None:
    """Compile if the sources have changed; remove or check what was compiled."""
    if "--remove" in sys.argv[1:]:
        remove()
        return
    wanted = fingerprint()
    if "--check" in sys.argv[1:]:
        sys.exit(not NOTE.is_file() or NOTE.read_text() != wanted)
    if NOTE.is_file() and NOTE.read_text() == wanted:
        return
    remove()
    if shutil.which(_compiler()) is None:
        print(f"no C compiler ({_compiler()}): pulse runs in pure Python, at a fifth of its speed")
        return
    print("compiling the engine, once (about a minute)", flush=True)
    started = time.monotonic()
    BUILD.mkdir(parents=True, exist_ok=True)
    log = BUILD / "log.txt"
    with log.open("w") as file:
        done = subprocess.run(
            [sys.executable, __file__, "--build"],
            cwd=SOURCES,
            stdout=file,
            stderr=file,
            check=False,
        )
    if done.returncode:
        remove()
        last = "\n".join(log.read_text().splitlines()[-15:])
        sys.exit(f"the engine could not be compiled ({log}):\n{last}")
    NOTE.write_text(wanted)
    print(f"compiled in {time.monotonic() - started:.0f} s")


def fingerprint() -> str:
    """What the compiled modules depend on."""
    digest = hashlib.sha256(sys.version.encode())
    for path in (Path(__file__), *(SOURCES / name for name in CORE)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def remove() -> None:
    """Remove what was compiled; Python runs the sources then."""
    NOTE.unlink(missing_ok=True)
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    for path in (SOURCES / "pulse").rglob(f"*{suffix}"):
        path.unlink()


def _compiler() -> str:
    return str(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]


def _is_gcc() -> bool:
    said = subprocess.run([_compiler(), "--version"], capture_output=True, text=True, check=False)
    return "Free Software Foundation" in said.stdout


def build() -> None:
    """Run mypyc and the C compiler; in `SOURCES`."""
    from mypyc.build import mypycify
    from setuptools import setup

    # The core is many small functions in many files: what GCC sees together, it can inline.
    together = " -flto=auto -fno-semantic-interposition" if _is_gcc() else ""
    os.environ.setdefault("CFLAGS", f"-O2 -g0{together}")
    os.environ.setdefault("LDFLAGS", f"-O2{together}")
    nothing = str(BUILD / "no.ini")  # the core is compiled without the settings of the project
    Path(nothing).write_text("[mypy]\nignore_missing_imports = True\nfollow_imports = silent\n")
    setup(
        name="pulse-core",
        ext_modules=mypycify(
            ["--config-file", nothing, *CORE],
            opt_level="2",
            debug_level="0",
            group_name="pulse.core",
            target_dir=str(BUILD / "c"),
        ),
        script_args=[
            "build_ext", "--inplace", "--build-temp", str(BUILD / "objects"),
            "--build-lib", str(BUILD / "lib"),
        ],
    )  # fmt: skip


if __name__ == "__main__":
    if "--build" in sys.argv[1:]:
        sys.argv = sys.argv[:1]
        build()
    else:
        main()
