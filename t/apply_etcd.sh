#!/usr/bin/env bash
# apply_etcd.sh -- from nothing to a cluster that serves, in a real etcd and by the operator's commands: a
# plan applied, verified, undone, applied again and served from; etcd stopped and started in between.
# What is refused on the way is apply.sh's, which make soak runs on etcd, too.
set -euo pipefail
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
if [ -z "${ETCD_HOSTS:-}" ]; then
    exec "$top_srcdir/t/etcd.sh" "${BASH_SOURCE[0]}" "$@"
fi
. "$top_srcdir/t/lib.sh"
store_for etcd

meta_port=$(free_ports 3)
replica_port=$meta_port
root=/pegasus/apply$$
nodes=$dir/nodes
for i in 1 2; do
    echo "127.0.0.1:$((replica_port + i))" >>"$nodes"
    make_replicas "$i" 1:users:4:2 0,1,2,3 7 120
    start_replica "$i"
done
conf="-c $top_srcdir/conf/onebox.yaml $store_sets --set meta_server.cluster_root=$root --set meta_server.lock_root=$root"
hash_of() { sed -n 's/^"hash":"\([0-9a-f]*\)".*/\1/p' "$1"; }
# run STATUS apply|undo|verify PLAN [ARGUMENT...], answered by nobody.
# shellcheck disable=SC2086
run() { ask "$1" "$2" "$3" $conf "${@:4}" </dev/null; }
# The lock's own path stays.
dump() { "$top_builddir/t/store_dump" ${store_sets//--set /} | grep -v '/dsn.meta.server.leader ' >"$1" || [ ! -s "$1" ]; }
restart_etcd() {
    local server
    server=$(cat "$ETCD_HOME/pid")
    kill -KILL "$server"
    "$ETCD_SCRIPT" --start "$ETCD_HOME" || die 'etcd does not start again'
}

# shellcheck disable=SC2086
ask 10 diagnose $conf
ask 0 survey -f "$nodes" -o "$dir/s.json"
# shellcheck disable=SC2086
ask 0 plan "$dir/s.json" $conf -o "$dir/p.json"
hash=$(hash_of "$dir/p.json")
dump "$dir/before"
run 0 apply "$dir/p.json" --plan-hash "$hash" --json
expect apply '"result":"applied","status":0,"plan":"'"$hash"'",' "$dir/out"
run 0 verify "$dir/p.json" --exact
restart_etcd
run 0 undo "$dir/p.json" --plan-hash "$hash"
expect undo "records were taken back from $root$" "$dir/out"
run 1 verify "$dir/p.json" --offline
dump "$dir/now"
undone "$dir/before" "$dir/now" || die 'undone: it is not what it was'
# shellcheck disable=SC2086
ask 0 audit $conf
for step in 'apply +begin' 'apply +done' 'undo +begin' 'undo +done'; do
    expect audit "Z  $step +plan ${hash:0:16}  " "$dir/out"
done

# A meta server, which leads: what it serves from is not taken back.
run 0 apply "$dir/p.json" --plan-hash "$hash"
start_root "$root" false
wait_for 20 meta_up
ask 0 ls
expect ls '^1 +AVAILABLE +users ' "$dir/out"
stop meta
run 3 undo "$dir/p.json" --plan-hash "$hash"
expect led 'a meta server has stood for election since the plan was applied' "$dir/out"
# shellcheck disable=SC2086
ask 0 diagnose $conf
echo "$passed passed, 0 failed"
