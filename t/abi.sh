#!/usr/bin/env bash
# abi.sh [--record] -- the plugin boundary is what it was: abidiff against a recorded dump of it, where
# only members at the ends of structures may be new; and plugins that were built with the oldest headers
# (t/abi/include, those of version 0.1) load and keep every rule.
#
# --record writes the dump anew: for a new major version only (include/bridle/plugin.h says when).
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
CC=${CC:-cc}
abi=$top_srcdir/t/abi
command -v "${CC%% *}" >/dev/null || { echo "SKIPPED: no compiler ($CC)"; exit 77; }

# build FILE HEADERS SOURCE
build() {
    # shellcheck disable=SC2086
    (cd "${3%/*}" && # the dump shall not say where
        $CC -g -shared -fPIC -std=c11 -fvisibility=hidden -I"$2" -o "$1" "${3##*/}") || die "$3 does not compile"
}

# A plugin of version 0.1, as its author built it then.
for kind in store policy; do
    build "$dir/${kind}_example.so" "$abi/include" "$top_srcdir/plugin/template/${kind}_example.c"
    "$top_builddir/bridle-conform" "$kind" "$dir/${kind}_example.so" >"$dir/$kind.log" ||
        die "a $kind built with the oldest headers breaks a rule"
    expect "oldest $kind" "^# $kind example: 0 broken" "$dir/$kind.log"
done

if ! command -v abidiff >/dev/null || ! command -v abidw >/dev/null; then
    echo "SKIPPED: abidiff is not installed (abigail-tools): the boundary's layout was not compared"
    exit 0
fi

dump=$abi/bridle-1.xml
build "$dir/now.so" "$top_srcdir/include" "$abi/abi.c"
if [ "${1:-}" = --record ]; then
    abidw --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed "$dir/now.so" \
        --out-file "$dump"
    exit 0
fi
if grep -nE "path='|filepath=|comp-dir-path=|architecture" "$dump" | grep -E '(/[a-z]+){2}'; then
    die "$dump names paths of somebody's machine"
fi

# same FILE: 0 where nothing but the ends of structures has grown.  (abidiff's own suppression of that
# passes insertions elsewhere, too.)  Growth that hides in padding does not show in a stamped size.
same() {
    abidiff --leaf-changes-only "$dump" "$1" >"$dir/diff" 2>&1 && [ ! -s "$dir/diff" ] && return 0
    awk '/^ *$/ || /^Leaf changes summary:/ || /^Removed.Changed.Added .*: 0 Removed, 0 Changed, 0 Added/ { next }
        /^Changed leaf types summary:/ { next }
        /^ *.struct [a-z_]+.* changed:$/ { size = -1; next }
        /^ *type size changed from [0-9]+ to [0-9]+ \(in bits\)$/ { size = $5; next }
        /^ *[0-9]+ data member insertions?:$/ { next }
        match($0, /, at offset [0-9]+/) {
            at = substr($0, RSTART + 12, RLENGTH - 12)
            if (size >= 0 && at + 0 >= size + 0) next
        }
        /^ *[0-9]+ impacted interfaces?/ { next }
        { bad = 1 }
        END { exit bad }' "$dir/diff"
}
same "$dir/now.so" || { cat "$dir/diff"; die 'the plugin boundary has changed'; }
passed=$((passed + 1))

# And it would be seen.  change NAME WANT SED: headers changed so are (same) or are not (other) the same.
change() {
    rm -rf "$dir/include"
    cp -r "$top_srcdir/include" "$dir/include"
    chmod -R u+w "$dir/include"
    sed -i "$3" "$dir"/include/bridle/*.h
    ! diff -rq "$top_srcdir/include" "$dir/include" >/dev/null || die "$1: nothing was changed"
    build "$dir/$1.so" "$dir/include" "$abi/abi.c"
    if same "$dir/$1.so"; then is=same; else is=other; fi
    [ "$is" = "$2" ] || { cat "$dir/diff"; die "$1: is $is, expected $2"; }
    passed=$((passed + 1))
}
change appended same 's/^    void (\*cancel)(struct br_env \*env, struct br_call \*call);/&\n    void (*later)(struct br_env *env);/'
change inserted other 's/^    uint32_t batch_ops_max;/    uint32_t first;\n&/'
change removed other 's/^    const char \*type; .*app_type.*//'
change retyped other 's/^    int64_t ballot;/    int32_t ballot;\n    int32_t pad;/'
change argument other 's/(\*list)(struct br_env \*env, const char \*path,/(*list)(struct br_env *env, int32_t deep, const char *path,/'
echo "$passed passed"
