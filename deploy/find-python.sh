#!/bin/sh
# Prints the command of a Python that can make the environment, newest first.
# A name on PATH may be a shim with nothing behind it, so each is run. PYTHON=... decides it.
for python in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
    if "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
        >/dev/null 2>&1; then
        echo "$python"
        exit 0
    fi
done
exit 1
