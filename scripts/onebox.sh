# onebox.sh -- sourced by run.sh: a whole cluster on this machine, with the commands, options and messages
# of Apache Pegasus's run.sh.  Needs $top, $build, deps and build.
#
# onebox/meta<i>     config.yaml, data/, log (of the last start), log.old, pid
# onebox/replica<j>  data/ (so data/replica/reps/<app>.<p>.pegasus), log, log.old, pid
# onebox/store       the metadata, where they are in SQLite
# onebox/options     what it was made with
# .zk_install        ZooKeeper's data, and its log
#
# A process runs in its own directory and is known by that: config.yaml names no path of this checkout,
# and a number in a pid file that is another process's by now is not taken for ours.
#
# For tests: BRIDLE_ONEBOX_DIR, BRIDLE_ZK_DIR, BRIDLE_META_PORT_BASE, BRIDLE_REPLICA_PORT_BASE,
# BRIDLE_ZK_PORT, BRIDLE_BRIDLED_OPTIONS and BRIDLE_REPLICAD_OPTIONS (more arguments),
# BRIDLE_ONEBOX_PATIENCE (seconds until something that starts or stops is given up).

onebox=$(realpath -m "${BRIDLE_ONEBOX_DIR:-$top/onebox}")
zk_home=$(realpath -m "${BRIDLE_ZK_DIR:-$top/.zk_install}")
meta_base=${BRIDLE_META_PORT_BASE:-34600}
replica_base=${BRIDLE_REPLICA_PORT_BASE:-34800}
zk_port=${BRIDLE_ZK_PORT:-22181}
patience=${BRIDLE_ONEBOX_PATIENCE:-60}
metas_max=16
replicas_max=64
say_wait=1 # seconds between two lines of -w

onebox_usage() {
    case $1 in
        start_onebox) cat <<'END'
usage: ./run.sh start_onebox [OPTION...]

  -m|--meta_count N        meta servers (3)
  -r|--replica_count N     replica servers (3)
  -a|--app_name NAME       a table to begin with (temp); there is always one called stat, too
  -p|--partition_count N   its partitions (8)
  -w|--wait_healthy        wait until every partition has all its replicas
  -s|--store STORE         where the metadata are: zookeeper or sqlite (zookeeper, where Debian's
                           package is installed)

A fresh one is released (bridle release): there is nothing to lose. One whose metadata were lost and
recovered stays frozen.

A onebox that was stopped is started as it was, with its config.yaml; clear_onebox makes room for
another one.
END
        ;;
        start_onebox_instance | stop_onebox_instance) cat <<END
usage: ./run.sh $1 -m|--meta_id I | -r|--replica_id I
END
        ;;
        restart_onebox_instance) cat <<END
usage: ./run.sh $1 -m|--meta_id I | -r|--replica_id I [-s|--sleep SECONDS]

  -s|--sleep SECONDS       to stay away between stop and start (0)
END
        ;;
        *) echo "usage: ./run.sh $1" ;;
    esac
}

error() { echo "ERROR: $*"; exit 1; }

# look: a pause between two looks at something outside.
look() { sleep 0.1; }

unknown_option() {
    echo "ERROR: unknown option \"$2\""
    echo
    onebox_usage "$1"
    exit 1
}

# no_options COMMAND [ARGUMENT...]
no_options() {
    case ${2:-} in
        '') ;;
        -h | --help) onebox_usage "$1"; exit 0 ;;
        *) unknown_option "$1" "$2" ;;
    esac
}

# within NUMBER MAX: it is one from 1 on.
within() { [[ $1 =~ ^[1-9][0-9]{0,6}$ ]] && [ "$1" -le "$2" ]; }

# The programs, made where they are not; never made again, a onebox may run on them.
built() {
    local program
    for program in bridled bridle bridle-bench replicad plugin/.libs/store_zookeeper.so \
        plugin/.libs/policy_pegasus.so; do
        [ -x "$build/$program" ] || { deps >&2; build >&2; break; } # stdout is the command's
    done
    export BRIDLE_BUILD_TREE=1 BRIDLE_PLUGIN_PATH="$build/plugin/.libs"
}

# option KEY: what the onebox was made with.
option() { sed -n "s/^$1=//p" "$onebox/options" 2>/dev/null; }

