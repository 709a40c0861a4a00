# cluster.sh -- sourced after lib.sh by the scripts that run a whole cluster: several bridled on one
# root, replicad with short leases, a load, and what must be true of them all.
#
# Meta servers are 1 to $meta_count on port $meta_base + N, replica servers 1 to $replica_count on port
# $replica_base + N.

root=/cluster/$$
lease=${lease:-4} grace=${grace:-5} # seconds
replica_options=()
meta_options=()

# cluster METAS REPLICAS: choose the ports.
cluster() {
    local first i
    meta_count=$1 replica_count=$2
    first=$(free_ports $(($1 + $2)))
    meta_base=$((first - 1)) replica_base=$((first + $1 - 1))
    metas= replicas=
    for i in $(seq "$1"); do metas=$metas${metas:+,}127.0.0.1:$((meta_base + i)); done
    for i in $(seq "$2"); do replicas=$replicas${replicas:+,}127.0.0.1:$((replica_base + i)); done
}

shell() { "$top_builddir/bridle" --meta "$metas" "$@"; }

now_ms() { echo $(($(date +%s%N) / 1000000)); }

# bridled N [ARGUMENT...]
bridled() {
    start "meta$1" "$top_builddir/bridled" -c "$top_srcdir/conf/onebox.yaml" \
        --set "meta_server.listen=127.0.0.1:$((meta_base + $1))" \
        --set "meta_server.server_list=[$metas]" --set "meta_server.cluster_root=$root" \
        --set "meta_server.lock_root=$root" --set "replication.fd_lease_seconds=$lease" \
        --set "replication.fd_grace_seconds=$grace" $store_sets "${meta_options[@]}" "${@:2}"
}

# replicad N [ARGUMENT...]
replicad() {
    start "replica$1" "$top_builddir/replicad" $data_option --listen "127.0.0.1:$((replica_base + $1))" \
        --data "$dir/replica$1" --meta "$metas" --lease "${lease}s" --beacon-interval 300ms \
        --check-interval 200ms --config-sync-interval 1s --group-check-interval 1s \
        "${replica_options[@]}" "${@:2}"
    wait_for 20 grep -q 'serving' "$dir/replica$1.log"
}

# Meta server N answers, and stands by or leads.
stands() { grep -qE 'the leader is [^n]|serving [0-9]+ tables|recovery mode' "$dir/meta$1.log"; }
serves() { grep -q 'serving [0-9]* tables' "$dir/meta$1.log"; }

# Who leads, by what the shell is told; nothing where nobody answers.
leader() {
    local port
    port=$(timeout 3 "$top_builddir/bridle" --meta "${1:-$metas}" cluster_info 2>/dev/null |
        sed -n 's/^primary_meta_server *: *127\.0\.0\.1:\([0-9]*\) *$/\1/p')
    [ -z "$port" ] || echo $((port - meta_base))
}

# configs TABLE: its partitions as the leader has them: index, ballot, primary or -, secondaries sorted
# (separated by commas) or -.
configs() {
    { shell app "$1" -d 2>/dev/null || true; } | awk '
        $1 ~ /^[0-9]+$/ && $3 ~ /\// {
            list = $5; gsub(/[][]/, "", list)
            count = split(list, at, ",")
            for (i = 2; i <= count; i++)
                for (j = i; j > 1 && at[j] < at[j - 1]; j--) { x = at[j]; at[j] = at[j - 1]; at[j - 1] = x }
            text = count ? at[1] : "-"
            for (i = 2; i <= count; i++) text = text "," at[i]
            print $1, $2, $4, text
        }'
}

# healthy TABLE PARTITIONS REPLICAS: each has a primary and all its members.
healthy() {
    [ "$(configs "$1" | awk -v want="$3" '
        $3 != "-" && (($4 == "-" ? 0 : split($4, at, ",")) + 1 == want)' | wc -l)" -eq "$2" ]
}

# told TABLE_ID: what the replica servers say of their replicas: server, then a line of replica.info.
told() {
    { shell remote_command -l "$replicas" replica.info 2>/dev/null || true; } | awk -v table="$1" '
        match($0, /"127\.0\.0\.1:[0-9]+"/) { server = substr($0, RSTART + 1, RLENGTH - 2) }
        { while (match($0, /[0-9]+\.[0-9]+ [A-Z_]*_?[A-Z]+ -?[0-9]+ -?[0-9]+ -?[0-9]+ [^ ]+ \[[^]]*\]/)) {
            line = substr($0, RSTART, RLENGTH); $0 = substr($0, RSTART + RLENGTH)
            if (line ~ "^" table "\\.") print server, line } }'
}

