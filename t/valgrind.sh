#!/usr/bin/env bash
# valgrind.sh BUILD -- the suites that hold the most pointers under memcheck, in one process each.
set -euo pipefail
build=$(cd "$1" && pwd)
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
export top_srcdir top_builddir=$build CK_FORK=no CK_TIMEOUT_MULTIPLIER=20
suites=${VALGRIND_SUITES:-t/test_disk t/test_meta t/test_recover}
bad=0
for suite in $suites; do
    log=$build/$suite.valgrind
    if valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
        "$build/$suite" >"$log" 2>&1; then
        echo "PASS: valgrind $suite"
    else
        tail -n 60 "$log"
        echo "FAIL: valgrind $suite"
        bad=1
    fi
done
exit $bad
