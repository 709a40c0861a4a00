#!/usr/bin/env bash
# stages.sh -- a recovery in steps with real processes: what the replica servers hold is written down,
# judged, explained, recovered as ever, and compared with what stands in the store.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
long
store_for sqlite

meta_port=$(free_ports 5)
replica_port=$meta_port
root=/pegasus/stages$$
nodes=$dir/nodes
for i in 1 2 3; do echo "127.0.0.1:$((replica_port + i))" >>"$nodes"; done
for i in 1 2 3; do
    make_replicas "$i" 1:users:4:3 "$([ "$i" = 3 ] && echo 0,1,2 || echo 0,1,2,3)" 7 120
    make_replicas "$i" 3:temp:2:3 0,1 "$((4 + i))" 99
    start_replica "$i"
done
conf="-c $top_srcdir/conf/onebox.yaml $store_sets --set meta_server.cluster_root=$root"

# stage STATUS COMMAND...: bridle without a meta server; its output in $dir/out.
stage() { ask "$@"; }

# shellcheck disable=SC2086
stage 10 diagnose $conf
expect diagnose '^verdict: empty$' "$dir/out"
stage 0 survey -f "$nodes" -o "$dir/s1.json"
expect survey '^3 of 3 servers answered, 17 replicas$' "$dir/out"
stage 0 survey --merge "$dir/s1.json" -o "$dir/s2.json"
cmp "$dir/s1.json" "$dir/s2.json" || die 'survey: merged with nothing it is another one'

# shellcheck disable=SC2086
stage 0 plan "$dir/s1.json" $conf -o "$dir/p.json"
expect plan "^cluster   onebox, into $root, layout 2.5$" "$dir/out"
expect plan '^partitions 5 whole, 1 short of replicas, 0 lost$' "$dir/out"
expect plan '^WARNING: partition\(1\.3\) only collects 2/3 of replicas, may lost data$' "$dir/out"
# shellcheck disable=SC2086
stage 0 plan "$dir/s2.json" $conf -o "$dir/p2.json"
cmp "$dir/p.json" "$dir/p2.json" || die 'plan: the same survey gives another plan'
hash=$(sed -n 's/^"hash":"\([0-9a-f]*\)".*/\1/p' "$dir/p.json")

stage 0 explain "$dir/p.json" 3.1
expect explain "^primary   127.0.0.1:$((replica_port + 3))$" "$dir/out"
expect explain "^  the ballot: 7 against 6 of 127.0.0.1:$((replica_port + 2)), which comes next$" "$dir/out"
expect explain "^  without 127.0.0.1:$((replica_port + 3)): the primary is 127.0.0.1:$((replica_port + 2))$" "$dir/out"
stage 0 explain "$dir/p.json" 3
expect explain '^  app_name +node 127.0.0.1:[0-9]+ \(3 of 3 agree\)$' "$dir/out"
stage 0 explain "$dir/p.json" 3.1 --json
expect explain '"rule":"the ballot: 7 against 6' "$dir/out"
stage 1 explain "$dir/p.json" 3.2
stage 1 explain "$dir/s1.json" 3.1
expect explain 'this is no plan' "$dir/out"

# A server that is silent is a loss; an older answer of it can be assumed to hold still.
stop replica3 KILL
stage 0 survey -f "$nodes" -o "$dir/s3.json"
expect survey "^node\(127.0.0.1:$((replica_port + 3))\) is silent: .*\(ERR_NETWORK_FAILURE\)$" "$dir/out"
# shellcheck disable=SC2086
stage 1 plan "$dir/s1.json" "$dir/s3.json" $conf
expect plan 'the silence of .*s3.json counts, the answer of .*s1.json is [0-9]+ ms older$' "$dir/out"
expect plan 'bridle plan \.\.\. --skip_bad_nodes$' "$dir/out"
# shellcheck disable=SC2086
stage 0 plan "$dir/s1.json" "$dir/s3.json" $conf --assume-back "127.0.0.1:$((replica_port + 3))"
expect plan "^plan      $hash$" "$dir/out"
# shellcheck disable=SC2086
stage 1 plan "$dir/s1.json" $conf --assume-dead "127.0.0.1:$((replica_port + 1))"
expect plan 'ERR_ASSUMED_DEAD' "$dir/out"
# shellcheck disable=SC2086
stage 0 plan "$dir/s1.json" "$dir/s3.json" $conf -b -o "$dir/p3.json"
stage 0 rank "$dir/p3.json" "$dir/s1.json"
expect rank "^127.0.0.1:$((replica_port + 3)) +0 +2 +5$" "$dir/out"
stage 0 rank "$dir/p3.json" "$dir/s3.json"
expect rank 'nothing is known of it: no survey has an answer of it$' "$dir/out"
start_replica 3
[ ! -e "$dir/meta.db" ] || die 'a store was made'

# Recovered as ever: the same plan, byte for byte.
start_root "$root" true --set meta_server.meta_function_level_on_start=freezed
wait_for 20 meta_up
ask 0 recover -f "$nodes"
expect recover '^Recover result: ERR_OK$' "$dir/out"
expect recover "plan ${hash:0:16}:" "$dir/meta.log"
stop meta
# shellcheck disable=SC2086
stage 0 diagnose $conf
expect diagnose "^$root holds 3 tables with 7 partitions$" "$dir/out"
# shellcheck disable=SC2086
stage 11 diagnose $conf --set meta_server.cluster_root=/elsewhere
expect diagnose "^metadata stand at the root $root$" "$dir/out"

# It is what was planned; once it serves it moves on; what somebody changes is named.
# shellcheck disable=SC2086
stage 0 verify "$dir/p.json" $conf --exact
expect verify '^store:    10 records planned, 10 as planned, 0 moved on since, 0 differ, 0 missing, 0 not planned$' "$dir/out"
expect verify '^servers:  6 primaries planned, 6 hold what they reported, 0 are held by others, 0 gone; 0 servers silent$' "$dir/out"
expect verify "^verify OK: plan ${hash:0:16}$" "$dir/out"
# shellcheck disable=SC2086
stage 1 verify "$dir/p.json" $conf --set meta_server.cluster_root=/elsewhere
expect verify "the plan is for the root $root, the configuration says /elsewhere" "$dir/out"
start_root "$root" false
wait_for 20 meta_up
healthy() { shell ls -d | grep -qE '^1 +users +4 +4 '; }
wait_for 60 healthy
stop replica1
ask 0 rename users people
# shellcheck disable=SC2086
stage 1 verify "$dir/p.json" $conf
expect verify "^$root/apps/1: app_name is \"people\", \"users\" was planned$" "$dir/out"
expect verify "^node\(127.0.0.1:$((replica_port + 1))\) does not answer: ERR_NETWORK_FAILURE$" "$dir/out"
expect verify '^store:    10 records planned, [0-9]+ as planned, [1-9] moved on since, 1 differ, 0 missing, 0 not planned$' "$dir/out"
expect verify '^verify FAILED: plan ' "$dir/out"
ask 0 rename people users
# shellcheck disable=SC2086
stage 0 verify "$dir/p.json" $conf --offline
never verify '^servers:' "$dir/out"
# shellcheck disable=SC2086
stage 1 verify "$dir/p.json" $conf --offline --exact --json
expect verify '"good":false,"records":10,"same":[0-9],"moved":[1-9],"differing":0' "$dir/out"
stop meta
echo "$passed passed, 0 failed"
