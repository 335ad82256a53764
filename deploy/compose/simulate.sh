#!/bin/sh
# A made-up product: its past, played once, or its events from now on, each at its time.
# Usage: simulate.sh history|live, with ACCOUNTS, PAST_DAYS and, kept between runs, FOLDER.
set -eu

what=$1
accounts=${ACCOUNTS:-1000}
past_days=${PAST_DAYS:-120}
folder=${FOLDER:-/var/lib/pulse}
config=${CONFIG:-/etc/pulse/pulse.yaml}

# The same product whenever this is run: what decides it is kept.
if [ ! -s "$folder/begins" ]; then
    date -u -d "$past_days days ago" +%F >"$folder/begins.new"
    mv "$folder/begins.new" "$folder/begins"
fi
begins=$(cat "$folder/begins")
# It goes on for three years: another length would be another product.
simulate() {
    pulse simulate --out - --accounts "$accounts" --start "$begins" --days 1096 --seed 7
}

case $what in
    history)
        [ ! -e "$folder/played" ] || exit 0
        # Kafka may have a part of it, of a run that was interrupted.
        resume=
        if [ -s "$folder/until" ]; then
            resume=--resume
        else
            date -u +%FT%TZ >"$folder/until"
        fi
        until=$(cat "$folder/until")
        tomorrow=$(date -u -d "$until + 1 day" +%F)
        # The lines are in the order of their time: what comes later need not be made up.
        simulate | sed "/\"ts\":\"$tomorrow/q" | pulse emit - --history $resume \
            --until "$until" --batch 100 --config "$config"
        touch "$folder/played"
        ;;
    live)
        simulate | pulse emit - --live --config "$config"
        ;;
    *)
        echo "usage: simulate.sh history|live" >&2
        exit 2
        ;;
esac
