#!/bin/sh
# The rules a machine can check: file and function lengths, banned calls, clang-format, and that
# nothing names the machine it was written on.
set -eu
cd "${top_srcdir:-.}"
bad=0
say() { echo "$1"; bad=1; }
files=$(find include host plugin t -name '*.[ch]' -not -path 't/tmp/*' | sort)

# shellcheck disable=SC2086
wc -l $files | awk '$2 != "total" && $1 > 600 { print $2 ": " $1 " lines, more than 600"; bad = 1 }
     END { exit bad }' || bad=1

# A function begins with '{' and ends with '}' in the first column.
# shellcheck disable=SC2086
awk 'FNR == 1 { open = 0 }
     /^{/ { open = FNR }
     /^}/ { if (open && FNR - open + 1 > 70) { print FILENAME ":" open ": function of " FNR - open + 1 " lines, more than 70"; bad = 1 } open = 0 }
     END { exit bad }' $files || bad=1

# shellcheck disable=SC2086
if grep -nE '\<(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|rand)\(' $files; then
    say "calls that this project does not make"
fi

# shellcheck disable=SC2086
if grep -nE '(^|[^a-zA-Z0-9])/(home|root|mnt|tmp)/[a-z]' $files run.sh scripts/* Makefile.am configure.ac *.md conf/* man/*; then
    say "paths of somebody's machine"
fi

if command -v clang-format >/dev/null 2>&1; then
    clang-format --dump-config >/dev/null || say "clang-format does not read .clang-format"
    # shellcheck disable=SC2086
    clang-format --dry-run --Werror $files 2>&1 | sed -n 's/^\([^ :]*\):[0-9]*:[0-9]*: error: .*/\1/p' |
        sort -u | sed 's/$/: not formatted: run .\/run.sh format/' | grep . && bad=1
else
    echo "SKIPPED: clang-format is not installed"
fi
exit $bad
