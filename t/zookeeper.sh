#!/bin/bash
# A real ZooKeeper server, from Debian's package, on a free loopback port with its own data directory.
#
#   t/zookeeper.sh COMMAND [ARG...]   start a server, run the command with ZK_HOSTS (127.0.0.1:port),
#                                     ZK_HOME (its directory; the server's process id is in
#                                     ZK_HOME/pid) and ZK_SCRIPT (this file) set, stop the server
#   t/zookeeper.sh --start HOME       start the server of that directory again and wait until it
#                                     serves: for tests that killed it
#   t/zookeeper.sh --make HOME PORT   make that directory, or leave its data, for a server on PORT that
#                                     --start starts and that goes when it is told to: for oneboxes
#   t/zookeeper.sh --mode PORT        what the server there says it is: standalone, leader, follower
#   t/zookeeper.sh --have             0 where there is a server to start
#
# A zoo.cfg with lines server.N=... makes it one of an ensemble; HOME/data/myid says which.
#
# ZK_JAVA_FLAGS adds to the JVM's flags, ZK_CONFIG lines (separated by ;) to zoo.cfg.  Exit status is
# the command's; 77, loudly, where there is no java or no server.  The server goes when this script
# goes, even by SIGKILL.
set -u
. "$(dirname "$(realpath "$0")")/server_lib.sh"

skip() {
    echo "SKIPPED: $1: needs java and the zookeeper package's jars (Debian: zookeeper)" >&2
    exit 77
}

find_jars() {
    local directory=${ZK_JARS:-/usr/share/java} jar class_path=
    command -v java >/dev/null 2>&1 || skip "no java"
    for jar in zookeeper zookeeper-jute slf4j-api slf4j-simple netty-handler netty-buffer \
        netty-common netty-codec netty-resolver netty-transport netty-transport-native-epoll \
        netty-transport-native-unix-common metrics-core snappy-java jackson-core \
        jackson-databind jackson-annotations commons-cli commons-io; do
        [ -e "$directory/$jar.jar" ] && class_path=$class_path:$directory/$jar.jar
    done
    case $class_path in
    *zookeeper.jar*zookeeper-jute.jar*) echo "${class_path#:}" ;;
    *) skip "no server in $directory" ;;
    esac
}

# What a four-letter word is answered; nothing where nobody serves.
ask() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1" && printf %s "$2" >&3 && timeout 5 cat <&3) 2>/dev/null
}

# Nothing where it does not serve, as one of an ensemble without a majority.
mode() { ask "$1" srvr | sed -n 's/^Mode: //p'; }

serves() {
    [ "$(ask "$1" ruok)" = imok ] && mode "$1" | grep -q .
}

configure() {
    cat >"$1/zoo.cfg" <<END
tickTime=500
initLimit=10
syncLimit=5
dataDir=$1/data
clientPortAddress=127.0.0.1
clientPort=$2
maxClientCnxns=0
admin.enableServer=false
4lw.commands.whitelist=ruok,srvr,cons,wchs
preAllocSize=4096
END
    printf '%s\n' "${ZK_CONFIG:-}" | tr ';' '\n' >>"$1/zoo.cfg"
}

# Start the server of directory $1; 1: its port is taken, or it died.
launch() {
    local home=$1 port class_path server main=ZooKeeperServerMain
    ! grep -q '^server\.' "$home/zoo.cfg" || main=quorum.QuorumPeerMain
    class_path=$(find_jars) || exit 77
    port=$(sed -n 's/^clientPort=//p' "$home/zoo.cfg")
    # In a session of its own: who kills a test's process group does not mean the server.
    # shellcheck disable=SC2086
    setsid java -Xmx512m -XX:+UseSerialGC -Xshare:auto ${ZK_JAVA_FLAGS:-} -cp "$class_path" \
        -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dzookeeper.jmx.log4j.disable=true \
        "org.apache.zookeeper.server.$main" "$home/zoo.cfg" \
        >>"$home/log" 2>&1 </dev/null 9>&- &
    server=$!
    disown # its end is no news
    echo "$server" >"$home/pid"
    until serves "$port"; do
        kill -0 "$server" 2>/dev/null || return 1
        read -r -t 0.02 <>"$home/never" || : # a pause: the state asked for is outside
    done
}

if [ "${1:-}" = --start ]; then
    mkdir -p "$2" && launch "$2"
    exit
fi

find_jars >/dev/null || exit
[ "${1:-}" != --have ] || exit 0
if [ "${1:-}" = --mode ]; then
    mode "$2"
    exit
fi
if [ "${1:-}" = --make ]; then
    mkdir -p "$2/data" || exit
    [ -p "$2/never" ] || mkfifo "$2/never" || exit
    configure "$2" "$3"
    exit
fi
command=
home=$(mktemp -d "${TMPDIR:-/tmp}/bridle-zookeeper.XXXXXX") || exit
trap 'finish "$home"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir "$home/data" && mkfifo "$home/never" "$home/alive" || exit
watch "$home"

# Below the kernel's range for outgoing connections; one that is taken all the same is found out by trying.
for _ in 1 2 3 4 5 6 7 8; do
    claim_port
    configure "$home" "$port"
    : >"$home/log"
    if launch "$home"; then
        # In the background, so that a signal to us is not kept waiting.
        ZK_HOSTS=127.0.0.1:$port ZK_HOME=$home ZK_SCRIPT=$(realpath "$0") "$@" <&0 9>&- &
        command=$!
        wait "$command"
        status=$?
        command=
        exit "$status"
    fi
    grep -q BindException "$home/log" || break
done
echo "the server does not start:" >&2
cat "$home/log" >&2
exit 1