# meta_list: of this onebox, else of one as Pegasus makes it.
meta_list() {
    local i count list=
    count=$(option metas)
    for i in $(seq "${count:-3}"); do list=$list${list:+,}127.0.0.1:$((meta_base + i)); done
    echo "$list"
}

# -- One process ----------------------------------------------------------------------------------

# running KIND ID: its process id, where it runs.
running() {
    local pid
    pid=$(cat "$onebox/$1$2/pid" 2>/dev/null) && [ -n "$pid" ] &&
        [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$onebox/$1$2" ] && echo "$pid"
}

# address KIND ID
address() {
    case $1 in
        meta) echo "127.0.0.1:$((meta_base + $2))" ;;
        replica) echo "127.0.0.1:$((replica_base + $2))" ;;
    esac
}

# instances: KIND ID of every one that was made, a line each.
instances() {
    local path name
    for path in "$onebox"/meta[0-9]* "$onebox"/replica[0-9]*; do
        name=${path##*/}
        [ ! -d "$path" ] || echo "${name%%[0-9]*} ${name##*[a-z]}"
    done | sort -k1,1 -k2,2n
}

# any_running: 0 where one does.
any_running() {
    local kind id
    while read -r kind id; do
        ! running "$kind" "$id" >/dev/null || return 0
    done < <(instances)
    return 1
}

# listens PORT: somebody does.
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# vacant KIND ID: nobody has its address.
vacant() {
    local address
    address=$(address "$1" "$2")
    ! listens "${address##*:}" || error "somebody else listens on $address, where $1@$2 would"
}

# spawn KIND ID: in a session of its own, with nothing of ours but its directory.
spawn() {
    local command
    case $1 in
        # shellcheck disable=SC2206
        meta) command=("$build/bridled" -c config.yaml ${BRIDLE_BRIDLED_OPTIONS:-}) ;;
        # shellcheck disable=SC2206
        replica) command=("$build/replicad" --listen "$(address replica "$2")" --data data
            --meta "$(meta_list)" ${BRIDLE_REPLICAD_OPTIONS:-}) ;;
    esac
    cd "$onebox/$1$2"
    [ ! -f log ] || cat log >>log.old
    : >log # now: what the last one said must not be taken for this one's
    setsid "${command[@]}" >log 2>&1 </dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
    echo $! >pid
    cd "$top"
}

# answers KIND ID: a meta server whatever it says, a replica server that it serves.
answers() {
    local said
    if [ "$1" = replica ]; then
        grep -qF serving "$onebox/replica$2/log" 2>/dev/null
        return
    fi
    said=$(timeout 15 "$build/bridle" --meta "$(address meta "$2")" ls 2>&1) || true
    case $said in *ERR_UNDER_RECOVERY* | *total_app_count*) ;; *) return 1 ;; esac
}

# await KIND ID: until it answers.
await() {
    local end=$((SECONDS + patience))
    until answers "$1" "$2"; do
        running "$1" "$2" >/dev/null || error "$1@$2 ended: $(tail -n 1 "$onebox/$1$2/log")"
        [ "$SECONDS" -lt "$end" ] ||
            error "$1@$2 runs, but does not answer after $patience seconds, see $onebox/$1$2/log"
        look
    done
    echo "INFO: $1@$2 started"
}

# await_gone KIND ID PID
await_gone() {
    local end=$((SECONDS + patience))
    while [ "$(running "$1" "$2")" = "$3" ]; do
        [ "$SECONDS" -lt "$end" ] ||
            error "$1@$2 does not end: process $3 has had SIGTERM for $patience seconds, kill -KILL $3 ends it"
        look
    done
    echo "INFO: $1@$2 stopped"
}

# -- ZooKeeper ------------------------------------------------------------------------------------

zk_running() {
    local pid
    pid=$(cat "$zk_home/pid" 2>/dev/null) && [ -n "$pid" ] &&
        tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF "$zk_home/zoo.cfg" && echo "$pid"
}

zk_have() { "$top/t/zookeeper.sh" --have >/dev/null 2>&1; }

