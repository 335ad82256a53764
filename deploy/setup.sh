#!/bin/sh
# Fills the virtual environment with the locked packages and the project itself.
# Usage: setup.sh VENV.  Run again at any time: what is right already is left as it is.
set -eu

venv=${1:-.venv}
here=$(dirname "$0")

if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    python=$("$here/find-python.sh") || { sh "$here/doctor.sh" demo; exit 1; }
    echo "making $venv with $("$python" --version)"
    # --clear: a folder that is there already is one whose Python is gone.
    "$python" -m venv --clear "$venv"
fi

# uv is fetched by pip, by hash, and is a locked package itself from there on.
wanted=$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements-bootstrap.lock)
if [ "uv==$("$venv/bin/uv" --version 2>/dev/null | cut -d' ' -f2)" != "$wanted" ]; then
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --require-hashes --no-deps -r requirements-bootstrap.lock
fi

# `sync` also removes what the lock no longer names. Compiled to bytecode here, packages are not
# compiled by each process that is the first to import them, or by each at all.
VIRTUAL_ENV=$venv "$venv/bin/uv" pip sync --quiet --compile-bytecode --require-hashes requirements.lock
VIRTUAL_ENV=$venv "$venv/bin/uv" pip install --quiet --no-deps --no-build-isolation --editable .
echo "$venv is ready"
