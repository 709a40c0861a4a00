#!/usr/bin/env bash
# bench_data.sh -- rows written to and read from a onebox of three replica servers, with one and with
# eight operations under way, as one and eight client threads have; with and without --sync; beside
# plain RocksDB in one process in the same run.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
lease_sets= lease_options=
. "$top_srcdir/t/onebox_lib.sh"
rows=${1:-50000}

box() { "$top_srcdir/run.sh" "$@" </dev/null >"$dir/out" 2>&1 || { cat "$dir/out"; die "run.sh $*"; }; }

# rates THREADS ROWS: "writes reads" a second.
rates() {
    box bench --app_name temp -t fillrandom_pegasus,readrandom_pegasus -n "$2" --threads "$1" --verify
    sed -n 's/.* \([0-9]*\) ops\/sec.*/\1/p' "$dir/out" | paste -sd ' '
}

ratio() { awk -v one="$1" -v other="$2" 'BEGIN { printf "%.3f", one / other }'; }

measure() { # NAME ROWS [sync]
    local threads writes reads plain_writes plain_reads
    "$top_builddir/t/bench_rocks" "$dir/rocks$3" $3 >"$dir/plain"
    read -r plain_writes plain_reads <"$dir/plain"
    echo "$1: plain RocksDB, one thread: $plain_writes writes/s, $plain_reads reads/s"
    for threads in 1 8; do
        rates $threads "$2" >"$dir/rates"
        read -r writes reads <"$dir/rates"
        echo "$1: three replica servers, $threads under way: $writes writes/s ($(ratio "$writes" "$plain_writes") of plain), $reads reads/s ($(ratio "$reads" "$plain_reads"))"
    done
}

box start_onebox -m 1 -w -s sqlite
measure 'not synced' "$rows" ''
box stop_onebox
export BRIDLE_REPLICAD_OPTIONS="$BRIDLE_REPLICAD_OPTIONS --sync"
box start_onebox -w
measure synced $((rows / 10)) sync
