#!/usr/bin/env bash
# hot_hazards.sh -- what can go wrong around a hot recovery, with real processes: the meta server dies
# while it waits, two of them are alive, a server is not in the list or is typed otherwise, there are
# too few, a standby takes over.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
. "$top_srcdir/t/hot_lib.sh"
store_for sqlite
RANDOM=${SEED:-$$}
meta_port=$(free_ports 8)
replica_port=$meta_port
rival_port=$((meta_port + 7))
root=/hazard/$$
everybody=temp:8

table_on 1:temp:8:3 1 2 3
for i in 1 2 3; do start_replica "$i"; done
cold_start "$root/a" 1 2 3
wait_for 60 settled "$everybody" -- 1 2 3

# -- Killed while it waits, again and again -------------------------------------------------------

# A server that hangs: nothing stays hot, and its grace is waited for.
kill -STOP "$pid_replica3"
lost "$root/b" 1 2 -- --set recovery.node_deadline=500ms
for round in 1 2 3; do
    shell recover -f "$dir/nodes" --skip_bad_nodes >"$dir/recover.out" 2>&1 &
    asked=$!
    wait_for 20 eval "shell recovery_status | grep -q '^waiting: 0 of 8 '"
    delay=$((RANDOM % 500))
    read -r -t "0.$(printf '%03d' $delay)" <> <(:) || true # the moment is what varies
    stop meta KILL
    kill "$asked" 2>/dev/null || true
    wait "$asked" 2>/dev/null || true
    start_root "$root/b" true --set recovery.node_deadline=500ms
    wait_for 20 meta_up
    ask 1 ls
    expect "killed in round $round" 'ERR_UNDER_RECOVERY' "$dir/out"
done
ask 0 recover -f "$dir/nodes" --skip_bad_nodes
kill -CONT "$pid_replica3"
wait_for 60 settled "$everybody" -- 1 2 3
lives 1 2 3
echo "killed while it waits: ok"

# -- A leader that takes over after a hot recovery knows what is unconfirmed -----------------------

groups temp >"$dir/before"
lost "$root/c" 1 2 3
ask 0 recover -f "$dir/nodes"
expect 'all hot' '8 of 8 partitions stay hot' "$dir/meta.log"
stop meta KILL
start_root "$root/c" false --set log.level=debug
wait_for 20 meta_up
ask 0 ls
read -r _ ballot primary one two <"$dir/before"
ask 1 propose -g 1.0 -p DOWNGRADE_TO_INACTIVE -t "$primary" -n "$one"
groups temp >"$dir/now"
cmp "$dir/before" "$dir/now" || die 'the next leader changed groups'
never 'unconfirmed' 'proposing' "$dir/meta.log"
# Its secondary dies, its primary says so, and from then on everything is as ever.
victim=$((${one%% *}))
