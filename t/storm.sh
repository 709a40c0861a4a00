#!/usr/bin/env bash
# storm.sh STORE ROUNDS SEED -- a meta server killed (SIGKILL) at a random moment of a storm: replica
# servers die and come back, and it assigns, removes and adds.  Each time a second one reads the store:
# nothing of what servers had been told is missing in it, and in the end everything is cured.
set -euo pipefail
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${top_builddir:=${BRIDLE_BUILD:-$top_srcdir/build}}"
export top_srcdir top_builddir
store=${1:-sqlite}
if [ "$store" = zookeeper ] && [ -z "${ZK_HOSTS:-}" ]; then
    exec "$top_srcdir/t/zookeeper.sh" "${BASH_SOURCE[0]}" "$@"
elif [ "$store" = etcd ] && [ -z "${ETCD_HOSTS:-}" ]; then
    exec "$top_srcdir/t/etcd.sh" "${BASH_SOURCE[0]}" "$@"
fi
rounds=${2:-5}
seed=${3:-1}
RANDOM=$seed
lease=1 grace=2
. "$top_srcdir/t/lib.sh"
. "$top_srcdir/t/cluster.sh"
store_for "$store"
partitions=48
meta_options=(--set meta_server.lb_interval=1s --set meta_server.stable_rs_min_running=0s
    --set meta_server.node_live_percentage_threshold_for_update=0)
[ "$store" = sqlite ] || meta_options+=(--set store.session_timeout=1s)

# told_before STORED: no server has a replica at a ballot above the stored one, and whoever is primary
# at the stored ballot is the stored primary: a server hears of a ballot only when it is written.
told_before() {
    told 1 >"$dir/told"
    awk 'FILENAME == ARGV[1] { ballot[$1] = $2; primary[$1] = $3; next }
        { split($2, pid, ".")
          if ($4 > ballot[pid[2]] || ($4 == ballot[pid[2]] && $3 ~ /PRIMARY$/ && $1 != primary[pid[2]]))
              print "stored: " pid[2], ballot[pid[2]], primary[pid[2]] ", told: " $0 }' "$1" "$dir/told"
}

settled() { healthy temp $partitions 3 && agreed temp 1; }
written() { grep -c 'written, ballot' "$dir/meta1.log" || true; }

cluster 1 3
recover_table 1 temp $partitions
bridled 1
wait_for 30 serves 1
wait_for 60 settled
: >"$dir/samples"
sample 1 &
sampler=$!
pids="$pids$sampler "

changes=0 most=0
for round in $(seq "$rounds"); do
    configs temp >"$dir/before"
    [ -s "$dir/before" ] || die "round $round: nobody answers"
    # The storm: one to two servers die; one of them comes back before the kill, or after it.
    first=$((1 + RANDOM % 3)) second=$((1 + RANDOM % 3))
    began=$(written)
    stop "replica$first" KILL
    [ "$second" -eq "$first" ] || [ $((RANDOM % 3)) -ne 0 ] || stop "replica$second" KILL
    early=$((RANDOM % 4 > 0))
    [ "$early" -eq 1 ] || { begins() { [ "$(written)" -gt "$began" ]; }; wait_for 30 begins; }
    [ $((RANDOM % 2)) -eq 0 ] || replicad "$first"
    delay=$((RANDOM % 200))
    pause "0.$(printf '%03d' $delay)"
    stop meta1 KILL
    count=$(($(written) - began))
    changes=$((changes + count))
    most=$((count > most ? count : most))
    # A reader, which writes nothing.
    bridled 1 --set meta_server.meta_function_level_on_start=blind
    wait_for 30 serves 1
    configs temp >"$dir/stored"
    taken_back "$dir/before" "$dir/stored" >"$dir/wrong"
    told_before "$dir/stored" >>"$dir/wrong"
    [ ! -s "$dir/wrong" ] || { cat "$dir/wrong"; die "round $round: the store lags behind"; }
    stop meta1
    bridled 1
    wait_for 30 serves 1
    for i in 1 2 3; do
        eval "kill -0 \$pid_replica$i" 2>/dev/null || {
            ! grep -q 'aborts here' "$dir/replica$i.log" || { cat "$dir/replica$i.log"; die "round $round: replica server $i ended"; }
            replicad "$i"
        }
    done
    wait_for 90 settled
    configs temp >"$dir/after"
    taken_back "$dir/stored" "$dir/after" >"$dir/wrong"
    [ ! -s "$dir/wrong" ] || { cat "$dir/wrong"; die "round $round: configurations were taken back"; }
    [ -z "${VERBOSE:-}" ] || echo "round $round: killed after $count changes"
done
touch "$dir/enough"
wait "$sampler" || true
[ -z "$(two_primaries)" ] || { two_primaries; die 'two primaries'; }
echo "storm on $store, seed $seed: $rounds kills amid $changes changes (at most $most in one round); the store had everything each time, and all was cured"
echo "$rounds passed, 0 failed"
