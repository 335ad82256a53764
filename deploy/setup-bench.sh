#!/bin/sh
# Fills the environment of the benchmark's rivals with exactly what requirements-bench.lock says.
# Usage: setup-bench.sh VENV BENCH_VENV, with the uv and the Python of VENV.
set -eu

"$1/bin/uv" venv --quiet --allow-existing --python "$1/bin/python" "$2"
VIRTUAL_ENV=$2 "$1/bin/uv" pip sync --quiet --require-hashes requirements-bench.lock
echo "$2 is ready"
