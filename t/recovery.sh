#!/usr/bin/env bash
# recovery.sh [STORE] -- the contract with real processes: bridled, replicad and bridle, on SQLite (the
# default), on the ZooKeeper of $ZK_HOSTS or the etcd of $ETCD_HOSTS.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
[ "${1:-sqlite}" = sqlite ] || long
store=${1:-sqlite}
store_for "$store"

meta_port=$(free_ports 5)
replica_port=$meta_port
root=/pegasus/$$
nodes=$dir/nodes
printf '# comment\n\n' >"$nodes"
for i in 1 2 3; do echo "127.0.0.1:$((replica_port + i))" >>"$nodes"; done

for i in 1 2 3; do
    make_replicas "$i" 1:users:4:3 "$([ "$i" = 3 ] && echo 0,1,2 || echo 0,1,2,3)" 7 120
    make_replicas "$i" 2:temp:2:3 0,1 3 10
    make_replicas "$i" 4:temp:4:3 0,1,2,3 "$((4 + i))" 99
    start_replica "$i"
done
recovery() { start_root "$root" "$@"; }

# C6: the flag forgotten, the store empty: what replica servers hold is told once each, with the
# count, and nothing of it is dropped, closed or built upon.
held() { (cd "$dir" && ls -d replica?/replica/reps/*) | sort; }
closed() {
    local i
    for i in 1 2 3; do shell remote_command -l "127.0.0.1:$((replica_port + i))" replica.info; done |
        grep -cE 'closing|closed|PS_(PRIMARY|SECONDARY|ERROR|POTENTIAL)' || true
}
held >"$dir/held"
recovery false --set log.level=debug
wait_for 20 meta_up
for i in 1 2 3; do
    count=$((i == 3 ? 9 : 10))
    wait_for 20 grep -qE "gpid\\([0-9.]+\\) on node\\(127.0.0.1:$((replica_port + i))\\) is not exist on meta server, administrator should check consistency of meta data: $count of its replicas are unknown here" "$dir/meta.log"
done
ask 1 create another -p 4 -r 3
expect C6 'ERR_INVALID_STATE' "$dir/out"
# Several config syncs later (one a second): said once a server, and everything is still there.
synced() { [ "$(grep -c 'RPC_CM_CONFIG_SYNC from' "$dir/meta.log")" -ge 9 ]; }
wait_for 20 synced
ask 0 ls
never C6 ' AVAILABLE ' "$dir/out"
for i in 1 2 3; do
    told=$(grep -c "on node(127.0.0.1:$((replica_port + i))) is not exist" "$dir/meta.log")
    [ "$told" -eq 1 ] || die "C6: said $told times of server $i"
done
held | cmp - "$dir/held" || die 'C6: directories are gone'
[ "$(closed)" -eq 0 ] || die 'C6: replicas were closed or changed'
stop meta
[ "$gone" -eq 0 ] || die "C6: status $gone"

# C2: in recovery mode nothing is served.
recovery true
wait_for 20 meta_up
ask 1 ls
expect C2 '^list apps failed, error=ERR_UNDER_RECOVERY$' "$dir/out"
ask 1 nodes
expect C2 '^list nodes failed, error=ERR_UNDER_RECOVERY$' "$dir/out"
ask 1 cluster_info
expect C2 '^get cluster info failed, error=ERR_UNDER_RECOVERY$' "$dir/out"
wait_for 10 grep -q "replica server 127.0.0.1:$((replica_port + 3)) is alive" "$dir/meta.log"

# C7: a dead server stops it; a hung one does too, at its deadline.
stop replica3 KILL
ask 1 recover -f "$nodes"
expect C7 '^Recover result: ERR_TRY_AGAIN$' "$dir/out"
expect C7 "^ERROR: collect app and replica info from node\(127.0.0.1:$((replica_port + 3))\) failed with err\(ERR_NETWORK_FAILURE\), you can skip it by set skip_bad_nodes option$" "$dir/out"
start_replica 3
kill -STOP "$pid_replica3"
ask 1 recover -f "$nodes"
expect C7 'failed with err\(ERR_TIMEOUT\), you can skip it' "$dir/out"
kill -CONT "$pid_replica3"

# Killed in recovery mode, started again: still nothing in the store.
stop meta KILL
recovery true
wait_for 60 meta_up
ask 1 ls
expect C2 'ERR_UNDER_RECOVERY' "$dir/out"

# C12: a server that is not in the list is not asked; this one would not answer.
make_replicas 4 9:hidden:1:1 0 9 9
start_replica 4
kill -STOP "$pid_replica4"

# C4, C8, C11: recovered.
ask 0 recover -f "$nodes"
never C12 "ERROR|collect app and replica info|127.0.0.1:$((replica_port + 4))\\) failed" "$dir/out"
expect C4 '^Wait seconds: 100$' "$dir/out"
expect C4 '^Skip bad nodes: false$' "$dir/out"
expect C4 '^Skip lost partitions: false$' "$dir/out"
expect C4 '^={29}$' "$dir/out"
expect C4 '^Recover result: ERR_OK$' "$dir/out"
expect C8 '^WARNING: partition\(1\.3\) only collects 2/3 of replicas, may lost data$' "$dir/out"
expect C11 "^WARNING: app\(2\)'s old name\(temp\) is conflict with others, rename it to \(temp-2\)$" "$dir/out"
ask 0 ls -d
expect C1 '^1 +AVAILABLE +users +pegasus +4 +3 ' "$dir/out"
expect C11 '^2 +AVAILABLE +temp-2 ' "$dir/out"
expect C11 '^4 +AVAILABLE +temp ' "$dir/out"
never C12 'hidden' "$dir/out"
kill -KILL "$pid_replica4"
ask 0 app temp -d # it may have been cured by now
expect C1 "^0 +([7-9]|1[0-9]) +[1-3]/3 +127.0.0.1:$((replica_port + 3)) +\[" "$dir/out"
ask 0 cluster_info
expect C1 "^zookeeper_root +: $root *$" "$dir/out"
ask 0 nodes
expect C1 '^alive_node_count +: 3 *$' "$dir/out"
ask 0 ls -j
expect JSON '"app_name": "users"' "$dir/out"
ask 1 recover -f "$nodes"
expect C1 '^Recover result: ERR_SERVICE_ALREADY_RUNNING$' "$dir/out"

# A clean stop, and C5: with the flag on and metadata there it refuses, with its own status.
stop meta
[ "$gone" -eq 0 ] || die "SIGTERM: status $gone"
never 'clean stop' 'level=error' "$dir/meta.log"
recovery true
gone=0; wait "$pid_meta" || gone=$?
[ "$gone" -eq 78 ] || die "C5: status $gone, expected 78"
expect C5 'find apps from remote storage, but \[meta_server\].recover_from_replica_server = true' "$dir/meta.log"
expect C5 "$root" "$dir/meta.log"

# C3, step 7: the flag is back to false, and it serves what it recovered.
recovery false
wait_for 60 meta_up
ask 0 ls
expect C3 '^1 +AVAILABLE +users ' "$dir/out"
stop meta

# C9 and C10 in another root: a partition that nobody holds, and a table whose replicas only remain.
root=/pegasus/again$$
stop replica3
rm -rf "$dir"/replica?/replica/reps/1.2.pegasus
stop replica1
stop replica2
for i in 1 2 3; do start_replica "$i"; done
recovery true
wait_for 60 meta_up
ask 1 recover -f "$nodes"
expect C9 '^ERROR: partition\(1\.2\) has no replica collected, you can force recover it by set skip_lost_partitions option$' "$dir/out"
ask 0 recover -f "$nodes" --skip_lost_partitions
expect C9 '^WARNING: partition\(1\.2\) has no replica collected, force recover the lost partition to empty$' "$dir/out"
started() { shell app users -d | grep -qE '^2 +[0-9]+ +3/3 '; }
wait_for 30 started
ask 0 server_info
expect 'server-info' 'bridled' "$dir/out"
stop meta
echo "$passed passed, 0 failed"
