#!/usr/bin/env bash
# plugins.sh -- bridle plugins, bridle show, and the man pages made from option tables.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
lib=$dir/lib
mkdir "$lib"
cp "$top_builddir"/plugin/.libs/store_sqlite.so "$top_builddir"/plugin/.libs/policy_pegasus.so "$lib"
printf 'meta_server: {listen: 127.0.0.1:34601, cluster_root: /c}\nreplication: {cluster_name: c}\nstore: {plugin: memory}\ntransport: {plugin: rdsn}\npolicy: {plugin: pegasus}\nplugins: {path: [%s]}\n' "$lib" \
    >"$dir/conf.yaml"
bridle() { "$top_builddir/bridle" "$@" >"$dir/out" 2>&1 && got=0 || got=$?; }
status() { [ "$got" -eq "$1" ] || { cat "$dir/out"; die "exit status $got, expected $1"; }; }

# What is installed, where, and what stands in the shadow of another.
bridle plugins -c "$dir/conf.yaml"
status 0
expect kinds '^store +sqlite +1\.0 +1\.[0-9]+ +[0-9]+ +'"$lib/store_sqlite.so *\$" "$dir/out"
expect hidden "^store +sqlite .*/plugin/.libs/store_sqlite.so \(hidden by one before\)" "$dir/out"
expect all '^transport +rdsn ' "$dir/out"
bridle plugins -j -c "$dir/conf.yaml"
status 0
python3 - "$dir/out" <<'END' || die 'the JSON of plugins'
import json, sys
plugins = json.load(open(sys.argv[1]))["plugins"]
first = {p["plugin"]["name"]: p for p in plugins if not p["hidden"]}
assert {"sqlite", "pegasus", "zookeeper", "memory", "rdsn"} <= set(first)
assert first["sqlite"]["plugin"]["options"][0]["required"] is True
assert all(p["refused"] is None for p in plugins)
END
passed=$((passed + 1))

# Refusals say why, each file its own.
echo text >"$lib/store_text.so"
cp "$lib/store_sqlite.so" "$lib/store_other.so"
cp "$lib/store_sqlite.so" "$lib/nothing.so"
cp "$lib/store_sqlite.so" "$lib/store_loose.so"
chmod o+w "$lib/store_loose.so"
bridle plugins -c "$dir/conf.yaml"
status 1
expect text "^refused: $lib/store_text.so: .*: (file too short|invalid ELF header)" "$dir/out"
expect symbol "^refused: $lib/store_other.so: .*exports no bridle_store_other" "$dir/out"
expect name "^refused: $lib/nothing.so: a plugin's file is called KIND_NAME.so" "$dir/out"
expect mode "^refused: $lib/store_loose.so: .*writable by others" "$dir/out"
bridle plugins -j -c "$dir/conf.yaml"
status 1
python3 -m json.tool "$dir/out" >/dev/null || die 'the JSON of refused plugins'

# One plugin's table.
bridle show store zookeeper
status 0
expect required '^hosts: text; required$' "$dir/out"
expect range '^session_timeout: duration, .* to .*; default ' "$dir/out"
expect secret '^auth: .*; a secret, or file:PATH$' "$dir/out"
bridle show -j policy pegasus
status 0
python3 -m json.tool "$dir/out" >/dev/null || die 'the JSON of show'
bridle show store nosuch
status 1
expect nosuch 'store nosuch: no such plugin' "$dir/out"
bridle show kitchen sink
status 1
bridle show store
status 2
bridle plugins x
status 2

# --check opens whatever a configuration names, and does nothing: no file, no port.
port=$(free_ports 1)
cat >>"$dir/conf.yaml" <<END
stores: {other: {plugin: sqlite, file: $dir/other.db}}
END
"$top_builddir/bridled" --check -c "$dir/conf.yaml" --set "meta_server.listen=127.0.0.1:$port" --set store.plugin=sqlite \
    --set "store.file=$dir/one.db" >"$dir/out" 2>&1 || { cat "$dir/out"; die '--check'; }
for section in store stores.other transport policy; do expect "--check $section" "msg=\"$section: " "$dir/out"; done
[ ! -e "$dir/one.db" ] && [ ! -e "$dir/other.db" ] || die '--check made a database'

# The man pages say what the tables say.
for page in "$top_builddir"/man/bridle-*.5; do
    name=$(basename "$page" .5)
    kind=$(echo "$name" | cut -d- -f2)
    bridle show "$kind" "${name##*-}"
    status 0
    options=$(sed -n 's/^\([a-z_]*\): .*/\1/p' "$dir/out")
    [ "$(grep -c '^\.TP$' "$page")" -eq "$(echo "$options" | wc -w)" ] || die "$page: other options"
    for option in $options; do
        grep -qx "\.B $option" "$page" || die "$page lacks $option"
    done
    sed -n 's/^    //p' "$dir/out" | sed 's/\\/\\e/g; s/-/\\-/g' >"$dir/help"
    while read -r help; do
        grep -qxF -- "$help" "$page" || die "$page lacks: $help"
    done <"$dir/help"
    passed=$((passed + 1))
done
[ "$(ls "$top_builddir"/man/bridle-*.5 | wc -l)" -eq "$(ls "$top_builddir"/plugin/.libs/*.so | wc -l)" ] ||
    die 'a plugin without a man page, or a page without a plugin'
echo "$passed passed"
