"""The clients of `package-lock.json`, fetched by npm once; `make test` fetches them beforehand.

They are kept in `.cache/clients`, per content of the lock, so another version is fetched by itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from pulse.processes import MissingProgramError, ServerError

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "clients"


def node_program() -> str:
    """The Node that runs clients."""
    found = shutil.which("node")
    if found is None:
        raise MissingProgramError("no `node`: clients of product apps need it (make doctor)")
    return found


def fetch() -> Path:
    """The folder `node_modules` with the clients, fetched (about 20 MB) if it is not there yet.

    Several processes may call this at once.
    """
    lock = (HERE / "package-lock.json").read_bytes()
    kept = CACHE / hashlib.sha256(lock).hexdigest()[:12]
    if kept.is_dir():
        return kept / "node_modules"
    npm = shutil.which("npm")
    if npm is None:
        raise MissingProgramError("no `npm`: it fetches clients of product apps (make doctor)")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        if not kept.is_dir():
            unfinished = CACHE / f"{kept.name}.partial"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, unfinished)
            _install(npm, unfinished)
            unfinished.rename(kept)
    return kept / "node_modules"


def _install(npm: str, folder: Path) -> None:
    """Exactly what the lock says, and nothing of what packages would run when installed."""
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund")
    done = subprocess.run(
        [npm, "ci", *quiet], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ServerError(f"npm could not fetch the clients:\n{done.stderr}{done.stdout}")


def main() -> None:
    """Fetch them; where there is no Node their tests are left out, and that is said there."""
    try:
        node_program()
        fetch()
    except MissingProgramError:
        return
    except ServerError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
