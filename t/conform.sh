#!/usr/bin/env bash
# conform.sh -- the conformance kit on our transports, loaded and linked in, with three servers: one of a
# thousand replicas, one of few, one of none.  rdsn asks them; scan reads their disks once they have been
# killed, replay the survey made of those.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
meta_port=$(free_ports 4)
replica_port=$meta_port
make_replicas 1 1:big:1000:3 "$(seq -s, 0 999)"
make_replicas 2 2:temp:4:3 0,1,2,3 5 7
nodes=
dirs=
for i in 2 1 3; do # the first is asked most
    start_replica "$i"
    nodes="$nodes --node 127.0.0.1:$((replica_port + i))"
    dirs="$dirs${dirs:+, }127.0.0.1:$((replica_port + i))=$dir/replica$i"
done

# keeps NAME [OPTION=VALUE]
keeps() {
    local kit
    for kit in bridle-conform t/conform_static; do
        # shellcheck disable=SC2086
        "$top_builddir/$kit" $nodes transport "$@" >"$dir/out" 2>&1 || { cat "$dir/out"; die "$kit $1"; }
        expect "$kit" "^# transport $1: 0 broken\$" "$dir/out"
        never "$kit" 'SKIP' "$dir/out"
    done
}
keeps rdsn
for i in 1 2 3; do stop "replica$i" KILL; done
keeps scan "dirs=[$dirs]"
"$top_builddir/bridle" survey -c "$top_srcdir/conf/onebox.yaml" --set transport.plugin=scan \
    --set "transport.dirs=[$dirs]" -o "$dir/survey.json" >"$dir/out" 2>&1 || { cat "$dir/out"; die survey; }
keeps replay "file=$dir/survey.json"
echo "$passed passed"
