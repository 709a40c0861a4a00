#!/usr/bin/env bash
# soak.sh [SECONDS] [SEED] -- what takes minutes: the Debian packages installed and run, kill sweeps and
# failovers on SQLite, ZooKeeper and etcd, replica servers with data killed, wiped and hung under a load,
# learning, the judge against its oracle on all small clusters and random ones, a million simulated
# recoveries, then every fuzzer for SECONDS each.
set -euo pipefail
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${top_builddir:=${BRIDLE_BUILD:-$top_srcdir/build}}"
export top_srcdir top_builddir
seconds=${1:-600}
seed=${2:-$(date +%s)}
echo "seed $seed"
"$top_srcdir/t/deb.sh" || [ $? -eq 77 ]
"$top_srcdir/t/sweep.sh" sqlite 60 "$seed"
"$top_srcdir/t/zookeeper.sh" "$top_srcdir/t/sweep.sh" zookeeper 60 "$seed"
"$top_srcdir/t/ensemble.sh"
"$top_srcdir/t/netns.sh" "$seed"
"$top_srcdir/t/replica.sh" 120 "$seed"
"$top_srcdir/t/storm.sh" sqlite 60 "$seed"
"$top_srcdir/t/storm.sh" zookeeper 60 "$seed"
"$top_srcdir/t/etcd.sh" "$top_srcdir/t/sweep.sh" etcd 60 "$seed"
"$top_srcdir/t/etcd.sh" "$top_srcdir/t/recovery.sh" etcd
"$top_srcdir/t/etcd.sh" "$top_srcdir/t/apply.sh" etcd
"$top_srcdir/t/etcd.sh" "$top_srcdir/t/hot.sh" etcd
"$top_srcdir/t/storm.sh" etcd 60 "$seed"
"$top_srcdir/t/failover.sh" 100 "$seed"
"$top_srcdir/t/tables.sh" sqlite 20 "$seed" 256
"$top_srcdir/t/tables.sh" zookeeper 20 "$seed" 256
"$top_srcdir/t/serve.sh" zookeeper
"$top_srcdir/t/freeze.sh" sqlite long
"$top_srcdir/t/freeze.sh" zookeeper long
"$top_srcdir/t/walk_kill.sh" 10 "$seed" zookeeper
"$top_srcdir/t/apply_kill.sh" sqlite 4200
"$top_srcdir/t/apply_kill.sh" zookeeper 4200
"$top_srcdir/t/amend_kill.sh" sqlite 4200
"$top_srcdir/t/amend_kill.sh" zookeeper 4200
PARTITIONS=24 ONLY=kill SECONDS_MAX=600 "$top_srcdir/t/data.sh" 1000000 "$seed"
SECONDS_MAX=120 "$top_srcdir/t/data.sh" 1000000 "$seed" --log-size 65536
SECONDS_MAX=120 "$top_srcdir/t/data.sh" 1000000 "$seed" --sync
"$top_srcdir/t/oracle.sh" 1 500000 "$seed"
"$top_srcdir/t/sim.sh" 250000 "$seed" 2

fuzz=$top_builddir-fuzz
mkdir -p "$fuzz"
[ -f "$fuzz/Makefile" ] || (cd "$fuzz" && "$top_srcdir/configure" --quiet --enable-fuzz CC=clang)
make -C "$fuzz" -s
for program in "$fuzz"/t/fuzz_*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    name=${program##*fuzz_}
    work=$fuzz/work_$name
    mkdir -p "$work"
    echo "fuzz_$name: $seconds s"
    "$program" -seed="$seed" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$work/crash-" "$work" "$top_srcdir/t/corpus/$name" >"$work.log" 2>&1 || {
        tail -n 40 "$work.log"
        exit 1
    }
    grep -E 'stat::(number_of_executed_units|average_exec)' "$work.log"
done
