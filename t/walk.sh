#!/usr/bin/env bash
# walk.sh [sqlite|zookeeper] -- the metadata of a onebox with data are lost and recovered, step by step
# as its operator is told to (C3), and then each case that an operator asks about (C5 to C11), by
# run.sh's own commands.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
long
. "$top_srcdir/t/onebox_lib.sh"
store=${1:-sqlite}
keys=${WALK_KEYS:-10000}
root=onebox

now_ms() { echo $(($(date +%s%N) / 1000000)); }
fill() { box 0 '^fillseq_pegasus ' bench --app_name "$1" -t fillseq_pegasus -n "$2" --threads 8; }
found() { # TABLE N: all N keys, with the values that were written
    box 0 "\\($2 of $2 found\\)\$" bench --app_name "$1" -t readrandom_pegasus -n "$2" --threads 8 \
        --timeout 5000 --verify
}

# unhealthy COLUMN: of any table, by ls -d; 6 write, 7 read, 5 at all.
unhealthy() {
    "$top_srcdir/run.sh" shell ls -d 2>/dev/null | awk -v at="$1" '
        /^\[healthy_info\]/ { in_it = 1; next } /^\[summary\]/ { in_it = 0 }
        in_it && $1 ~ /^[0-9]+$/ { tables++; wrong += $at } END { print tables ? wrong + 0 : "none" }'
}
all_healthy() { [ "$(unhealthy 5)" = 0 ]; }
all_read() { [ "$(unhealthy 7)" = 0 ]; }

# let_go TABLE_ID: every replica server has heard that it was dropped.  (One that has not yet closed its
# replicas would be chosen before those that have, though it knows of fewer commits: a recovery asks.)
let_go() {
    "$top_srcdir/run.sh" shell remote_command -t replica-server replica.info >"$dir/said" 2>/dev/null &&
        grep -q '"succeed_count": *3' "$dir/said" &&
        ! grep -oE '[0-9]+\.[0-9]+ PS_(PRIMARY|SECONDARY)' "$dir/said" | grep -q "^$1\."
}

flag() { sed -i "s@recover_from_replica_server: $1@recover_from_replica_server: $2@" "$config"; }
next_root() { sed -i "s@/pegasus/$root@/pegasus/$1@" "$config"; root=$1; } # of C3 step 3

# lose ROOT: the metadata are lost; the meta server starts on an empty root, in recovery mode.
lose() {
    next_root "$1"
    flag false true
    box 0 '^INFO: meta@1 stopped$' stop_onebox_instance -m 1
    box 0 '^INFO: meta@1 started$' start_onebox_instance -m 1
    box 1 '^list apps failed, error=ERR_UNDER_RECOVERY$' shell ls
}

# back: the flag is set back, and the meta server restarted.
back() {
    flag true false
    box 0 '' stop_onebox_instance -m 1
    box 0 '' start_onebox_instance -m 1
}

# recover STATUS RESULT [ARGUMENT...]: what it says is in $dir/out.
recover() {
    local status=$1 result=$2; shift 2
    box "$status" "^Recover result: $result\$" shell recover -f "$dir/nodes" "$@"
}

# -- C3: the walk -------------------------------------------------------------------------------

began=$(now_ms)
box 0 '' clear_onebox
box 0 '^Cluster becomes healthy\.$' start_onebox -m 1 -w -s "$store"
up=$(($(now_ms) - began))
box 0 '^zookeeper_root +: /pegasus/onebox/127\.0\.0\.1 *$' shell cluster_info
fill temp "$keys"

recovery_nodes 3
sed -i 's@/pegasus/onebox@/pegasus/onebox_recovery@' "$config"
sed -i 's@recover_from_replica_server: false@recover_from_replica_server: true@' "$config"
root=onebox_recovery
box 0 '^INFO: meta@1 stopped$' stop_onebox_instance -m 1
box 0 '^INFO: meta@1 started$' start_onebox_instance -m 1
box 1 '^list apps failed, error=ERR_UNDER_RECOVERY$' shell ls

began=$(now_ms)
recover 0 ERR_OK
answered=$(($(now_ms) - began))
cat >"$dir/want" <<END
Wait seconds: 100
Skip bad nodes: false
Skip lost partitions: false
Node list:
=============================
$(cat "$dir/nodes")
=============================
Recover result: ERR_OK
END
grep -v '^Wait recovery for' "$dir/out" | head -n "$(wc -l <"$dir/want")" | diff "$dir/want" - || die 'the words of recover are others'
wait_for 60 all_read
primaries=$(($(now_ms) - began))
wait_for 60 all_healthy
whole=$(($(now_ms) - began))
box 0 '^frozen: no operator has released it' shell freeze_status
box 0 ' temp +8 +8 +0 +0 +0 ' shell ls -d
box 0 '^zookeeper_root +: /pegasus/onebox_recovery/127\.0\.0\.1 *$' shell cluster_info
found temp "$keys"
back
found temp "$keys"

