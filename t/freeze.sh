#!/usr/bin/env bash
# freeze.sh [STORE [long]] -- no replica is deleted before an operator's release, with real processes:
# dropped and expired tables at level lively stay while frozen and go after `release`.  Long: they stay
# after `freeze`, killed and restarted meta servers keep what is so, a fresh root and a recovery are
# frozen.  STORE is sqlite (the default) or zookeeper.
set -euo pipefail
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${top_builddir:=${BRIDLE_BUILD:-$top_srcdir/build}}"
export top_srcdir top_builddir
store=${1:-sqlite}
if [ "$store" = zookeeper ] && [ -z "${ZK_HOSTS:-}" ]; then
    exec "$top_srcdir/t/zookeeper.sh" "${BASH_SOURCE[0]}" "$@"
fi
patience=90
. "$top_srcdir/t/lib.sh"
. "$top_srcdir/t/cluster.sh"
store_for "$store"
meta_options=(--set meta_server.lb_interval=1s --set meta_server.meta_function_level_on_start=lively)
[ "$store" = sqlite ] || meta_options+=(--set store.session_timeout=1s --set store.deadline=1s)

cluster_name=$(sed -n 's/^ *cluster_name: *//p' "$top_srcdir/conf/onebox.yaml")
reps() { ls "$dir"/replica*/replica/reps; }
held() { reps | grep -c "^$1\.[0-9]*\.pegasus$" || true; }
garbage() { reps | grep -c "^$1\.[0-9]*\.pegasus\..*gar$" || true; }
is_held() { [ "$(held "$1")" -eq "$2" ] && [ "$(garbage "$1")" -eq 0 ]; }
is_garbage() { [ "$(held "$1")" -eq 0 ] && [ "$(garbage "$1")" -eq "$2" ]; }
status_is() { shell freeze_status 2>&1 | tr '\n' ' ' | grep -qE -- "$1"; }
joined() { [ "$(told "$1" | grep -cE 'PS_(PRIMARY|SECONDARY)')" -eq 12 ]; }
# drop_one NAME ID: made, whole, dropped with a reserve time of a second, and closed everywhere.
drop_one() {
    says 0 'is ready now' create "$1" -p 4 -w 90
    soon "$1 is whole" healthy "$1" 4 3
    soon "nobody learns any more" joined "$2" # who does would not close
    says 0 '' drop "$1" -r 1
    must "$1 is there" is_held "$2" 12
}
# The replica servers have synced once a second meanwhile.
syncs() { pause 2; }

replica_options=(--gc-memory-interval 1s)
cluster 2 3
for i in 1 2 3; do replicad "$i"; done
bridled 1
wait_for 20 serves 1
bridled 2
wait_for 30 stands 2
soon 'stat' healthy stat 4 3
soon 'temp' healthy temp 8 3

# -- Frozen, without anybody's doing ---------------------------------------------------------------

drop_one one 3
soon 'all of it could go' status_is '^frozen: no operator .* 12 replicas of dropped and expired tables stay'
syncs
must 'none of it goes' is_held 3 12
must 'stat is whole' healthy stat 4 3

# -- The word --------------------------------------------------------------------------------------

says 1 "not the cluster's name" release --yes-i-mean somebody
says 2 'USAGE' release --json
must 'a wrong name' eval '! echo somebody | shell release >"$dir/out"'
must 'what it says' grep -q 'could be deleted now: 12 (level lively)' "$dir/out"
says 0 'leads, ask it' remote_command -l "127.0.0.1:$((meta_base + 3 - $(leader)))" bridle.release "$cluster_name" me
must 'still nothing goes' is_held 3 12
must 'released' eval 'echo "$cluster_name" | shell release | grep -q "release succeed"'
says 0 '^released by .*@' freeze_status
says 0 '"frozen":false' freeze_status --json
soon 'it goes' is_garbage 3 12
soon 'nothing is left to go' status_is '^released .* 0 replicas'
for id in 1 2; do must "table $id stays" eval "[ \$(garbage $id) -eq 0 ]"; done
must 'each is told once' test "$(cat "$dir"/meta*.log | grep -c 'is told to collect replica 3\.')" -eq 12

must 'taken back' eval "says 0 '\"ok\":true' freeze --json; status_is '^frozen: no operator'"
if [ "${2:-}" != long ]; then
    echo "$passed passed, 0 failed"
    exit
fi

# -- Taken back ------------------------------------------------------------------------------------

drop_one two 4
soon 'it could go' status_is '^frozen: .* 12 replicas'
syncs
must 'it stays' is_held 4 12

# -- Whoever leads ---------------------------------------------------------------------------------

restart_leader() {
    local victim=$(leader)
    stop "meta$victim" KILL
    bridled "$victim"
    leads() { [ -n "$(leader)" ]; }
    wait_for 40 leads
}
restart_leader
soon 'still frozen' status_is '^frozen: no operator .* 12 replicas'
says 0 'release succeed' release -y "$cluster_name"
soon 'it goes' is_garbage 4 12
restart_leader
soon 'still released' status_is '^released by '
drop_one three 5
soon 'it goes, too' is_garbage 5 12

# -- Another root ----------------------------------------------------------------------------------

for i in 1 2; do stop "meta$i"; done
root=/cluster/$$-fresh
bridled 1
wait_for 30 serves 1
soon 'a fresh root is frozen' status_is '^frozen: no operator'
says 1 'there are no tables' release -y "$cluster_name"
stop meta1
bridled 1 --set meta_server.recover_from_replica_server=true
wait_for 30 grep -q 'recovery mode' "$dir/meta1.log"
says 0 'Recover result: ERR_OK' recover -s "$replicas"
soon 'what was recovered is frozen' status_is '^frozen: no operator'
soon 'stat is whole again' healthy stat 4 3
for i in 1 2 3; do
    eval "kill -0 \$pid_replica$i" 2>/dev/null || { cat "$dir/replica$i.log"; die "replica server $i ended"; }
done
stop meta1
[ "$gone" -eq 0 ] || die "meta server 1: SIGTERM: status $gone"
echo "$passed passed, 0 failed"
