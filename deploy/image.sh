#!/bin/sh
# Fills a folder with what an image runs: pulse with its compiled core, and nothing to build with.
# Usage: image.sh VENV TARGET.  VENV is that of setup.sh, in which compile.py has run.
set -eu

venv=$1
target=$2
uv=$venv/bin/uv

# The interpreter itself, not the environment's: that is where the image has its own.
python=$("$venv/bin/python" -c 'import sys; print(sys._base_executable)')
"$uv" venv --quiet --clear --python "$python" "$target"
"$uv" pip sync --quiet --python "$target/bin/python" --require-hashes --compile-bytecode \
    requirements-image.lock

built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
"$uv" build --quiet --wheel --no-build-isolation --python "$venv/bin/python" --out-dir "$built" .
"$uv" pip install --quiet --python "$target/bin/python" --no-deps --compile-bytecode "$built"/*.whl

# A wheel has the sources alone, which would run at a fifth of the speed.
site=$("$target/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
(cd src && find . -name '*.so' -exec cp --parents {} "$site" \;)
"$target/bin/python" -c 'import pulse.twin, sys; sys.exit(not pulse.twin.is_compiled())' || {
    echo "the core is not compiled: python deploy/compile.py does it" >&2
    exit 1
}
