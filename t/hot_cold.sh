#!/usr/bin/env bash
# hot_cold.sh [STORE] -- hot recovery with real processes where nothing may go on serving: a server
# that does not answer, the operator's choice; and what hot recovery is measured by, without it.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
. "$top_srcdir/t/hot_lib.sh"
long
store=${1:-sqlite}
store_for "$store"
meta_port=$(free_ports 7)
replica_port=$meta_port
root=/hot/$$

table_on 1:temp:16:3 1 2 3
table_on 2:users:4:3 4 5 6
for i in 1 2 3 4 5 6; do start_replica "$i"; done
cold_start "$root/a" 1 2 3 4 5 6
wait_for 60 settled temp:16 users:4 -- 1 2 3 4 5 6

# -- A silent server: nobody knows what it serves, so everything stops first -----------------------

stop replica6 KILL
wait_for 30 without "127.0.0.1:$((replica_port + 6))" users
lost "$root/b" 1 2 3 4 5
ask 1 recover -f "$dir/nodes"
expect 'silent' 'failed with err\(ERR_NETWORK_FAILURE\), you can skip it' "$dir/out"
ask 0 recover -f "$dir/nodes" --skip_bad_nodes
expect 'silent' 'must stop serving first: partition\(1\.0\): a listed server did not answer' "$dir/meta.log"
expect 'silent' '0 of 20 partitions stay hot \(none\), 6 of 6 servers are cold, 6 servers are waited for' "$dir/meta.log"
for i in 1 2 3 4 5; do expect 'silent' 'the lease has passed' "$dir/replica$i.log"; done
start_replica 6
wait_for 60 settled temp:16 users:4 -- 1 2 3 4 5 6
lives 1 2 3 4 5 6
echo "a silent server: ok"

# -- The operator's choice, for one recovery ------------------------------------------------------

lost "$root/c" 1 2 3 4 5 6
ask 0 recover -f "$dir/nodes" --cold
expect 'all cold' '0 of 20 partitions stay hot \(none\), 6 of 6 servers are cold, [1-6] servers are waited for' "$dir/meta.log"
wait_for 60 settled temp:16 users:4 -- 1 2 3 4 5 6
lives 1 2 3 4 5 6
echo "all cold: ok"

# -- What the measurements are worth ----------------------------------------------------------------

# A proposal that names the secondaries in another order is the end of their primary, and strict
# load sees it.
strict users
groups users >"$dir/before"
read -r _ ballot primary one two <"$dir/before"
for order in "$one,$two" "$two,$one"; do
    "$top_builddir/t/propose" "$primary" 2.0 "$ballot" "$primary,$order" \
        "127.0.0.1:$((replica_port + 1))" || true # the one before was wrong, and it is gone
done
number=$((${primary#*:} - replica_port))
gone=0; eval "wait \$pid_replica$number" || gone=$?
[ "$gone" -eq 70 ] || die "a proposal of another order: status $gone of the primary"
expect 'another order' 'a real replica server aborts here: .*the proposal says' "$dir/replica$number.log"
wait_for 20 grep -qE ' [1-9][0-9]* failed' "$dir/load_users.log"
gone=0; : >"$dir/stop_users"; wait "$pid_load_users" || gone=$?
[ "$gone" -eq 1 ] || die "a server died, and strict load ended with status $gone"

# Without hot recovery the groups are taken for others.
groups temp >"$dir/before"
list "$dir/nodes" 1 2 3
lost "$root/d" 1 2 3 -- --set recovery.hot=off
ask 0 recover -f "$dir/nodes"
groups temp >"$dir/now"
cmp -s "$dir/before" "$dir/now" && die 'hot recovery is off, and no group changed'
passed=$((passed + 3))
echo "$passed passed, 0 failed"
