#!/bin/sh
# Makes requirements.lock and, from it, those of the bootstrap, of an image and of the benchmark.
# Usage: lock.sh VENV UV_OPTIONS...
# Why not uv.lock: docs/decisions/0001-lock-without-uv-lock.md
set -eu

venv=$1
shift
uv=$venv/bin/uv
if [ ! -x "$uv" ]; then
    "$(dirname "$0")/find-python.sh" >/dev/null || { sh "$(dirname "$0")/doctor.sh" demo; exit 1; }
    sh "$(dirname "$0")/setup.sh" "$venv"
fi

compile() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
        --output-file "$@"
}

compile requirements.lock "$@" pyproject.toml

# The bootstrap lock is the part of the lock that is about uv.
{
    sed -n '/^[^#]/q; p' requirements.lock
    sed -n '/^uv==/,/^ *# via/p' requirements.lock
} >requirements-bootstrap.lock

# An image has the part of the lock that runs: the same versions, since uv keeps those in the file.
cp requirements.lock requirements-image.lock
compile requirements-image.lock --extra apprise pyproject.toml

# The benchmark's rivals disagree with some of pulse's versions. uv keeps the versions that it finds
# in the file where it can, so an upgrade begins with pulse's own.
case " $* " in
    *' --upgrade '*) cp requirements.lock requirements-bench.lock ;;
    *) [ -f requirements-bench.lock ] || cp requirements.lock requirements-bench.lock ;;
esac
compile requirements-bench.lock --group bench

if grep -n '://' requirements.lock requirements-bootstrap.lock requirements-image.lock \
    requirements-bench.lock; then
    echo 'the lock names a host: it would tie everybody to one registry' >&2
    exit 1
fi
