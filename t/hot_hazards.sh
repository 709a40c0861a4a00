#!/usr/bin/env bash
# hot_hazards.sh -- what can go wrong around a hot recovery, with real processes: the meta server dies
# while it waits, two of them are alive, a server is not in the list or is typed otherwise, there are
# too few, a standby takes over.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
. "$top_srcdir/t/hot_lib.sh"
long
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
stop "replica$((${one#*:} - replica_port))" KILL
wait_for 30 without "$one" temp
start_replica $((${one#*:} - replica_port))
wait_for 60 settled "$everybody" -- 1 2 3
lives 1 2 3
echo "a leader that takes over: ok"

# -- Two meta servers: replica servers that obey another one ---------------------------------------

rival() {
    store_sets="--set store.plugin=sqlite --set store.file=$dir/rival.db" \
        start_meta_as rival "$rival_port" --set "meta_server.cluster_root=$root/rival" \
        --set "meta_server.lock_root=$root/rival" --set meta_server.recover_from_replica_server=true
    (meta_port=$rival_port wait_for 20 meta_up)
}
groups temp >"$dir/before"
rival
gone=0
"$top_builddir/bridle" --meta "127.0.0.1:$rival_port" recover -f "$dir/nodes" >"$dir/out" 2>&1 || gone=$?
[ "$gone" -eq 1 ] || { cat "$dir/out"; die "servers that obey another meta server: status $gone"; }
expect 'obeys another' '^Recover result: ERR_TRY_AGAIN$' "$dir/out"
expect 'obeys another' 'ERROR: node\(127\.0\.0\.1:[0-9]+\) still reports [0-9]+ replicas as PRIMARY, SECONDARY or learning [0-9]+ s after our last acknowledgement, .*stop every other meta server and recover again' "$dir/out"
expect 'obeys another' '0 of 8 partitions stay hot \(none\), 3 of 3 servers are cold, 3 servers are waited for' "$dir/rival.log"
never 'obeys another' 'writing|plan ' "$dir/rival.log"
stop rival
rival # nothing was written: it is in recovery mode, and not status 78
expect 'obeys another' 'holds no tables' "$dir/rival.log"
stop rival
groups temp >"$dir/now"
cmp "$dir/before" "$dir/now" || die 'the rival changed groups'
lives 1 2 3
echo "two meta servers: ok"

# -- A server that is not in the list ---------------------------------------------------------------

table_on 2:users:2:1 4
start_replica 4
lost "$root/d" 1 2 3 4
ask 0 recover -f "$dir/nodes"
expect 'unlisted' "^WARNING: node\(127\.0\.0\.1:$((replica_port + 4))\) sends us beacons but is not in the node list" "$dir/out"
expect 'unlisted' '0 of 8 partitions stay hot \(none\), 3 of 3 servers are cold, 4 servers are waited for' "$dir/meta.log"
wait_for 60 settled "$everybody" -- 1 2 3
# What it holds is unknown, and stays there (C6).
wait_for 20 grep -qE "gpid\(2\.[01]\) on node\(127\.0\.0\.1:$((replica_port + 4))\) is not exist on meta server.* 2 of its replicas" "$dir/meta.log"
[ "$(roles 4 | wc -l)" -eq 2 ] || die 'the unlisted server lost replicas'
stop replica4
lives 1 2 3
echo "a server that is not in the list: ok"

# -- Too few servers --------------------------------------------------------------------------------

stop replica3 KILL
list "$dir/nodes" 1 2
lost "$root/e" 1 2 -- --set meta_server.min_live_node_count_for_unfreeze=3
ask 0 recover -f "$dir/nodes"
expect 'too few' '^WARNING: 2 replica servers send beacons, fewer than the 3 of min_live_node_count_for_unfreeze' "$dir/out"
expect 'too few' 'function level freezed \(too few servers' "$dir/meta.log"
serves temp 8 && die 'freezed, and yet everything was assigned'
start_replica 3
wait_for 60 settled "$everybody" -- 1 2 3
expect 'enough' 'function level (steady|lively): 3 of 3' "$dir/meta.log"
lives 1 2 3
echo "too few servers: ok"

# -- A standby that was there while another recovered ------------------------------------------------

list "$dir/nodes" 1 2 3
lost "$root/f" 1 2 3
start_meta_as standby "$rival_port" --set "meta_server.cluster_root=$root/f" \
    --set "meta_server.lock_root=$root/f" --set meta_server.recover_from_replica_server=true
wait_for 20 grep -q 'the leader is' "$dir/standby.log"
ask 0 recover -f "$dir/nodes"
gone=0 # another start with the flag is refused at once, whoever leads
store_too="--set meta_server.cluster_root=$root/f --set meta_server.lock_root=$root/f"
# shellcheck disable=SC2086
"$top_builddir/bridled" -c "$top_srcdir/conf/onebox.yaml" --set "meta_server.listen=127.0.0.1:$((rival_port - 1))" \
    $store_sets $lease_sets $store_too --set meta_server.recover_from_replica_server=true >"$dir/third.log" 2>&1 || gone=$?
[ "$gone" -eq 78 ] || { cat "$dir/third.log"; die "the flag with tables, while another leads: status $gone"; }
stop meta KILL
(meta_port=$rival_port wait_for 40 eval "shell ls | grep -q total_app_count")
expect 'standby' 'recover_from_replica_server' "$dir/standby.log"
(meta_port=$rival_port ask 0 ls; expect 'standby' ' temp ' "$dir/out")
alive standby || die 'the standby ended'
stop standby
echo "a standby takes over: ok"

# -- A name that is typed as an address ----------------------------------------------------------------

make_replicas 5 3:named:2:1 0,1
start replica5 "$top_builddir/replicad" $data_option --listen "localhost:$((replica_port + 5))" --pegasus-version 2.6 \
    --data "$dir/replica5" --meta "127.0.0.1:$meta_port" $lease_options
wait_for 10 grep -q serving "$dir/replica5.log"
start_root "$root/g" true --set meta_server.pegasus_version=2.6
wait_for 20 grep -q "replica server localhost:$((replica_port + 5)) is alive" "$dir/meta.log"
for i in 1 2 3; do stop "replica$i"; done
list "$dir/nodes" 5
ask 1 recover -f "$dir/nodes"
expect 'typed' "^ERROR: node\(127\.0\.0\.1:$((replica_port + 5))\) calls itself localhost:$((replica_port + 5)) in its beacons.* write localhost:$((replica_port + 5)) in the node list" "$dir/out"
sed -i s/127.0.0.1/localhost/ "$dir/nodes"
ask 0 --pegasus-version 2.6 recover -f "$dir/nodes"
named() { shell ls -d 2>/dev/null | grep -qE ' named +2 +2 '; }
wait_for 30 named
echo "a name that is typed as an address: ok"
echo "$passed passed, 0 failed"
