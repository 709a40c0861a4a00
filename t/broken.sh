#!/usr/bin/env bash
# broken.sh -- the conformance kit catches each of these plugins by the name of the rule that it breaks,
# and outlives what it does to its process.  t/broken/KIND.c, compiled with -DIS_NAME.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
CC=${CC:-cc}
command -v "${CC%% *}" >/dev/null || { echo "SKIPPED: no compiler ($CC) to make broken plugins with"; exit 77; }

# kind, name, rule ("-": none, it is good), seconds of patience
table='
store hangs never-blocks 1
store blocks never-blocks 5
store never every-call-answered 2
store deadthread every-call-answered 2
transport never every-call-answered 2
store good - 5
store twice one-reply 5
store afterwards one-reply 5
store stackrows rows-are-whole 5
store rowsize rows-are-whole 5
store rowkind rows-are-whole 5
store tooshort rows-are-whole 5
store leaks no-growth 5
store leaksopen no-growth 5
store past batch-is-not-touched 5
store scribbles batch-is-not-touched 5
store nofence write-status 5
store halfway batch-all-or-nothing 5
store order commits-in-order 5
store mute failures-say-why 5
store crashes survives 5
store exits survives 5
store prints process-left-alone 5
store signals process-left-alone 5
store options option-values 5
store exports one-symbol 5
store unnamed descriptor-whole 5
store stopsearly stop-replies-last 5
store elects candidates-in-order 5
store samefence no-fence-twice 5
store miscounts elections-counted 5
policy good - 5
policy impure same-verdict 5
policy clock no-clock 5
policy passes verdict-allowed 5
policy outside verdict-allowed 5
policy listorder list-order 5
policy arrival arrival-order 5
policy scribbles evidence-not-touched 5
policy past evidence-not-touched 5
policy mute failures-say-why 5
policy longname table-allowed 5
policy longgive names-unique 5
transport good - 5
transport twice one-reply 5
transport blocks never-blocks 5
transport index rows-carry-the-index 5
transport role rows-carry-the-index 5
transport rowsize rows-are-whole 5
transport ownstrings rows-are-whole 5
transport nodestwice nodes-are-names 5
transport empty down-is-unavailable 5
'

# look KIND NAME PATIENCE: compile and ask the kit.
look() {
    local so=$dir/$1_$2.so
    # shellcheck disable=SC2086
    $CC -shared -fPIC -std=gnu11 -fvisibility=hidden -I"$top_srcdir/include" "-DNAME=$2" "-DIS_$2" \
        -o "$so" "$top_srcdir/t/broken/$1.c" -lpthread || return 0
    status=0
    "$top_builddir/bridle-conform" --stop --patience "$3" --node 10.0.0.1:34801 "$1" "$so" || status=$?
    echo "status $status"
}

running=0
while read -r kind name rule patience; do
    [ -n "$kind" ] || continue
    look "$kind" "$name" "$patience" >"$dir/$kind.$name" 2>&1 &
    running=$((running + 1))
    [ "$running" -lt 12 ] || wait -n # they wait more than they work
done <<<"$table"
wait

# caught KIND NAME RULE: what the kit said is what the table says.
caught() {
    local out=$dir/$1.$2
    if [ "$3" = - ]; then
        grep -q '^status 0$' "$out" && ! grep -q '^not ok' "$out"
    else
        grep -qE "^not ok [0-9]+ - $3( |\$)" "$out" && grep -q '^# rule:  .*\.$' "$out" &&
            grep -q '^# found: .' "$out" && grep -q '^status 1$' "$out"
    fi
}

missed=
while read -r kind name rule patience; do
    [ -n "$kind" ] || continue
    if caught "$kind" "$name" "$rule"; then
        passed=$((passed + 1))
    else
        missed="$missed $kind.$name"
        echo "-- $kind $name, expected $rule:"
        grep -v '^ok' "$dir/$kind.$name" || true
    fi
done <<<"$table"
[ -z "$missed" ] || die "not caught:$missed"

# A file that the loader refuses is refused by name, and what is no plugin is no crash.
echo hello >"$dir/store_text.so"
look() { "$top_builddir/bridle-conform" "$@" >"$dir/out" 2>&1 || echo "status $?" >>"$dir/out"; }
look store "$dir/store_text.so"
expect text '^not ok 1 - loads$' "$dir/out"
look policy "$dir/store_good.so"
expect kind "found: .*store_good.so: a policy's file is called policy_NAME.so" "$dir/out"
look store
expect usage '^status 2$' "$dir/out"
chmod o+w "$dir/store_good.so"
look store "$dir/store_good.so"
expect mode 'found: .*writable by others' "$dir/out"

# Every rule stands in the man page.
"$top_builddir/bridle-conform" --rules | sed -n 's/^  \([a-z-]*\) .*/\1/p' | sort -u >"$dir/rules"
[ "$(wc -l <"$dir/rules")" -ge 40 ] || die 'few rules'
while read -r rule; do
    grep -qF -- "$(printf '%s' "$rule" | sed 's/-/\\-/g')" "$top_srcdir/man/bridle-conform.1" ||
        die "man/bridle-conform.1 lacks $rule"
done <"$dir/rules"
echo "$passed passed"