# -- C5: only into nothing ----------------------------------------------------------------------

flag false true
box 0 '' stop_onebox_instance -m 1
box 1 '^ERROR: meta@1 ended: .*find apps from remote storage, but \[meta_server\]\.recover_from_replica_server = true' \
    start_onebox_instance -m 1
flag true false
box 0 '^INFO: meta@1 started$' start_onebox_instance -m 1
wait_for 60 all_healthy

# -- C10 and C11: a dropped table comes back; of two of one name the younger keeps it ------------

box 0 '^create app "users" succeed' shell create users -p 4 -r 3
wait_for 60 all_healthy
fill users 300
older=$("$top_srcdir/run.sh" shell ls | awk '$3 == "users" { print $1 }')
box 0 '^drop app users succeed' shell drop users
wait_for 60 let_go "$older"
box 0 '^create app "users" succeed' shell create users -p 4 -r 3
wait_for 60 all_healthy
fill users 200
"$top_srcdir/run.sh" shell ls >"$dir/ls"
younger=$(awk '$3 == "users" { print $1 }' "$dir/ls")
lose onebox_c10
recover 0 ERR_OK
wait_for 60 all_healthy
box 0 "^$younger +AVAILABLE +users " shell ls
box 0 "^$((younger - 1)) +AVAILABLE +users-$((younger - 1)) " shell ls
found users 200
found "users-$((younger - 1))" 300
found temp "$keys"
back

# -- C6: the flag was forgotten -----------------------------------------------------------------

next_root onebox_c6
box 0 '' stop_onebox_instance -m 1
box 0 '' start_onebox_instance -m 1
told() { grep -qE "gpid\\([0-9.]+\\) on node\\(127\\.0\\.0\\.1:$((BRIDLE_REPLICA_PORT_BASE + $1))\\) is not exist on meta server, administrator should check consistency of meta data" "$box/meta1/log"; }
for i in 1 2 3; do wait_for 30 told "$i"; done
three_alive() { "$top_srcdir/run.sh" shell nodes | grep -qE '^alive_node_count +: 3 *$'; }
wait_for 30 three_alive
box 1 'ERR_INVALID_STATE' shell create other -p 4 -r 3
flag false true
box 0 '' stop_onebox_instance -m 1
box 0 '' start_onebox_instance -m 1
recover 0 ERR_OK
wait_for 60 all_healthy
found temp "$keys"
back

# -- C7 and C8: a server that cannot be reached -------------------------------------------------

lose onebox_c7
kill -KILL "$(cat "$box/replica3/pid")"
recover 1 ERR_TRY_AGAIN
node=127.0.0.1:$((BRIDLE_REPLICA_PORT_BASE + 3))
expect C7 "^ERROR: collect app and replica info from node\\($node\\) failed with err\\(ERR_NETWORK_FAILURE\\), you can skip it by set skip_bad_nodes option\$" "$dir/out"
recover 0 ERR_OK --skip_bad_nodes
expect C7 "^WARNING: collect app and replica info from node\\($node\\) failed with err\\(ERR_NETWORK_FAILURE\\), skip the bad node\$" "$dir/out"
expect C8 '^WARNING: partition\([0-9.]+\) only collects 2/3 of replicas, may lost data$' "$dir/out"
wait_for 60 all_read
found temp "$keys"
box 0 '^INFO: replica@3 started$' start_onebox_instance -r 3
wait_for 60 all_healthy
found temp "$keys"
back

# -- C9: nobody has a replica of a partition ----------------------------------------------------

temp=$(awk '$3 == "temp" { print $1 }' "$dir/ls")
lose onebox_c9
for i in 1 2 3; do
    box 0 '' stop_onebox_instance -r "$i"
    mv "$box/replica$i/data/replica/reps/$temp.5.pegasus" "$dir/lost$i"
    box 0 '' start_onebox_instance -r "$i"
done
recover 1 ERR_TRY_AGAIN
expect C9 "^ERROR: partition\\($temp\\.5\\) has no replica collected, you can force recover it by set skip_lost_partitions option\$" "$dir/out"
recover 0 ERR_OK --skip_lost_partitions
expect C9 "^WARNING: partition\\($temp\\.5\\) has no replica collected, force recover the lost partition to empty\$" "$dir/out"
wait_for 60 all_healthy
box 0 "\\([1-9][0-9]* of $keys found\\)\$" bench --app_name temp -t readrandom_pegasus -n "$keys" --threads 8 --timeout 5000
never C9 "\\($keys of $keys found\\)" "$dir/out"
back
box 0 "\\([1-9][0-9]* of $keys found\\)\$" bench --app_name temp -t readrandom_pegasus -n "$keys" --threads 8 --timeout 5000

echo "walk, $store: up and healthy after $up ms; recovery answered after $answered ms, all primaries serve after $primaries ms, all whole after $whole ms (commands included)"
echo "$passed passed, 0 failed"
