#!/bin/sh
# Includes go down only.  host/LAYERS lists the directories of host/, lowest first: a file may include
# headers of its own directory and of those above its own there, <bridle/...>, and the system's.
# include/bridle knows nobody; a plugin knows <bridle/...>, host/base, host/rdsn, host/disk and the
# private headers beside it.
set -eu
cd "${top_srcdir:-.}"
layers=$(grep -v '^#' host/LAYERS)
bad=0
complain() { echo "$1: includes $2, which is not below it"; bad=1; }
includes() { sed -n 's/^ *# *include *["<]\([^">]*\)[">].*/\1/p' "$1"; }

for file in include/bridle/*.h; do
    for header in $(includes "$file"); do
        case $header in
            bridle/* | *.h) case $header in host/*) complain "$file" "$header" ;; esac ;;
        esac
    done
done

below=
for layer in $layers; do
    below="$below $layer"
    for file in host/"$layer"/*.[ch]; do
        [ -e "$file" ] || continue
        for header in $(includes "$file"); do
            case $header in
                host/*) dir=${header#host/}; dir=${dir%%/*}
                    case " $below " in *" $dir "*) ;; *) complain "$file" "$header" ;; esac ;;
                plugin/* | t/*) complain "$file" "$header" ;;
            esac
        done
    done
done
for dir in host/*/; do
    name=$(basename "$dir")
    case " $(echo $layers) " in *" $name "*) ;; *) echo "host/$name is not in host/LAYERS"; bad=1 ;; esac
done

for file in plugin/*.[ch]; do
    for header in $(includes "$file"); do
        case $header in
            host/base/* | host/rdsn/* | host/disk/* | plugin/*) ;;
            host/* | t/*) complain "$file" "$header" ;;
        esac
    done
done
exit $bad
