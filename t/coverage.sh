#!/usr/bin/env bash
# coverage.sh -- what of the recovery, the policies and the stores the tests run: builds with gcc's
# counters in a directory of its own (BUILD-coverage), runs the suites and scripts that reach those
# parts, and prints lines and branches (t/coverage.py).  Fails where a test does, or below the floor.
# BUILD-coverage/coverage.txt names every line that never ran or lacks a branch.
set -euo pipefail
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${top_builddir:=${BRIDLE_BUILD:-$top_srcdir/build}}"
top_srcdir=$(cd "$top_srcdir" && pwd)
[ ! -d "$top_builddir" ] || top_builddir=$(cd "$top_builddir" && pwd)
build=$top_builddir-coverage

# One at a time: a loaded machine takes another way through what waits.
tests="t/test_model t/test_policy t/test_judge t/test_hot t/test_oracle t/test_recovery t/test_recover
    t/test_rounds t/test_stages t/conform_static t/conform_shared t/test_memory t/test_sqlite
    t/test_zookeeper.sh t/test_etcd.sh t/recovery.sh t/recovery_zookeeper.sh t/hot.sh t/stages.sh t/apply.sh
    t/apply_zookeeper.sh t/apply_etcd.sh t/amend.sh t/sim.sh"

mkdir -p "$build"
[ -f "$build/Makefile" ] || (cd "$build" && "$top_srcdir/configure" --quiet --enable-coverage)
make -C "$build" -s -j"$(nproc)" all
make -C "$build" -s -j"$(nproc)" check TESTS= >"$build/make-check.log" 2>&1 || {
    tail -n 40 "$build/make-check.log"
    exit 1
}
find "$build" -name '*.gcda' -delete
status=0
# shellcheck disable=SC2086
make -C "$build" -s check TESTS="$(echo $tests)" >"$build/tests.log" 2>&1 || status=1
grep -E '^(PASS|FAIL|SKIP|ERROR|XPASS)' "$build/tests.log" || { tail -n 40 "$build/tests.log"; exit 1; }
grep -h '^SKIPPED' "$build"/t/*.log | sort -u || true
[ "$status" -eq 0 ] || echo "FAILED: a test did; its log is in $build/t"
"$top_srcdir/t/coverage.py" -v "$build" >"$build/coverage.txt" || status=1
grep -v '^    ' "$build/coverage.txt"
exit "$status"
