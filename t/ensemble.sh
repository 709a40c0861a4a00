#!/usr/bin/env bash
# ensemble.sh -- a recovery on a ZooKeeper ensemble of three.  Its leader is killed (SIGKILL) between two
# batches of the writing, and the next one at the moment at which the meta server begins to serve; what
# was planned is written, to the byte, and served.
set -euo pipefail
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${top_builddir:=${BRIDLE_BUILD:-$top_srcdir/build}}"
export ZK_JAVA_FLAGS="-XX:TieredStopAtLevel=1 ${ZK_JAVA_FLAGS:-}"
zookeeper=$top_srcdir/t/zookeeper.sh
"$zookeeper" --have || exit
. "$top_srcdir/t/lib.sh"
long
big=4200 # partitions, a little more than one batch
first=$(free_ports 14)
meta_port=$((first + 9)) replica_port=$((first + 9))
root=/ensemble/$$
nodes=$dir/nodes

# -- The ensemble: 1 to 3, clients on port first + N - 1 ------------------------------------------

servers= hosts=
for i in 0 1 2; do
    servers="$servers;server.$((i + 1))=127.0.0.1:$((first + 3 + i)):$((first + 6 + i))"
    hosts=$hosts${hosts:+,}127.0.0.1:$((first + i))
done

# member N: it runs, and serves where there is a majority.
member() {
    "$zookeeper" --start "$dir/zk$1" 9>&- &
    starting=$!
}

# joined N PID: until that start has succeeded.
joined() {
    wait "$2" || die "server $1 of the ensemble does not start"
    pids="$pids$(cat "$dir/zk$1/pid") "
}

zk_leader() {
    local i
    for i in 1 2 3; do
        [ "$("$zookeeper" --mode $((first + i - 1)))" != leader ] || { echo "$i"; return 0; }
    done
    return 1
}

# Kills who leads, waits for another one, and starts the killed one again.
leader_dies() {
    local old new pid
    old=$(zk_leader) || die 'nobody leads the ensemble'
    pid=$(cat "$dir/zk$old/pid")
    kill -KILL "$pid"
    pids=${pids/ $pid / }
    wait_for 30 zk_leader
    new=$(zk_leader)
    [ "$new" != "$old" ] || die "server $old leads though it was killed"
    member "$old"
    joined "$old" "$starting"
    said="$said${said:+, }$old"
}

for i in 1 2 3; do
    ZK_CONFIG=$servers "$zookeeper" --make "$dir/zk$i" $((first + i - 1))
    echo "$i" >"$dir/zk$i/data/myid"
    ln -s "zk$i/log" "$dir/zk$i.log"
    member "$i"
    started[i]=$starting
done

# -- The cluster ----------------------------------------------------------------------------------

if [ -w /dev/shm ]; then # thousands of files
    memory=$(mktemp -d /dev/shm/bridle.XXXXXX)
    trap 'status=$?; set +e; rm -rf "$memory"; (exit "$status"); cleanup' EXIT
    ln -s "$memory" "$dir/replica4"
fi
for i in 1 2 3; do
    make_replicas "$i" 1:users:8:3 0,1,2,3,4,5,6,7 "$((4 + i))" 99
    start_replica "$i"
done
make_replicas 4 "2:big:$big:1" "$(seq -s , 0 $((big - 1)))" 5 9
start_replica 4
for i in 1 2 3 4; do echo "127.0.0.1:$((replica_port + i))" >>"$nodes"; done
for i in 1 2 3; do joined "$i" "${started[i]}"; done
store_sets="--set store.plugin=zookeeper --set store.hosts=$hosts"
conf="-c $top_srcdir/conf/onebox.yaml $store_sets --set meta_server.cluster_root=$root"
ask 0 survey -f "$nodes" -o "$dir/s.json"
# shellcheck disable=SC2086
ask 0 plan "$dir/s.json" $conf -o "$dir/p.json"

# -- The recovery ---------------------------------------------------------------------------------

# meta_stopping TEXT FLAG: a meta server that stops where it says that.
meta_stopping() {
    # shellcheck disable=SC2086
    start meta env "LD_PRELOAD=$top_builddir/t/.libs/kill_at.so" "KILL_AT=$1" KILL_STOPS=1 \
        "$top_builddir/bridled" $conf --set "meta_server.listen=127.0.0.1:$meta_port" $lease_sets \
        --set "meta_server.lock_root=$root" --set log.level=debug \
        --set meta_server.meta_function_level_on_start=freezed \
        --set "meta_server.recover_from_replica_server=$2"
}
stands_still() { [ "$(awk '{ print $3 }' "/proc/$pid_meta/stat")" = T ]; }
goes_on() { kill -CONT "$pid_meta"; }
recover_again() { shell recover -f "$nodes" >"$dir/again" 2>&1; }
verified() {
    # shellcheck disable=SC2086
    ask 0 verify "$dir/p.json" $conf --exact
    expect verify "^store: .* 0 moved on since, 0 differ, 0 missing, 0 not planned\$" "$dir/out"
}

said=
meta_stopping 'records are written' true
wait_for 30 meta_up
shell recover -f "$nodes" >"$dir/first" 2>&1 &
asked=$!
wait_for 60 stands_still
never 'in the midst' 'is \\"unlock\\"' "$dir/meta.log"
leader_dies
goes_on
wait "$asked" || wait_for 60 recover_again
verified
stop meta

meta_stopping 'msg="serving' false
wait_for 60 stands_still
leader_dies
goes_on
wait_for 60 meta_up
readable() { shell app big -d | grep -c '1/1' | grep -qx "$big" && shell app users -d | grep -c '^[0-7] ' | grep -qx 8; }
wait_for 60 readable
verified
stop meta
[ "$gone" -eq 0 ] || die "the meta server ended with status $gone"
echo "ensemble: leaders killed: $said; $((big + 8)) partitions are as planned"
echo "$passed passed, 0 failed"
