#!/usr/bin/env bash
# apply.sh [STORE] -- a plan applied, verified, undone and served from, with real processes: what is asked
# for before, what is refused and why, and that nothing is written where it is.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
[ "${1:-sqlite}" = sqlite ] || long
store_for "${1:-sqlite}"

meta_port=$(free_ports 5)
replica_port=$meta_port
root=/pegasus/apply$$
nodes=$dir/nodes
for i in 1 2 3; do
    echo "127.0.0.1:$((replica_port + i))" >>"$nodes"
    make_replicas "$i" 1:users:4:3 0,1,2,3 7 120
    make_replicas "$i" 3:temp:2:3 0,1 "$((4 + i))" 99
    start_replica "$i"
done
third=127.0.0.1:$((replica_port + 3))

# at ROOT: the configuration there.
at() { conf="-c $top_srcdir/conf/onebox.yaml $store_sets --set meta_server.cluster_root=$1 --set meta_server.lock_root=$1"; }
# shellcheck disable=SC2086
plan() { ask 0 plan "$1" $conf "${@:3}" -o "$2"; }
hash_of() { sed -n 's/^"hash":"\([0-9a-f]*\)".*/\1/p' "$1"; }
# run STATUS apply|undo|verify PLAN [ARGUMENT...], answered by nobody.
# shellcheck disable=SC2086
run() { ask "$1" "$2" "$3" $conf "${@:4}" </dev/null; }
dump() { "$top_builddir/t/store_dump" ${store_sets//--set /} | grep -v '^/zookeeper' >"$1" || [ ! -s "$1" ]; }
unchanged() { dump "$dir/now"; cmp "$dir/before" "$dir/now" || die "$1: something was written"; passed=$((passed + 1)); }

at "$root"
ask 0 survey -f "$nodes" -o "$dir/s.json"
plan "$dir/s.json" "$dir/p.json"
hash=$(hash_of "$dir/p.json")
dump "$dir/before"

# Nobody agreed, or to something else.
run 3 apply "$dir/p.json"
expect apply "nobody is at a terminal to agree: give --plan-hash ${hash:0:16} if this is the plan" "$dir/out"
run 3 apply "$dir/p.json" --plan-hash "${hash:0:15}"
expect apply 'needs at least the first 16 digits' "$dir/out"
run 3 apply "$dir/p.json" --plan-hash 0123456789abcdef --json
expect apply '"result":"not agreed to","status":3,' "$dir/out"
run 0 undo "$dir/p.json"
expect undo '^undo OK: nothing to undo, plan ' "$dir/out"
run 2 undo "$dir/p.json" --offline
unchanged 'without consent'

# The servers do not bear it out any more: one is silent.  What the plan assumed is assumed again.
plan "$dir/s.json" "$dir/dead.json" -b --assume-dead "$third"
run 3 apply "$dir/dead.json"
expect assumed 'nobody is at a terminal' "$dir/out"
stop replica3 KILL
run 3 apply "$dir/p.json" --plan-hash "$hash"
expect changed "^partition 3\.0: planned ballot 7 on $third, dropped .*; now ballot 6 on 127" "$dir/out"
expect changed '^apply FAILED: changed, plan ' "$dir/out"
expect changed '^next: +bridle survey -f NODES -o survey.json, bridle plan survey.json -c ' "$dir/out"
plan "$dir/s.json" "$dir/back.json" --assume-back "$third"
run 3 apply "$dir/back.json"
expect assumed 'nobody is at a terminal' "$dir/out"
unchanged 'changed verdicts'
start_replica 3

# A meta server leads, though it only waits to be told to recover.
start_root "$root" true
wait_for 20 meta_up
run 4 apply "$dir/p.json" --plan-hash "$hash" --wait_seconds 1
expect held "^127.0.0.1:$meta_port holds the leader lock $root/dsn.meta.server.leader: stop every meta server" "$dir/out"
stop meta
# shellcheck disable=SC2086
ask 10 diagnose $conf

# There and back again.
dump "$dir/before"
run 0 apply "$dir/p.json" --plan-hash "${hash:0:16}" --json
expect apply '"result":"applied","status":0,"plan":"'"$hash"'","records":10,' "$dir/out"
run 0 verify "$dir/p.json" --exact
run 0 apply "$dir/p.json" --plan-hash "$hash"
expect apply 'apply OK: already applied' "$dir/out"
run 3 undo "$dir/p.json"
expect undo 'nobody is at a terminal to agree' "$dir/out"
run 0 undo "$dir/p.json" --plan-hash "$hash"
expect undo "^10 records were taken back from $root$" "$dir/out"
run 1 verify "$dir/p.json" --offline
expect verify 'nothing of the plan stands there: it was never applied, or it was undone' "$dir/out"
dump "$dir/now"
undone "$dir/before" "$dir/now" || die 'undone: it is not what it was'
# shellcheck disable=SC2086
ask 0 audit $conf
for step in 'apply +begin' 'apply +done' 'undo +begin' 'undo +done'; do
    expect audit "^20[0-9-]+T[0-9:.]+Z  $step +plan ${hash:0:16}  [^ ]+@[^ ]+\[[0-9]+\] bridle [0-9.]+(, [0-9]+ findings)?$" "$dir/out"
done
[ "$(wc -l <"$dir/out")" -eq 4 ] || { cat "$dir/out"; die 'audit: not four entries'; }

# It is served from; and then it is neither undone nor written over.
run 0 apply "$dir/p.json" --plan-hash "$hash" --offline
start_root "$root" false
wait_for 20 meta_up
healthy() { shell ls -d | grep -qE '^1 +users +4 +4 ' && shell ls -d | grep -qE '^3 +temp +2 +2 '; }
wait_for 60 healthy
run 3 undo "$dir/p.json" --plan-hash "$hash"
expect led 'a meta server has stood for election since the plan was applied' "$dir/out"
at "$root/other"
plan "$dir/s.json" "$dir/other.json"
other=$(hash_of "$dir/other.json")
run 3 apply "$dir/other.json" --plan-hash "$other"
expect serving '^node\(127\.0\.0\.1:[0-9]+\) says that it is a (primary|secondary) of partition ' "$dir/out"
expect serving 'servers say that they serve: a meta server is there or was seconds ago' "$dir/out"
stop meta
silent() { run 3 apply "$dir/other.json" --plan-hash "$other"; grep -q '^apply FAILED: changed' "$dir/out"; }
wait_for 60 silent # the leases ran out; the ballots have moved
expect changed '^partition [13]\.[0-9]: planned ballot [5-7] on 127.*; now ballot [0-9]+ on 127' "$dir/out"
at "$root"
run 3 undo "$dir/p.json" --plan-hash "$hash"
expect led 'and may have served from it: it cannot be taken back' "$dir/out"
run 0 apply "$dir/p.json" --plan-hash "$hash"
expect already '^apply OK: already applied' "$dir/out"
ask 0 survey -f "$nodes" -o "$dir/s2.json"
plan "$dir/s2.json" "$dir/p2.json"
run 3 apply "$dir/p2.json" --plan-hash "$(hash_of "$dir/p2.json")"
expect tables "^$root holds 3 tables, and a plan is applied only into nothing: nothing was written$" "$dir/out"
echo "$passed passed, 0 failed"
