#!/usr/bin/env bash
# rehearse.sh -- a recovery of a simulated cluster with real programs: conf/sim.yaml surveyed, planned,
# applied and verified; asked again, backwards, replayed or by bridled it is the same plan; servers that
# still claim to serve are waited for.
set -euo pipefail
lease=2
. "${top_srcdir:-.}/t/lib.sh"
store_for sqlite
meta_port=$(free_ports 1)
conf="-c $top_srcdir/conf/sim.yaml $store_sets"

# plan NAME SURVEY: its hash in $hash
plan() {
    # shellcheck disable=SC2086
    ask 0 plan "$2" $conf -b -l -o "$dir/$1.plan"
    hash=$(sed -n 's/^"hash":"\([0-9a-f]*\)".*/\1/p' "$dir/$1.plan")
}

# shellcheck disable=SC2086
ask 0 survey $conf -o "$dir/s.json"
expect survey '^node\(10\.0\.0\.[1-7]:34801\) is silent: .*: Connection refused \(ERR_NETWORK_FAILURE\)$' "$dir/out"
expect survey '^6 of 7 servers answered, 1[0-9]+ replicas$' "$dir/out"
# shellcheck disable=SC2086
ask 1 plan "$dir/s.json" $conf
expect losses '^ERROR: partition\([0-9.]+\) has no replica collected, you can force recover it' "$dir/out"
plan first "$dir/s.json"
first=$hash
expect plan '^WARNING: app\([0-9]\) \(table_[0-9]\) is not available on the nodes that report it' "$dir/out"
expect plan '^WARNING: app\([0-9]\).s old name\(namesake\) is conflict with others' "$dir/out"
expect plan '^partitions [0-9]+ whole, [0-9]+ short of replicas, [1-9][0-9]* lost$' "$dir/out"

# Another process, asked the other way round: every row is the same.
names() { sed -n 's/^{"name":"\([^"]*\)".*/\1/p' "$1"; }
rows() { sed -n -e 's/^{"name":"\([^"]*\)".*/\1/p' -e 's/^\(\[[0-9].*\]\),*$/\1/p' -e 's/\]}*,*$//p' "$1" | sort; }
names "$dir/s.json" >"$dir/nodes"
# shellcheck disable=SC2086
ask 0 survey $conf -l "$(tac "$dir/nodes" | paste -sd,)" -o "$dir/back.json"
[ "$(names "$dir/back.json" | tac)" = "$(cat "$dir/nodes")" ] || die 'backwards: another order'
[ "$(rows "$dir/back.json")" = "$(rows "$dir/s.json")" ] || die 'backwards: other rows'
passed=$((passed + 2))
# shellcheck disable=SC2086
ask 0 survey $conf -o "$dir/again.json"
plan again "$dir/again.json"
[ "$hash" = "$first" ] || die 'asked again: another plan'
# shellcheck disable=SC2086
ask 0 survey -c "$top_srcdir/conf/replay.yaml" --set "transport.file=$dir/s.json" -o "$dir/replayed.json"
plan replayed "$dir/replayed.json"
[ "$hash" = "$first" ] || die 'replayed: another plan'
# shellcheck disable=SC2086
ask 0 survey $conf --set transport.seed=2 -o "$dir/other.json"
plan other "$dir/other.json"
[ "$hash" != "$first" ] || die 'another seed: the same plan'
passed=$((passed + 3))

# shellcheck disable=SC2086
ask 0 apply "$dir/first.plan" $conf --plan-hash "$first"
# shellcheck disable=SC2086
ask 0 verify "$dir/first.plan" $conf --exact
# shellcheck disable=SC2086
ask 0 undo "$dir/first.plan" $conf --plan-hash "$first"

# bridled with the same cluster; then with one that serves until its leases run out.
bridled() { # ROOT ARGUMENT...
    # shellcheck disable=SC2086
    start meta "$top_builddir/bridled" $conf $lease_sets --set "meta_server.listen=127.0.0.1:$meta_port" \
        --set "meta_server.cluster_root=$1" --set "meta_server.lock_root=$1" \
        --set meta_server.recover_from_replica_server=true "${@:2}"
    wait_for 20 meta_up
}
bridled /pegasus/rehearsal --set recovery.hot=off # who is silent is not waited for
ask 1 recover -f "$dir/nodes" -b
expect recover 'has no replica collected, you can force recover it by set skip_lost_partitions option$' "$dir/out"
ask 0 recover -f "$dir/nodes" -b -l
expect recover '^Recover result: ERR_OK$' "$dir/out"
expect hash "plan ${first:0:16}: 4 tables, [0-9]+ records" "$dir/meta.log"
stop meta
bridled /pegasus/leases --set transport.roles=serving --set transport.lease_answers=9 --set transport.down=0
ask 0 recover -f "$dir/nodes" -l
expect waited 'must stop serving first' "$dir/meta.log"
expect recover '^Recover result: ERR_OK$' "$dir/out"
stop meta
echo "$passed passed, 0 failed"
