#!/usr/bin/env bash
# hot.sh [STORE] -- hot recovery with real processes: what serves goes on serving, what does not is
# waited for, and nobody aborts.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
. "$top_srcdir/t/hot_lib.sh"
long
store=${1:-sqlite}
store_for "$store"
meta_port=$(free_ports 7)
replica_port=$meta_port
root=/hot/$$

# -- Three servers, 64 partitions, strict load ----------------------------------------------------

table_on 1:temp:64:3 1 2 3
for i in 1 2 3; do start_replica "$i"; done
cold_start "$root/a" 1 2 3
wait_for 60 settled temp:64 -- 1 2 3
groups temp >"$dir/before"
strict temp
lost "$root/b"
ask 0 recover -f "$dir/nodes"
expect 'all hot' '^Recover result: ERR_OK$' "$dir/out"
expect 'all hot' '64 of 64 partitions stay hot \(1\.0-63\), 0 of 3 servers are cold' "$dir/meta.log"
groups temp >"$dir/after"
cmp "$dir/before" "$dir/after" || { diff "$dir/before" "$dir/after"; die 'groups changed'; }
# Beyond several config syncs and group checks, it is still as it was.
syncs=$(grep -c . "$dir/load_temp.log")
wait_for 20 eval "[ \$(grep -c . '$dir/load_temp.log') -ge $((syncs + 4)) ]"
strict_ended temp
groups temp >"$dir/after"
cmp "$dir/before" "$dir/after" || { diff "$dir/before" "$dir/after"; die 'groups changed later'; }
lives 1 2 3
echo "a whole cluster: ok"

# Nothing may be proposed to a primary that has not said its order of secondaries; and where its
# group changes it says it.
ask 1 propose -g 1.0 -p DOWNGRADE_TO_INACTIVE -t "$(sed -n 's/^0 [0-9]* \([^ ]*\).*/\1/p' "$dir/before")" \
    -n "$(sed -n 's/^0 [0-9]* [^ ]* \([^ ]*\).*/\1/p' "$dir/before")"
third=127.0.0.1:$((replica_port + 3))
stop replica3 KILL
wait_for 30 without "$third" temp
join -j 1 "$dir/before" "$dir/now" >"$dir/both"
awk '$2 >= $6 { exit 1 }' "$dir/both" || { cat "$dir/both"; die 'a ballot was not raised'; }
start_replica 3
wait_for 60 settled temp:64 -- 1 2 3
lives 1 2 3
echo "and then a server dies and comes back: ok"

# -- Beside what serves, servers of which nobody does: nobody is waited for ------------------------

table_on 2:users:4:3 4 5 6
for i in 4 5 6; do start_replica "$i"; done
list "$dir/nodes" 1 2 3 4 5 6
groups temp >"$dir/before"
strict temp
lost "$root/c" 1 2 3 4 5 6
ask 0 recover -f "$dir/nodes"
expect 'hot and idle' '64 of 68 partitions stay hot \(1\.0-63\), 3 of 6 servers are cold"' "$dir/meta.log"
never 'hot and idle' 'are waited for' "$dir/meta.log"
wait_for 40 settled temp:64 users:4 -- 1 2 3 4 5 6
echo "beside idle servers: ok"

# -- A short group: its servers' leases run out, the others serve ----------------------------------

stop replica6 KILL
wait_for 30 without "127.0.0.1:$((replica_port + 6))" users
stop meta KILL
start_replica 6 # too late for the old meta server: what it holds is INACTIVE
lost "$root/d" 1 2 3 4 5 6
shell recover -f "$dir/nodes" >"$dir/recover.out" 2>&1 &
asked=$!
wait_for 20 eval "shell recovery_status | tee '$dir/status' | grep -q '^waiting: 64 of 68'"
ask 0 recovery_status -j
kill -0 "$asked" || { cat "$dir/recover.out"; die 'it was not waited'; }
expect 'short group' '^waiting: 64 of 68 partitions stay hot \(1\.0-63\), 3 of 6 servers are cold, 2 servers are waited for, at most [0-9]+ s$' "$dir/status"
expect 'short group' '"state": ?"waiting", ?"detail": ?"64 of 68 partitions.*"rounds": ?[1-9]' "$dir/out"
ask 1 ls
expect 'short group' 'ERR_UNDER_RECOVERY' "$dir/out"
wait "$asked" || { cat "$dir/recover.out"; die 'the recovery of a short group failed'; }
for i in 4 5; do
    expect 'short group' "node\(127.0.0.1:$((replica_port + i))\) must stop serving first: partition\(2\.[0-3]\): " "$dir/meta.log"
    expect 'short group' 'the lease has passed' "$dir/replica$i.log"
done
for i in 1 2 3; do never 'short group' 'the lease has passed' "$dir/replica$i.log"; done
wait_for 40 settled temp:64 users:4 -- 1 2 3 4 5 6
ask 0 recovery_status
expect 'afterwards' '^no recovery is under way: serving$' "$dir/out"
strict_ended temp
groups temp >"$dir/now"
cmp "$dir/before" "$dir/now" || { diff "$dir/before" "$dir/now"; die 'groups of temp changed'; }
lives 1 2 3 4 5 6
echo "a short group beside it: ok"
echo "$passed passed, 0 failed"
