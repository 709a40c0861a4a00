#!/usr/bin/env bash
# amend.sh -- a server that was missing during a recovery returns, with the only copy of a partition, a
# newer copy of another one and a table that nobody else has: amended, applied, and everything serves.
set -euo pipefail
lease=2
. "${top_srcdir:-.}/t/lib.sh"
store_for sqlite

meta_port=$(free_ports 5)
replica_port=$meta_port
root=/pegasus/amend$$
for i in 1 2 3; do echo "127.0.0.1:$((replica_port + i))" >>"$dir/nodes"; done
make_replicas 1 1:users:4:3 0,2 7 120
make_replicas 1 3:temp:1:3 0 4 10
make_replicas 2 1:users:4:3 1 7 120
make_replicas 3 1:users:4:3 0,1,3 9 130
make_replicas 3 2:orders:2:3 0,1 5 40
start_replica 1
start_replica 2
conf="-c $top_srcdir/conf/onebox.yaml $store_sets $lease_sets --set meta_server.cluster_root=$root --set meta_server.lock_root=$root"
third=127.0.0.1:$((replica_port + 3))

# stage STATUS COMMAND...: with the configuration; its output in $dir/out.
stage() {
    # shellcheck disable=SC2086
    ask "$@" $conf
}
hash_of() { sed -n 's/^"hash":"\([0-9a-f]*\)".*/\1/p' "$1"; }

# The third server is missing: what it alone holds is lost.
ask 0 survey -f "$dir/nodes" -o "$dir/s.json"
stage 0 plan "$dir/s.json" -b -l -o "$dir/p.json"
expect plan '^partitions 0 whole, 4 short of replicas, 1 lost$' "$dir/out"
stage 0 apply "$dir/p.json" --plan-hash "$(hash_of "$dir/p.json")"
stage 0 verify "$dir/p.json" --exact
stage 1 amend "$dir/p.json" -l "$third" -o "$dir/a.json"
expect amend "node\($third\) does not answer: .*ERR_NETWORK_FAILURE" "$dir/out"
stage 0 amend "$dir/p.json" -l "127.0.0.1:$((replica_port + 1))" -o "$dir/a.json"
expect amend '^changes   none' "$dir/out"
[ ! -e "$dir/a.json" ] || die 'amend: a file without a change'

# A meta server serves; the second server dies and comes back, so that the record of 1.1 moves on.
start_root "$root" false --set meta_server.meta_function_level_on_start=freezed
wait_for 20 meta_up
stop replica2 KILL
moved() { shell app users -d | grep -qE '^1 +8 '; }
wait_for 30 moved
start_replica 2

# The third returns.
start_replica 3
stage 0 amend "$dir/p.json" -f <(echo "$third") -o "$dir/a.json"
expect amend '^changes   1 partitions that were lost, 1 by newer replicas, 1 tables that come back with 2 partitions; 5 records$' "$dir/out"
expect amend "^partition 1.1: node\($third\) holds ballot 9, .* its record has moved on since, to ballot 8: it is left alone" "$dir/out"
expect amend "^          apps/1/3: node\($third\) holds ballot 9, committed 130, prepared [0-9]+; nobody else is in it$" "$dir/out"
hash=$(hash_of "$dir/a.json")
stage 4 apply "$dir/a.json" --plan-hash "$hash" -w 1
expect held "^127.0.0.1:$meta_port holds the leader lock .*: stop|^127.0.0.1:$meta_port holds the leader lock" "$dir/out"
stop meta
sed 's/"ballot":9/"ballot":8/' "$dir/a.json" >"$dir/changed.json"
stage 3 apply "$dir/changed.json" --plan-hash "$hash"
expect changed 'does not have the hash that it says' "$dir/out"
stop replica3
stage 3 apply "$dir/a.json" --plan-hash "$hash"
expect silent "^node\($third\), which holds what is adopted, does not answer" "$dir/out"
mv "$dir/replica3" "$dir/whole"
make_replicas 3 1:users:4:3 0,1,3 9 129
start_replica 3
stage 3 apply "$dir/a.json" --plan-hash "$hash"
expect less "^node\($third\) holds less of partition 1.0 than it did \(ballot 9, committed 130" "$dir/out"
stop replica3
rm -r "$dir/replica3"
mv "$dir/whole" "$dir/replica3"
start_replica 3
stage 3 apply "$dir/a.json" --plan-hash "$(hash_of "$dir/p.json")"
stage 0 apply "$dir/a.json" --plan-hash "$hash"
expect apply "^apply OK: applied, amendment ${hash:0:16}$" "$dir/out"
stage 0 verify "$dir/a.json" --exact
expect verify "^verify OK: amendment ${hash:0:16}$" "$dir/out"
stage 0 diagnose
expect diagnose '3 tables with 7 partitions$' "$dir/out"
stage 0 apply "$dir/a.json" --plan-hash "$hash"
expect again '^apply OK: already applied' "$dir/out"
stage 3 undo "$dir/p.json" --plan-hash "$(hash_of "$dir/p.json")"
expect undo 'an amendment was applied since' "$dir/out"

# Everything serves, the adopted partitions from the server that returned.
start_root "$root" false
wait_for 20 meta_up
serves() { shell app "$1" -d | grep -cE '^[0-9]+ +[0-9]+ +[23]/3 +127' | grep -qx "$2"; }
wait_for 60 serves users 4
wait_for 60 serves orders 2
ask 0 app users -d
expect newer "^0 +1[0-9] +[23]/3 +$third" "$dir/out"
expect lost "^3 +1[0-9] +[23]/3 +$third" "$dir/out"
stage 0 verify "$dir/a.json"
expect verify ' moved on since, 0 differ$' "$dir/out"
echo "$passed passed, 0 failed"
