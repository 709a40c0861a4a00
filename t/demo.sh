#!/usr/bin/env bash
# demo.sh [--store sqlite|zookeeper] -- a recovery from beginning to end, watchable: three replica
# servers with data, a meta server whose store is empty, and what the operator types.
set -euo pipefail
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${top_builddir:=${BRIDLE_BUILD:-$top_srcdir/build}}"
export top_srcdir top_builddir
store=sqlite
case ${1:-} in
    '') ;;
    --store) store=${2:?--store needs sqlite or zookeeper} ;;
    --store=*) store=${1#--store=} ;;
    *) echo "usage: $0 [--store sqlite|zookeeper]" >&2; exit 2 ;;
esac
if [ "$store" = zookeeper ] && [ -z "${ZK_HOSTS:-}" ]; then
    exec "$top_srcdir/t/zookeeper.sh" "${BASH_SOURCE[0]}" --store zookeeper
fi
. "$top_srcdir/t/lib.sh"
store_for "$store"

say() { printf '\n\033[1m-- %s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9]*m//g'; fi; }
run() { echo "\$ bridle $*"; shell "$@" || echo "(exit status $?)"; }

meta_port=$(free_ports 5)
replica_port=$meta_port
nodes=$dir/recover_node_list
{
    echo '# the replica servers of the cluster, one host:port a line'
    for i in 1 2 3; do echo "127.0.0.1:$((replica_port + i))"; done
} >"$nodes"

say 'Three replica servers hold three tables; two of them were both called temp once, and one
   partition of users has two replicas left instead of three.'
for i in 1 2 3; do
    make_replicas "$i" 1:users:4:3 "$([ "$i" = 3 ] && echo 0,1,2 || echo 0,1,2,3)" 7 120
    make_replicas "$i" 2:temp:2:3 0,1 3 10
    make_replicas "$i" 4:temp:4:3 0,1,2,3 5 99
    start_replica "$i"
done
ls "$dir/replica1/replica/reps"

say "A meta server with an empty store ($store), in recovery mode. It serves nothing yet:"
start_meta --set meta_server.recover_from_replica_server=true
wait_for 20 meta_up
run ls

say 'One replica server is down: the recovery is refused and nothing is written.'
stop replica3
run recover -f "$nodes"

say 'The operator decides to go on without it:'
run recover -f "$nodes" --skip_bad_nodes

say 'The tables are back, with their ids, partitions and the best replica of each as primary:'
run ls
run app users -d

say 'Every partition that has a primary serves. The third server comes back, and what was missing is
   made good:'
start_replica 3
healthy() { [ "$(shell ls -d | grep -cE ' (users|temp) +4 +4 | temp-2 +2 +2 ')" -eq 3 ]; }
wait_for 60 healthy
run ls -d

say 'What the meta server said meanwhile:'
grep -v 'level=debug' "$dir/meta.log" | sed "s|$dir|...|g; s/^ts=[^ ]* //"
stop meta
[ "$gone" -eq 0 ] || die "bridled ended with status $gone"
say 'done'