zk_start() {
    if zk_running >/dev/null; then
        echo 'INFO: zookeeper already running'
        return
    fi
    zk_have || error 'no ZooKeeper: ./run.sh deps installs it, and -s sqlite needs none'
    ! listens "$zk_port" || error "somebody else listens on 127.0.0.1:$zk_port, where this onebox's zookeeper would"
    "$top/t/zookeeper.sh" --make "$zk_home" "$zk_port"
    "$top/t/zookeeper.sh" --start "$zk_home" </dev/null >/dev/null 2>&1 \
        3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- ||
        error "ZooKeeper does not start: $(tail -n 1 "$zk_home/log")"
    echo "INFO: zookeeper started on port $zk_port"
}

zk_stop() {
    local pid end=$((SECONDS + patience))
    if ! pid=$(zk_running); then
        echo 'INFO: zookeeper is not running'
        return
    fi
    kill "$pid" 2>/dev/null || true
    while [ "$(zk_running)" = "$pid" ]; do
        [ "$SECONDS" -lt "$end" ] || error "zookeeper does not end: process $pid has had SIGTERM for $patience seconds"
        look
    done
    echo 'INFO: zookeeper stopped'
}

# -- Making a onebox ------------------------------------------------------------------------------

# The text /pegasus/onebox stands once on two lines, the flag on one: that is what sed changes for a
# recovery.  No path is absolute.
config_yaml() {
    cat <<END
# A meta server of this onebox; conf/bridled.yaml explains every key.
#
# To recover into a fresh root, change the root, on the two lines that name it, and the flag, and
# restart this meta server.  Afterwards set the flag back.

meta_server:
  listen: $(address meta "$1")
  server_list: [$(meta_list | sed 's/[^,]*/"&"/g; s/,/, /g')]
  cluster_root: /pegasus/onebox/127.0.0.1
  lock_root: /pegasus/onebox/127.0.0.1
  recover_from_replica_server: false
  min_live_node_count_for_unfreeze: 1
  stable_rs_min_running: 0s

# What a new onebox begins with, as Apache Pegasus's has it.
apps:
$(config_apps)

replication:
  cluster_name: onebox

store:
$(config_store)

transport:
  plugin: rdsn

policy:
  plugin: pegasus
END
}

config_apps() {
    local app replicas
    app=$(option app) replicas=$(option replicas)
    [ "$replicas" -le 3 ] || replicas=3
    [ "$app" = stat ] || echo "  stat: {partition_count: 4, max_replica_count: $replicas}"
    echo "  \"$app\": {partition_count: $(option partitions), max_replica_count: $replicas}"
}

config_store() {
    case $(option store) in
        zookeeper) printf '  plugin: zookeeper\n  hosts: 127.0.0.1:%s\n  session_timeout: 10s\n' "$zk_port" ;;
        sqlite) printf '  plugin: sqlite\n  file: ../store/meta.db\n' ;;
    esac
}

# same KEY VALUE WHAT: a onebox that is there already was made so.
same() {
    [ -z "$2" ] || [ "$(option "$1")" = "$2" ] ||
        error "this onebox has $(option "$1") $3, not $2; ./run.sh clear_onebox, and start a new one"
}

# onebox_make METAS REPLICAS APP PARTITIONS STORE: '' is what it was made with, or the default.  $fresh:
# no replica server of it has had a directory before, so that there is nothing to lose.
onebox_make() {
    local i
    fresh=yes
    for i in "$onebox"/replica[0-9]*; do [ ! -d "$i" ] || fresh=; done
    if [ -f "$onebox/options" ]; then
        same metas "$1" 'meta servers'
        same replicas "$2" 'replica servers'
        same app "$3" 'as its first table'
        same partitions "$4" 'partitions'
        same store "$5" 'as its store'
    else
        mkdir -p "$onebox/store"
        printf 'metas=%s\nreplicas=%s\napp=%s\npartitions=%s\nstore=%s\n' "${1:-3}" "${2:-3}" \
            "${3:-temp}" "${4:-8}" "${5:-$(store_default)}" >"$onebox/options"
        [ -n "$5" ] || [ "$(option store)" = zookeeper ] ||
            echo 'INFO: no ZooKeeper here, the metadata are in SQLite; ./run.sh deps installs it'
    fi
    for i in $(seq "$(option metas)"); do
        mkdir -p "$onebox/meta$i/data"
        [ -f "$onebox/meta$i/config.yaml" ] || config_yaml "$i" >"$onebox/meta$i/config.yaml"
    done
    for i in $(seq "$(option replicas)"); do mkdir -p "$onebox/replica$i/data/replica/reps"; done
}

