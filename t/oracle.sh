#!/usr/bin/env bash
# oracle.sh [EVERY] [RANDOM] [SEED] -- the judge and the policies against a second, naive implementation
# of their rules (t/oracle.py): every EVERY-th cluster of the families of small ones (1: all of them,
# twenty minutes), then RANDOM random ones from SEED (t/oracle_compare.py); and that implementation against
# what a real Apache Pegasus did (t/oracle_real.py), where $BRIDLE_REFERENCE has it.
set -euo pipefail
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${top_builddir:=${BRIDLE_BUILD:-$top_srcdir/build}}"
if ! command -v python3 >/dev/null; then
    echo "SKIPPED: the judge is not compared with the oracle: needs python3 (Debian: python3)" >&2
    exit 77
fi
cases=${BRIDLE_REFERENCE:+$BRIDLE_REFERENCE/oracle/cases}
if [ -n "$cases" ] && [ -f "$cases/1.spec.json" ]; then
    python3 -B "$top_srcdir/t/oracle_real.py" "$cases"
else
    echo "SKIPPED: the oracle is not compared with a real meta server: no oracle/cases (BRIDLE_REFERENCE)"
fi
if [ -n "${BRIDLE_BRIEF:-}" ]; then
    set -- "${1:-1009}" "${2:-800}" "${3:-1}"
fi
exec python3 -B "$top_srcdir/t/oracle_compare.py" "$top_builddir/t/oracle_judge" \
    --every "${1:-199}" --random "${2:-8000}" --seed "${3:-1}"
