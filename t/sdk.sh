#!/usr/bin/env bash
# sdk.sh -- PLUGINS.md is true: its commands, taken out of it, run against an installation made for this,
# from a copy of the template to a policy that decides in a running recovery.  Only the ports are others.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL
CC=${CC:-cc}
for tool in "${CC%% *}" pkg-config patch autoreconf libtoolize make; do
    command -v "$tool" >/dev/null || { echo "SKIPPED: $tool is not installed"; exit 77; }
done

stage=$dir/stage
make -s -C "$top_builddir" install prefix="$stage" >"$dir/install" 2>&1 || { cat "$dir/install"; die "make install"; }
for file in bin/bridle-conform include/bridle/plugin.h lib/pkgconfig/bridle.pc share/aclocal/bridle.m4 \
    share/bridle/template/store_example.c share/man/man5/bridle-store-zookeeper.5; do
    [ -s "$stage/$file" ] || die "not installed: $file"
    passed=$((passed + 1))
done

# The installation is not where it was configured to be: pkg-config is told, and the programs look for
# the installed plugins by the environment.
mkdir "$dir/bin"
printf '#!/bin/sh\nexec %s --define-variable=prefix=%s "$@"\n' "$(command -v pkg-config)" "$stage" \
    >"$dir/bin/pkg-config"
compiler=$(command -v "${CC%% *}")
[ "$CC" = "${CC#* }" ] || compiler="$compiler ${CC#* }"
printf '#!/bin/sh\nexec %s "$@"\n' "$compiler" >"$dir/bin/cc"
chmod +x "$dir/bin/pkg-config" "$dir/bin/cc"
export PATH=$dir/bin:$stage/bin:$stage/sbin:$PATH PKG_CONFIG=$dir/bin/pkg-config
export PKG_CONFIG_PATH=$stage/lib/pkgconfig ACLOCAL_PATH=$stage/share/aclocal CC=cc
export BRIDLE_PLUGIN_PATH=$stage/lib/bridle
abi=$(sed -n 's/^#define BR_ABI_M[AI][JN]OR //p' "$top_srcdir/include/bridle/plugin.h" | paste -sd.)
[ "$(pkg-config --variable=abi bridle)" = "$abi" ] || die "bridle.pc has ABI $(pkg-config --variable=abi bridle)"

# The blocks, each timed, in one shell.  That they end is this script's to see.
port=$(free_ports 4)
cat >"$dir/run" <<'END'
set -e
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
begin=${EPOCHREALTIME/./}
block() { local us=$((${EPOCHREALTIME/./} - begin)); printf '%s %d.%d\n' "$1" $((us / 1000000)) $((us / 100000 % 10)) >&3; }
END
awk '/^```sh$/ { print "block " ++block; on = 1; next }
    /^```$/ { on = 0 }
    on' "$top_srcdir/PLUGINS.md" |
    sed "s/127\.0\.0\.1:34601/127.0.0.1:$port/g; s/127\.0\.0\.1:3480\([\$a-z0-9]*\)/127.0.0.1:\$(($port+\1))/g" \
        >>"$dir/run"
[ "$(grep -c '^block [0-9]' "$dir/run")" -ge 8 ] || die 'PLUGINS.md has few blocks of commands'
mkdir "$dir/author"
start author timeout -k 5 150 bash -c 'cd "$1/author" && exec bash "$1/run" 3>"$1/blocks.log"' - "$dir"
wait "$pid_author" || die "a command of PLUGINS.md failed: $(tail -n 1 "$dir/blocks.log")"
pids=' '
# What a block begins with is when the one before had ended.
decided=$(awk '/^## In a running recovery/ { on = 1 } /^```sh$/ { block++; if (on) exit }
    END { print block + 1 }' "$top_srcdir/PLUGINS.md")
awk -v decided="$decided" '$1 == decided { print "from nothing to a policy that decides in a running recovery: " $2 " s" }
    END { print "to the beginning of the last block, a project with autotools: " $2 " s" }' "$dir/blocks.log"

log=$dir/author.log
expect kit '^# policy mine: 0 broken$' "$log"
expect objection '^not ok [0-9]+ - verdict-allowed' "$log"
expect why '^# found: .*passes over a higher replica without finding a loss' "$log"
expect plugins 'policy +mine +0.1 .*/policy_mine.so' "$log"
expect show '^agree: true or false; default true$' "$log"
expect check 'policy: mine 0.1' "$log"
expect recovery '^Recover result: ERR_OK$' "$log"
[ "$(grep -cE "^[0-3] .*127.0.0.1:$((port + 3))" "$log")" -eq 4 ] ||
    { cat "$log"; die 'server 3 is not the primary of four partitions'; }
expect store '^# store mine: 0 broken$' "$log"
expect autotools '^# store example: 0 broken$' "$log"
[ "$(ls "$dir/author/mine/project/stage$stage/lib/bridle")" = "$(printf 'policy_example.so\nstore_example.so')" ] ||
    die 'the template installs more, or less, than its plugins'
echo "$passed passed"