store_default() { if zk_have; then echo zookeeper; else echo sqlite; fi; }

# healthy: every table's partitions are; `ls -d` has them behind their count.
healthy() {
    timeout 15 "$build/bridle" --cluster "$(meta_list)" ls -d 2>/dev/null |
        awk -v app="$(option app)" '
            table { if (NF < 7) table = 0; else { if ($3 != $4) bad = 1; if ($2 == app) seen = 1 } }
            / fully_healthy / { table = 1 }
            END { exit bad || !seen }'
}

wait_healthy() {
    local kind id slept=0
    echo 'Wait cluster to become healthy...'
    until healthy; do
        while read -r kind id; do
            running "$kind" "$id" >/dev/null || error "$kind@$id ended: $(tail -n 1 "$onebox/$kind$id/log")"
        done < <(instances)
        case $("$build/bridle" --cluster "$(meta_list)" ls 2>&1 || true) in
            *ERR_UNDER_RECOVERY*) error 'the meta server is in recovery mode: ./run.sh shell recover -f FILE' ;;
        esac
        sleep "$say_wait" # between two looks, and two lines
        slept=$((slept + say_wait))
        echo "Sleeped for $slept seconds"
    done
    echo 'Cluster becomes healthy.'
}

# release_fresh: a cluster of nothing but what it has just made need not be frozen.  It is, until it has
# tables.
release_fresh() {
    local said end=$((SECONDS + patience))
    until said=$(timeout 15 "$build/bridle" --cluster "$(meta_list)" release -y onebox 2>&1); do
        case $said in *ERR_UNDER_RECOVERY*) end=0 ;; esac
        if [ "$SECONDS" -ge "$end" ]; then
            echo "INFO: the cluster stays frozen (${said##*$'\n'}); ./run.sh shell release, once its data are whole"
            return
        fi
        look
    done
    echo 'INFO: released: there was nothing to lose; ./run.sh shell freeze takes it back'
}

# -- Commands -------------------------------------------------------------------------------------

run_start_onebox() {
    local metas='' replicas='' app='' partitions='' store='' wait='' fresh='' kind id
    while [ $# -gt 0 ]; do
        case $1 in
            -h | --help) onebox_usage start_onebox; exit 0 ;;
            -w | --wait_healthy) wait=yes; shift; continue ;;
        esac
        case $1 in
            -m | --meta_count) metas=${2:-} ;;
            -r | --replica_count) replicas=${2:-} ;;
            -a | --app_name) app=${2:-} ;;
            -p | --partition_count) partitions=${2:-} ;;
            -s | --store) store=${2:-} ;;
            *) unknown_option start_onebox "$1" ;;
        esac
        [ -n "${2:-}" ] || error "option \"$1\" has no value"
        shift 2
    done
    [ -z "$metas" ] || within "$metas" $metas_max || error "meta_count is a number from 1 to $metas_max"
    [ -z "$replicas" ] || within "$replicas" $replicas_max || error "replica_count is a number from 1 to $replicas_max"
    [ -z "$partitions" ] || within "$partitions" 1048576 || error 'partition_count is a number from 1 to 1048576'
    [[ $app =~ ^[A-Za-z0-9_.:]*$ ]] || error 'app_name is letters, digits, ".", ":" and "_"'
    case $store in '' | zookeeper | sqlite) ;; *) error 'store is zookeeper or sqlite' ;; esac
    any_running && error 'some onebox processes are running, start failed'
    built
    onebox_make "$metas" "$replicas" "$app" "$partitions" "$store"
    if [ "$(option store)" = zookeeper ]; then zk_start; fi
    while read -r kind id; do vacant "$kind" "$id"; done < <(instances)
    while read -r kind id; do spawn "$kind" "$id"; done < <(instances)
    while read -r kind id; do await "$kind" "$id"; done < <(instances)
    [ -z "$fresh" ] || release_fresh
    [ -z "$wait" ] || wait_healthy
}

