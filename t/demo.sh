#!/usr/bin/env bash
# demo.sh [--store sqlite|zookeeper] -- the whole story, watchable: a cluster on this machine is filled,
# loses its metadata, and gets them back from its replica servers; every key is found.
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
. "$top_srcdir/t/lib.sh"
. "$top_srcdir/t/onebox_lib.sh"
keys=10000

say() { printf '\n\033[1m-- %s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9]*m//g'; fi; }

# run COMMAND...: shown, and carried out, both without this demo's directory.
run() {
    { echo "\$ ./run.sh $*"; "$top_srcdir/run.sh" "$@" 2>&1 </dev/null; } | sed "s|$box|onebox|g; s|$dir/||g"
}
edit() { echo "\$ sed -i '$1' onebox/meta1/config.yaml"; sed -i "$1" "$config"; }
may_fail() { "$@" || echo "(exit status $?)"; }

say "A cluster on this machine: one meta server, three replica servers; the metadata are in $store."
run start_onebox -m 1 -w -s "$store"
run shell cluster_info

say "$keys keys, each written to three replica servers before it is acknowledged:"
run bench --app_name temp -t fillseq_pegasus -n $keys --threads 8

say 'The metadata are lost. A new root, which is empty, and recovery mode:'
edit 's@/pegasus/onebox@/pegasus/onebox_recovery@'
edit 's@recover_from_replica_server: false@recover_from_replica_server: true@'
run stop_onebox_instance -m 1
run start_onebox_instance -m 1
may_fail run shell ls

say 'The operator lists the replica servers. One of them cannot be reached: nothing is written.'
recovery_nodes 3
list=$dir/recover_node_list
{ echo '# the replica servers, one host:port a line'; cat "$dir/nodes"; } >"$list"
run stop_onebox_instance -r 3
may_fail run shell recover -f "$list"

say 'It is started. What the servers hold becomes the metadata of the new root, once nobody can still
   hold a lease that the lost metadata gave (a few seconds here, 20 s by default):'
run start_onebox_instance -r 3
began=$(date +%s%N)
run shell recover -f "$list"
healthy() { "$top_srcdir/run.sh" shell ls -d | grep -qE '^2 +temp +8 +8 +0 '; }
wait_for 60 healthy
echo "(the table is whole again after $((($(date +%s%N) - began) / 1000000)) ms)"

say 'The tables are there, under the new root:'
run shell ls
run shell cluster_info | grep zookeeper_root
run shell app temp -d | grep -A 9 '^pidx'

say 'The flag goes back, so that a restart does not ask for a recovery again:'
edit 's@recover_from_replica_server: true@recover_from_replica_server: false@'
run restart_onebox_instance -m 1

say 'No replica server may delete anything of a recovered cluster, until you say so (release):'
run shell freeze_status

say 'Every key, compared byte for byte with what was written:'
run bench --app_name temp -t readrandom_pegasus -n $keys --threads 8 --verify