# agreed TABLE TABLE_ID: every configuration of the leader is what its primary says, and at that ballot.
agreed() {
    configs "$1" >"$dir/agreed.meta"
    told "$2" >"$dir/agreed.replicas"
    [ -s "$dir/agreed.meta" ] && awk -v table="$2" '
        FILENAME == ARGV[1] { ballot[$1] = $2; primary[$1] = $3; left++; next }
        $3 ~ /PRIMARY$/ {
            split($2, pid, ".")
            if (primary[pid[2]] == $1 && ballot[pid[2]] == $4 && !seen[pid[2]]++) left--
            else wrong++
        }
        END { exit left != 0 || wrong }' "$dir/agreed.meta" "$dir/agreed.replicas"
}

# taken_back BEFORE AFTER: what of BEFORE was lost or taken back in AFTER (both of configs): a ballot
# that went down, another group at the same ballot, a partition less.
taken_back() {
    awk 'FILENAME == ARGV[1] { ballot[$1] = $2; group[$1] = $3 " " $4; next }
        { seen[$1] = 1 }
        $1 in ballot && ($2 < ballot[$1] || ($2 == ballot[$1] && $3 " " $4 != group[$1])) {
            print "partition " $1 ": ballot " ballot[$1] " " group[$1] " became " $2 " " $3 " " $4
        }
        END { for (i in ballot) if (!seen[i]) print "partition " i " is gone" }' "$1" "$2"
}

# The replica servers are asked again and again who is primary of what, until $dir/enough is there.
sample() {
    while [ ! -e "$dir/enough" ]; do
        told "$1" >>"$dir/samples"
        pause 0.2
    done
}

# Two servers that were primary of one partition at one ballot, among all samples.
two_primaries() {
    awk '$3 ~ /PRIMARY$/ {
        key = $2 " at ballot " $4
        if (key in who && who[key] != $1) print key ": " who[key] " and " $1
        who[key] = $1 }' "$dir/samples" | sort -u
}

# recover_table TABLE_ID NAME PARTITIONS: made on the first three servers, which are started, and
# recovered by the first meta server, which then stops.
recover_table() {
    local i
    for i in 1 2 3; do
        "$top_builddir/replicad" $data_option --create "$1:$2:$3:3" --data "$dir/replica$i" --ballot 5 \
            --created 1700000000
    done
    for i in 1 2 3; do replicad "$i"; done
    echo "$replicas" | tr ',' '\n' | head -n 3 >"$dir/nodes"
    bridled 1 --set meta_server.recover_from_replica_server=true
    wait_for 30 grep -q 'recovery mode' "$dir/meta1.log"
    shell recover -f "$dir/nodes" >"$dir/recovered" 2>&1 || { cat "$dir/recovered"; die 'recovery failed'; }
    stop meta1
}

# -- Checks, counted in $passed ------------------------------------------------------------------

pass() { passed=$((passed + 1)); }

# must NAME COMMAND...: now.
must() {
    local name=$1; shift
    "$@" >"$dir/must" 2>&1 || { cat "$dir/must"; die "$name: $*"; }
    pass
}

# soon NAME COMMAND...: within $patience seconds.
patience=${patience:-60}
soon() { wait_for "$patience" "${@:2}" || die "$1"; pass; }

# says STATUS PATTERN COMMAND...: the shell's output and exit status.
says() {
    local want=$1 pattern=$2 got=0; shift 2
    shell "$@" >"$dir/out" 2>&1 || got=$?
    [ "$got" -eq "$want" ] || { cat "$dir/out"; die "bridle $*: exit status $got, expected $want"; }
    grep -qE -- "$pattern" "$dir/out" || { cat "$dir/out"; die "bridle $*: no line matches: $pattern"; }
    pass
}
