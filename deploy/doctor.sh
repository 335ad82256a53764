#!/bin/sh
# Says what `make demo` and `make test` need, what is here, and what to do about the rest.
# Usage: doctor.sh [demo|tests].  With a word it fails when something that command needs is
# missing and prints only that; without one it prints everything. Needs nothing but a shell.
set -u

wanted=${1:-all}
here=$(dirname "$0")
lacking_demo=''
lacking_tests=''

# row STATE NAME FOUND NEEDED_BY ADVICE
row() {
    if [ "$wanted" = all ] || { [ "$1" = missing ] && case $4 in *"$wanted"*) true ;; *) false ;; esac; }; then
        printf '  %-8s %-11s %s\n' "$1" "$2" "$3"
        if [ "$1" != OK ]; then printf '  %-8s %-11s -> %s\n' '' '' "$5"; fi
    fi
    if [ "$1" = missing ]; then
        case $4 in *demo*) lacking_demo="$lacking_demo $2" ;; esac
        case $4 in *tests*) lacking_tests="$lacking_tests $2" ;; esac
    fi
}

case $(uname -s 2>/dev/null) in
    Darwin) install='brew install' jdk='openjdk@17' ;;
    *)
        if command -v apt-get >/dev/null 2>&1; then
            install='apt-get install' jdk='openjdk-17-jdk-headless'
        elif command -v dnf >/dev/null 2>&1; then
            install='dnf install' jdk='java-17-openjdk-headless'
        else
            install='install' jdk='a JDK 17 or newer'
        fi
        ;;
esac

if python=$("$here/find-python.sh"); then
    row OK Python "$("$python" --version 2>&1) ($python)" 'demo tests' ''
else
    row missing Python 'none of 3.11 or newer with venv' 'demo tests' \
        "$install python3 (Debian: with python3-venv), or say which: make PYTHON=/path/to/python3"
fi

if command -v make >/dev/null 2>&1; then
    row OK make "$(make --version 2>/dev/null | head -n 1)" 'demo tests' ''
else
    row missing make 'not found' 'demo tests' "$install make"
fi

compiler=${CC:-cc}
if command -v "$compiler" >/dev/null 2>&1; then
    row OK "C compiler" "$("$compiler" --version 2>/dev/null | head -n 1)" '' ''
else
    row absent "C compiler" 'not found: the engine runs in pure Python, a fifth as fast' '' \
        "$install gcc (Debian: with python3-dev), then make compile"
fi

# `java -version` writes: openjdk version "17.0.15" ..., or java version "1.8.0_412"
java_version=$(java -version 2>&1 | sed -n 's/.* version "\([^"]*\)".*/\1/p' | head -n 1)
java_major=$(echo "$java_version" | sed 's/^1\.//; s/[^0-9].*//')
if [ -n "$java_major" ] && [ "$java_major" -ge 17 ]; then
    row OK Java "$java_version" tests ''
else
    row missing Java "${java_version:-not found}" tests "17 or newer runs the Kafka of the tests: $install $jdk"
fi

maven_version=$(mvn --version 2>/dev/null | sed -n 's/.*Apache Maven \([0-9.]*\).*/\1/p' | head -n 1)
if [ -n "$maven_version" ]; then
    row OK Maven "$maven_version" tests ''
else
    row missing Maven 'not found' tests "fetches the Kafka of the tests, once: $install maven"
fi

optional() { # NAME WHAT_FOR PACKAGE COMMAND...
    name=$1 what=$2 package=$3
    shift 3
    for command in "$@"; do
        if command -v "$command" >/dev/null 2>&1; then
            row OK "$name" "$(command -v "$command")" '' ''
            return
        fi
    done
    row optional "$name" "$what" '' "$install $package"
}
optional Node 'runs clients of product apps in the tests, 20.20 or newer' nodejs node
optional npm 'fetches clients of product apps for the tests, once' npm npm
optional Chromium 'pages, and clients of product apps in a browser, in the tests' chromium \
    chromium chromium-browser google-chrome
optional Alertmanager 'takes alerts in the tests; apt-get fetches one where it is there' \
    prometheus-alertmanager prometheus-alertmanager alertmanager
optional Prometheus 'scrapes and checks rules in the tests; apt-get fetches one where it is there' \
    prometheus promtool
optional systemd 'checks the units of deploy/systemd in the tests' systemd systemd-analyze

if [ "$wanted" = all ]; then
    echo
    echo "  make demo: $([ -z "$lacking_demo" ] && echo ready || echo "lacks$lacking_demo")"
    echo "  make test: $([ -z "$lacking_tests" ] && echo ready || echo "lacks$lacking_tests")"
    [ -z "$lacking_demo" ]
    exit
fi

case $wanted in
    demo) lacking=$lacking_demo ;;
    tests) lacking=$lacking_tests ;;
    *) echo "usage: doctor.sh [demo|tests]" >&2; exit 2 ;;
esac
if [ -n "$lacking" ]; then
    echo "missing for this command:$lacking (\`make doctor\` says more)" >&2
    exit 1
fi
