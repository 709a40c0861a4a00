#!/usr/bin/env bash
# data.sh [ROUNDS [SEED [OPTION...]]] -- three replica servers with data and two meta servers under a
# load: replica servers are killed, one or two at once, stopped, hung for longer than their lease, come
# back with an empty disk, and the leading meta server is killed.  No acknowledged write is lost, and
# nobody else ends.  OPTIONs are replicad's (--sync).
#
# SECONDS_MAX=N ends after so long instead; ONLY=KIND has one kind of round alone.
set -euo pipefail
lease=2 grace=3
. "${top_srcdir:-.}/t/lib.sh"
long
data_option=
. "$top_srcdir/t/cluster.sh"
rounds=${1:-7}
seed=${2:-1}
RANDOM=$seed
partitions=${PARTITIONS:-8}
keys=5000
store_for sqlite
cluster 2 3
replica_options=("${@:3}")

alive_all() {
    local i
    for i in 1 2 3; do eval "kill -0 \$pid_replica$i" 2>/dev/null || die "round $round ($kind): replica server $i ended"; done
    for i in 1 2; do eval "kill -0 \$pid_meta$i" 2>/dev/null || die "round $round ($kind): meta server $i ended"; done
}
members() { [ "$(told 1 | awk '$3 ~ /(PRIMARY|SECONDARY)$/ && $3 !~ /POTENTIAL/' | wc -l)" -eq $((partitions * 3)) ]; }
settled() { members && healthy temp "$partitions" 3 && agreed temp 1; }
pick() { echo $((1 + RANDOM % 3)); }

round_kill() {
    local who; who=$(pick)
    stop "replica$who" KILL
    pause "0.$((RANDOM % 10))"
    replicad "$who"
}
round_stop() {
    local who; who=$(pick)
    stop "replica$who"
    [ "$gone" -eq 0 ] || die "round $round: SIGTERM: status $gone"
    replicad "$who"
}
round_two() { # no group has a majority, for the moment
    local who i; who=$(pick)
    for i in 1 2 3; do [ "$i" = "$who" ] || stop "replica$i" KILL; done
    for i in 1 2 3; do [ "$i" = "$who" ] || replicad "$i"; done
}
round_wipe() { # what it held it learns anew
    local who; who=$(pick)
    stop "replica$who" KILL
    rm -rf "$dir/replica$who"
    replicad "$who"
}
round_hang() {
    local who pid since; who=$(pick)
    eval "pid=\$pid_replica$who"
    kill -STOP "$pid"
    since=$(now_ms)
    longer() { [ $(($(now_ms) - since)) -gt $((lease * 1000 + RANDOM % 2000)) ]; }
    wait_for 30 longer
    kill -CONT "$pid"
}
round_leader() {
    local who; who=$(leader)
    [ -n "$who" ] || die "round $round: nobody leads"
    stop "meta$who" KILL
    bridled "$who"
}
round_all() {
    local i
    for i in 1 2 3; do stop "replica$i" KILL; done
    for i in 1 2 3; do replicad "$i"; done
}

resident() { # of every replica server, in KiB, the largest
    local i most=0 now
    for i in 1 2 3; do
        eval "now=\$(awk '/^VmRSS/ { print \$2 }' /proc/\$pid_replica$i/status)"
        [ "$now" -le "$most" ] || most=$now
    done
    echo "$most"
}

kinds=(kill two wipe leader hang stop all)
[ -z "${ONLY:-}" ] || kinds=("$ONLY")
recover_table 1 temp "$partitions"
for i in 1 2; do bridled "$i"; done
round=0 kind=start
wait_for 60 settled
start load "$top_builddir/t/load" --meta "$metas" --table temp --track "$dir/track" --keys $keys \
    --until-file "$dir/enough" --inflight 16 --json "$dir/load.json" --quiet

declare -A count=()
first=0
end=${SECONDS_MAX:-0}
while [ $round -lt "$rounds" ] || [ $SECONDS -lt "$end" ]; do
    [ "$end" -eq 0 ] || [ $SECONDS -lt "$end" ] || break
    round=$((round + 1))
    kind=${kinds[$(((round - 1) % ${#kinds[@]}))]}
    "round_$kind"
    wait_for 90 settled
    alive_all
    count[$kind]=$((${count[$kind]:-0} + 1))
    now=$(resident)
    [ $round -ne 3 ] || first=$now
    [ -z "${VERBOSE:-}" ] || echo "round $round: $kind ($SECONDS s, $now KiB)"
done
touch "$dir/enough"
gone=0; wait "$pid_load" || gone=$?
cat "$dir/load.log"
[ "$gone" -eq 0 ] || die "the load ended with status $gone"

verify() {
    "$top_builddir/t/load" --meta "$metas" --table temp --track "$dir/track" --keys $keys --verify \
        --timeout 20000 --quiet >"$dir/verified" 2>&1 || { cat "$dir/verified"; die "$1: acknowledged writes are lost"; }
    grep -q ' 0 failed.* 0 violations' "$dir/verified" || { cat "$dir/verified"; die "$1: acknowledged writes are lost"; }
}
verify 'in the end'
round_all
wait_for 90 settled
verify 'after all were killed'
last=$(resident)
for i in 1 2 3; do
    stop "replica$i"
    [ "$gone" -eq 0 ] || die "replica server $i: SIGTERM: status $gone"
done
figures=
for kind in "${!count[@]}"; do figures="$figures${figures:+, }${count[$kind]} $kind"; done
echo "data, seed $seed, options '${*:3}': $round rounds ($figures) in $SECONDS s; a replica server's memory, most after round 3 and at the end: $first and $last KiB"
echo "$((round + 2)) passed, 0 failed"