run_stop_onebox() {
    local kind id pid stopped=()
    while read -r kind id; do
        pid=$(running "$kind" "$id") || continue
        kill "$pid" 2>/dev/null || true
        stopped+=("$kind" "$id" "$pid")
    done < <(instances)
    set -- "${stopped[@]}"
    while [ $# -gt 0 ]; do
        await_gone "$1" "$2" "$3"
        shift 3
    done
}

run_list_onebox() {
    local kind id pid
    while read -r kind id; do
        if pid=$(running "$kind" "$id"); then
            printf '%-12s running  pid %-8s %-16s %s\n' "$kind@$id" "$pid" "$(address "$kind" "$id")" "$onebox/$kind$id"
        else
            printf '%-12s stopped\n' "$kind@$id"
        fi
    done < <(instances)
    if pid=$(zk_running); then
        printf '%-12s running  pid %-8s %-16s %s\n' zookeeper "$pid" "127.0.0.1:$zk_port" "$zk_home"
    fi
}

run_clear_onebox() {
    run_stop_onebox
    if zk_running >/dev/null; then zk_stop; fi
    rm -rf "$zk_home/data" "$zk_home/log"
    [ ! -d "$onebox" ] || [ -f "$onebox/options" ] || error "$onebox is no onebox, and is left alone"
    rm -rf "$onebox"
}

# ids COMMAND [OPTION...]: to be done with $targets, KIND ID in turns, and $away.
ids() {
    local command=$1; shift
    targets=() away=0
    while [ $# -gt 0 ]; do
        case $1 in
            -h | --help) onebox_usage "$command"; exit 0 ;;
            -m | --meta_id) targets+=(meta "${2:-}") ;;
            -r | --replica_id) targets+=(replica "${2:-}") ;;
            -s | --sleep)
                [ "$command" = restart_onebox_instance ] || unknown_option "$command" "$1"
                away=${2:-}
                [[ $away =~ ^[0-9]{1,5}$ ]] || error 'sleep is a number of seconds' ;;
            *) unknown_option "$command" "$1" ;;
        esac
        [ $# -ge 2 ] || error "option \"$1\" has no value"
        shift 2
    done
    [ ${#targets[@]} -gt 0 ] || error 'no meta_id or replica_id set'
    set -- "${targets[@]}"
    while [ $# -gt 0 ]; do
        { within "$2" 10000 && [ -d "$onebox/$1$2" ]; } || error "invalid $1_id"
        shift 2
    done
}

start_targets() {
    built
    while [ $# -gt 0 ]; do
        if running "$1" "$2" >/dev/null; then
            echo "INFO: $1@$2 already running"
            exit 1
        fi
        vacant "$1" "$2"
        spawn "$1" "$2"
        await "$1" "$2"
        shift 2
    done
}

stop_targets() {
    local pid
    while [ $# -gt 0 ]; do
        if ! pid=$(running "$1" "$2"); then
            echo "INFO: $1@$2 is not running"
            exit 1
        fi
        kill "$pid" 2>/dev/null || true
        await_gone "$1" "$2" "$pid"
        shift 2
    done
}

onebox_command() {
    local command=$1; shift
    case $command in
        start_onebox) run_start_onebox "$@" ;;
        start_onebox_instance) ids "$command" "$@"; start_targets "${targets[@]}" ;;
        stop_onebox_instance) ids "$command" "$@"; stop_targets "${targets[@]}" ;;
        restart_onebox_instance)
            ids "$command" "$@"
            stop_targets "${targets[@]}"
            if [ "$away" -gt 0 ]; then echo "sleep $away"; sleep "$away"; fi # what the user asked for
            start_targets "${targets[@]}" ;;
        shell) built; exec "$build/bridle" --cluster "$(meta_list)" "$@" ;;
        bench) built; exec "$build/bridle-bench" --cluster "$(meta_list)" "$@" ;;
        *)
            no_options "$command" "$@"
            case $command in
                stop_onebox) run_stop_onebox ;;
                list_onebox) run_list_onebox ;;
                clear_onebox) run_clear_onebox ;;
                start_zk) zk_start ;;
                stop_zk) zk_stop ;;
            esac ;;
    esac
}
