#!/bin/sh
# Each plugin's shared object exports one symbol, bridle_FILENAME, and nothing else.
dir=${top_builddir:-.}/plugin/.libs
count=0
bad=0
for file in "$dir"/*.so; do
    [ -e "$file" ] || continue
    count=$((count + 1))
    want=bridle_$(basename "$file" .so)
    have=$(nm -D --defined-only "$file" | awk '{ print $NF }')
    if [ "$have" != "$want" ]; then
        echo "$file exports" $have "instead of $want"
        bad=1
    fi
done
if [ "$count" = 0 ]; then
    echo "no shared object in $dir: a build without shared libraries has none to look at"
    exit 77
fi
echo "$count plugins looked at"
exit $bad
