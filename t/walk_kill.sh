#!/usr/bin/env bash
# walk_kill.sh [TIMES [SEED [STORE]]] -- the meta server is killed (SIGKILL) in every phase of a
# recovery, each TIMES times at least; each time the recovery is asked for again and finishes, and every
# key is found with the value that was written.  STORE is sqlite (the default) or zookeeper.
#
# Three replica servers hold a table with keys; one more, without data, one of many partitions, so that
# the metadata are several batches.
set -euo pipefail
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${top_builddir:=${BRIDLE_BUILD:-$top_srcdir/build}}"
export top_srcdir top_builddir
times=${1:-10}
seed=${2:-1}
store=${3:-sqlite}
if [ "$store" = zookeeper ] && [ -z "${ZK_HOSTS:-}" ]; then
    exec "$top_srcdir/t/zookeeper.sh" "${BASH_SOURCE[0]}" "$times" "$seed" zookeeper
fi
lease=2 grace=3
. "$top_srcdir/t/lib.sh"
long
. "$top_srcdir/t/cluster.sh"
RANDOM=$seed
store_for "$store"
cluster 1 4
keys=2000
big=4200 # partitions, a little more than one batch
preload=$top_builddir/t/.libs/kill_at.so

# What begins each phase, as the meta server says it, in order.  A batch is said when it is written.
phases=(survey plan lock batch unlock read_back serving)
declare -A begins=(
    [survey]='recovery: asking'
    [plan]='msg="plan '
    [lock]='is \"lock\", writing'
    [batch]='records are written'
    [unlock]='is \"unlock\"'
    [read_back]='written; reading back'
    [serving]='msg="serving'
)
declare -A count=()
for phase in "${phases[@]}"; do count[$phase]=0; done

bench() { "$top_builddir/bridle-bench" --meta "$metas" --app_name temp -n $keys --threads 8 --timeout 5000 "$@"; }
fresh_root() { root=/walk/$$/$1; }

# recovering [ENVIRONMENT...]: the meta server, in recovery mode.
recovering() {
    start meta1 env "$@" "$top_builddir/bridled" -c "$top_srcdir/conf/onebox.yaml" \
        --set "meta_server.listen=127.0.0.1:$((meta_base + 1))" \
        --set "meta_server.server_list=[$metas]" --set "meta_server.cluster_root=$root" \
        --set "meta_server.lock_root=$root" --set "replication.fd_lease_seconds=$lease" \
        --set "replication.fd_grace_seconds=$grace" $store_sets --set log.level=debug \
        --set meta_server.recover_from_replica_server=true
}

# The tables: temp with keys, big without.
data_option= recover_table 1 temp 8
bridled 1
wait_for 60 healthy temp 8 3
bench -t fillseq_pegasus >"$dir/bench" || { cat "$dir/bench"; die 'the table cannot be filled'; }
stop meta1
"$top_builddir/replicad" --create "2:big:$big:1" --data "$dir/replica4" --ballot 5 --created 1700000000
replicad 4
echo "$replicas" | tr ',' '\n' >"$dir/nodes"

# The last phase that began before the end.
reached() {
    local phase last=nothing
    for phase in "${phases[@]}"; do
        if grep -qF -- "${begins[$phase]}" "$dir/meta1.log"; then last=$phase; fi
    done
    echo "$last"
}

ended() { ! kill -0 "$pid_meta1" 2>/dev/null; }
up() { grep -q 'recovery mode' "$dir/meta1.log"; }
ended_or_up() { ended || up; }
all_whole() { healthy temp 8 3 && [ "$(configs big | wc -l)" -eq $big ]; }

recover_again() { shell recover -f "$dir/nodes" >"$dir/again" 2>&1; }

# finish ROUND: the recovery is asked for again where it is not done, and everything is there.
finish() {
    recovering
    wait_for 30 ended_or_up
    if ended; then # the metadata are whole: C5
        stop meta1
        [ "$gone" -eq 78 ] || { cat "$dir/meta1.log"; die "round $1: status $gone"; }
        bridled 1
    else
        wait_for 60 recover_again # a busy server may not answer in time: then nothing is written
    fi
    wait_for 60 all_whole
    bench -t readrandom_pegasus --verify >"$dir/bench" 2>&1 || { cat "$dir/bench"; die "round $1: reading"; }
    grep -q "($keys of $keys found)\$" "$dir/bench" || { cat "$dir/bench"; die "round $1: keys are missing"; }
    stop meta1
}

# one ROUND PHASE NTH
one() {
    local asked
    fresh_root "$1"
    recovering "LD_PRELOAD=$preload" "KILL_AT=${begins[$2]}" "KILL_NTH=$3"
    wait_for 30 up
    shell recover -f "$dir/nodes" >"$dir/first" 2>&1 &
    asked=$!
    wait_for 60 ended
    stop meta1
    [ "$gone" -eq 137 ] || { cat "$dir/meta1.log"; die "round $1: status $gone before it was killed"; }
    kill "$asked" 2>/dev/null || true
    wait "$asked" 2>/dev/null || true
    phase=$(reached)
    [ "$phase" = "$2" ] || die "round $1: killed in phase $phase and not in $2"
    count[$phase]=$((count[$phase] + 1))
    [ -z "${VERBOSE:-}" ] || echo "round $1: killed in $phase, $3 (${SECONDS} s)"
    finish "$1"
}

round=0
for phase in "${phases[@]}"; do
    for nth in $(seq "$times"); do
        round=$((round + 1))
        [ "$phase" = batch ] || nth=1
        one "$round" "$phase" "$((1 + (nth - 1) % 2))" # of two batches
    done
done

figures=
for phase in "${phases[@]}"; do figures="$figures${figures:+, }${count[$phase]} in $phase"; done
echo "walk_kill of $store, seed $seed: $round kills: $figures; each finished, $keys of $keys keys found"
echo "$round passed, 0 failed"
