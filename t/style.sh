#!/bin/sh
# The rules a machine can check: file and function lengths, banned calls, clang-format, and that
# nothing names the machine it was written on.
set -eu
cd "${top_srcdir:-.}"
bad=0
say() { echo "$1"; bad=1; }
files=$(find include host plugin t -name '*.[ch]' -not -path 't/tmp/*' | sort)

for file in $files; do
    lines=$(wc -l <"$file")
    [ "$lines" -le 600 ] || say "$file: $lines lines, more than 600"
done

# A function begins with '{' and ends with '}' in the first column.
# shellcheck disable=SC2086
awk 'FNR == 1 { open = 0 }
     /^{/ { open = FNR }
     /^}/ { if (open && FNR - open + 1 > 70) { print FILENAME ":" open ": function of " FNR - open + 1 " lines, more than 70"; bad = 1 } open = 0 }
     END { exit bad }' $files || bad=1

# shellcheck disable=SC2086
if grep -nwE '(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|rand)\(' $files; then
    say "calls that this project does not make"
fi

# shellcheck disable=SC2086
if grep -nE '(^|[^a-zA-Z0-9])/(home|root|mnt|tmp)/[a-z]' $files run.sh scripts/* Makefile.am configure.ac *.md conf/* man/*; then
    say "paths of somebody's machine"
fi

if command -v clang-format >/dev/null 2>&1; then
    for file in $files; do
        clang-format --dry-run --Werror -ferror-limit=1 "$file" >/dev/null 2>&1 ||
            say "$file: not formatted: run ./run.sh format"
    done
else
    echo "SKIPPED: clang-format is not installed"
fi
exit $bad
