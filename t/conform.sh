#!/usr/bin/env bash
# conform.sh -- the conformance kit on transport_rdsn, loaded and linked in, with living replica servers:
# one of a thousand replicas, one of few, one of none.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
meta_port=$(free_ports 4)
replica_port=$meta_port
mkdir -p "$dir/replica3/replica/reps"
make_replicas 1 1:big:1000:3 "$(seq -s, 0 999)"
make_replicas 2 2:temp:4:3 0,1,2,3 5 7
for i in 1 2 3; do start_replica "$i"; done
nodes=
for i in 1 2 3; do nodes="$nodes --node 127.0.0.1:$((replica_port + i))"; done

for kit in bridle-conform t/conform_static; do
    # shellcheck disable=SC2086
    "$top_builddir/$kit" $nodes transport rdsn >"$dir/out" 2>&1 || { cat "$dir/out"; die "$kit"; }
    expect "$kit" '^# transport rdsn: 0 broken$' "$dir/out"
    never "$kit" 'SKIP' "$dir/out"
done
echo "$passed passed"
