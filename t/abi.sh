#!/usr/bin/env bash
# abi.sh [--record] -- the plugin boundary is what it was: abidiff against the recorded dump of each
# version of it (t/abi/bridle-MAJOR.MINOR.xml), since which only members at the ends of structures may be
# new, and since that of the present version nothing; and plugins that were built with the oldest
# headers (t/abi/include, those of 1.0) load and keep every rule.
#
# --record writes the dump of a version that plugin.h has newly got; list it in Makefile.am.
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

# A plugin for 1.0, as its author built it then.
for kind in store policy; do
    build "$dir/${kind}_example.so" "$abi/include" "$abi/${kind}_first.c"
    "$top_builddir/bridle-conform" "$kind" "$dir/${kind}_example.so" >"$dir/$kind.log" ||
        die "a $kind built with the oldest headers breaks a rule"
    expect "oldest $kind" "^# $kind example: 0 broken" "$dir/$kind.log"
done

if ! command -v abidiff >/dev/null || ! command -v abidw >/dev/null; then
    echo "SKIPPED: abidiff is not installed (abigail-tools): the boundary's layout was not compared"
    exit 0
fi

version=$(sed -n 's/^#define BR_ABI_M[AI][JN]OR //p' "$top_srcdir/include/bridle/plugin.h" | paste -sd.)
present=$abi/bridle-$version.xml
build "$dir/now.so" "$top_srcdir/include" "$abi/abi.c"
if [ "${1:-}" = --record ]; then
    [ ! -e "$present" ] || die "$version has been recorded: what has changed is another version (plugin.h)"
    abidw --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed "$dir/now.so" \
        --out-file "$present"
    exit 0
fi
[ -s "$present" ] || die "version $version of the boundary is not recorded: t/abi.sh --record"
if grep -hE "path='|filepath=|comp-dir-path=|architecture" "$abi"/bridle-*.xml | grep -E '(/[a-z]+){2}'; then
    die "a dump names paths of somebody's machine"
fi

# grown DUMP FILE: 0 where nothing but the ends of structures has grown.  (abidiff's own suppression of
# that passes insertions elsewhere, too.)  Growth that hides in padding does not show in a stamped size.
grown() {
    abidiff --leaf-changes-only "$1" "$2" >"$dir/diff" 2>&1 && [ ! -s "$dir/diff" ] && return 0
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

# compare FILE: same, where it is the present version; grown, since every one; else other.
compare() {
    local dump
    for dump in "$abi"/bridle-*.xml; do
        grown "$dump" "$1" || { echo other; return; }
    done
    abidiff "$present" "$1" >"$dir/diff" 2>&1 && [ ! -s "$dir/diff" ] && echo same || echo grown
}
is=$(compare "$dir/now.so")
[ "$is" = same ] || { cat "$dir/diff"; die "the plugin boundary is not that of $version, but $is"; }
passed=$((passed + 1))

# And it would be seen.  change NAME WANT SED: headers changed so are the same, grown or others.
change() {
    rm -rf "$dir/include"
    cp -r "$top_srcdir/include" "$dir/include"
    chmod -R u+w "$dir/include"
    sed -i "$3" "$dir"/include/bridle/*.h
    ! diff -rq "$top_srcdir/include" "$dir/include" >/dev/null || die "$1: nothing was changed"
    build "$dir/$1.so" "$dir/include" "$abi/abi.c"
    is=$(compare "$dir/$1.so")
    [ "$is" = "$2" ] || { cat "$dir/diff"; die "$1: is $is, expected $2"; }
    passed=$((passed + 1))
}
change appended grown 's/^    void (\*elections)(.*/&\n    void (*later)(struct br_env *env);/'
change shrunk other 's/^    void (\*elections)(.*//'
change behind other 's/^    void (\*cancel)(struct br_env \*env, struct br_call \*call);/&\n    void (*later)(struct br_env *env);/'
change inserted other 's/^    uint32_t batch_ops_max;/    uint32_t first;\n&/'
change removed other 's/^    const char \*type; .*app_type.*//'
change retyped other 's/^    int64_t ballot;/    int32_t ballot;\n    int32_t pad;/'
change argument other 's/(\*list)(struct br_env \*env, const char \*path,/(*list)(struct br_env *env, int32_t deep, const char *path,/'
echo "$passed passed"
