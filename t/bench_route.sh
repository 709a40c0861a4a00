#!/usr/bin/env bash
# bench_route.sh -- t/bench_route against a bridled that serves 1,024 healthy partitions, and Redis.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
command -v redis-server >/dev/null || { echo 'route: skipped, redis-server is not installed'; exit 0; }
meta_port=$(free_ports 2)
redis_port=$((meta_port + 1))
store_for sqlite
"$top_builddir/t/synthetic_store" --store sqlite --file "$dir/meta.db" --root /pegasus/route \
    --nodes 12 --tables 1 --partitions 1024 --seed 1 >"$dir/store.log"
start_meta --set meta_server.cluster_root=/pegasus/route --set meta_server.lock_root=/pegasus/route
wait_for 30 meta_up
table=$(shell ls | awk '$2 == "AVAILABLE" { print $3; exit }')
start redis redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no --dir "$dir"
wait_for 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$redis_port"
"$top_builddir/t/bench_route" "$meta_port" "$table" "$redis_port"
