#!/usr/bin/env bash
# sim.sh [RUNS] [SEED] [JOBS] -- the simulation (t/sim.h): so many runs by seed, then a small cluster's
# recovery killed at every point and pair of them, each of its requests failing and its allocations
# refused once.  With sanitizers less of it.  What is broken is told with its seed; `t/sim --seed N` shows
# it, event by event.
set -euo pipefail
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${top_builddir:=${BRIDLE_BUILD:-$top_srcdir/build}}"
runs=2000 pairs==pairs step=7
if grep -q '^SANITIZE_CFLAGS.*fsanitize' "$top_builddir/Makefile"; then
    runs=100 pairs=
fi
if [ $# -gt 0 ]; then
    runs=$1 step=1
fi
"$top_builddir/t/sim" --every-kill"$pairs" --every-failure --every-refusal="$step" \
    --runs "$runs" --seed "${2:-1}" --jobs "${3:-1}"
