#!/usr/bin/env bash
# run.sh -- the front door: installs what is needed, builds, shows, tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
top=$PWD
build=${BRIDLE_BUILD:-$top/build}
jobs=$(nproc)

usage() {
    cat <<'EOF'
usage: ./run.sh COMMAND [OPTION...]

  demo [--store sqlite|zookeeper]  install, build, and show a recovery from beginning to end
  test                             install, build with gcc and clang, run every test
  deps                             install the Debian packages that building and testing need
  build                            configure and build into ./build
  check [SUITE...]                 run the test suites of ./build, or only those named
  soak [SECONDS]                   kill sweeps and fuzzing, SECONDS each (default 600)
  coverage                         lines and branches of the recovery, policies and stores that tests run
  deb                              build the Debian packages, install and run them in a fresh root
  benchmarks                       measure, against a ceiling or a rival in the same run
  format                           clang-format every source file
  help                             this text

  start_onebox [-m N] [-r N] [-w]  start a cluster on this machine, in ./onebox
  stop_onebox                      stop its servers
  list_onebox                      which of them run
  clear_onebox                     stop them and forget everything
  start_onebox_instance            start, stop or restart one of its servers: -m I for a meta
  stop_onebox_instance             server, -r I for a replica server
  restart_onebox_instance
  shell [ARGUMENT...]              bridle, with the onebox's meta servers
  bench [OPTION...]                bridle-bench, likewise
  start_zk                         the onebox's ZooKeeper alone
  stop_zk

`deps` needs root or sudo; everything else runs as anybody.  Start with ./run.sh demo
The commands of a onebox build what is not built yet, and say more with --help.
EOF
}

packages=(autoconf automake libtool make gcc libc6-dev clang llvm libclang-rt-14-dev pkg-config
    clang-format libltdl-dev libzookeeper-mt-dev libyaml-dev libevent-dev check libsqlite3-dev librocksdb-dev
    libjansson-dev libedit-dev libmd-dev libssl-dev valgrind zookeeper etcd-server python3 abigail-tools patch)

packaging=(debhelper debootstrap dpkg-dev lintian)

die() { echo "run.sh: $*" >&2; exit 1; }

# deps [PACKAGE...]: what everything needs, and these.
deps() {
    local missing=() package sudo=
    for package in "${packages[@]}" "$@"; do
        [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = 'install ok installed' ] ||
            missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "needs root or sudo to install: ${missing[*]}"
        sudo=sudo
    fi
    echo "installing: ${missing[*]}"
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq update
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
        "${missing[@]}" >/dev/null
}

# quietly LOG COMMAND...: its output only where it fails.
quietly() {
    local log=$1; shift
    "$@" >"$log" 2>&1 || { tail -n 100 "$log" >&2; die "failed: $* (all of it: $log)"; }
}

# make_in DIR TARGET...: what the compilers say in DIR/make.log.
make_in() {
    local dir=$1; shift
    echo "building in ${dir#"$top"/} ..."
    quietly "$dir/make.log" make -C "$dir" -j"$jobs" "$@"
}

# configure_in DIR ARGUMENT...: configure there once, or again where the arguments changed.
configure_in() {
    local dir=$1; shift
    mkdir -p "$dir"
    if [ ! -x configure ] || [ configure -ot configure.ac ] || [ Makefile.in -ot Makefile.am ]; then
        quietly "$dir/autoreconf.log" autoreconf -fi
    fi
    if [ "$(cat "$dir/.arguments" 2>/dev/null)" != "$*" ] || [ ! -f "$dir/Makefile" ]; then
        (cd "$dir" && quietly "$dir/configure.log" "$top/configure" "$@")
        echo "$*" >"$dir/.arguments"
    fi
}

build() {
    configure_in "$build" --enable-werror "$@"
    make_in "$build" all
}

# run_check DIR TARGET MAKE-ARGUMENT...: check-calm or thread-check; one line a suite, and loudly what
# was skipped in it.
passed=0 failed=0 skipped=0
run_check() {
    local dir=$1 target=$2 log; shift 2
    log=$(mktemp)
    make -C "$dir" -j"$jobs" "${target%-calm}-programs" >"$log" 2>&1 || true
    make -C "$dir" -j"$((jobs * 3))" "$target" "$@" >"$log" 2>&1 || true # most wait most of the time
    grep -E '^(PASS|FAIL|SKIP|ERROR|XPASS)' "$log" || { tail -n 60 "$log"; die "make check did not run"; }
    if grep -qE '^(FAIL|ERROR)' "$log"; then
        tail -n 400 "$dir"/test-*.log
    fi
    passed=$((passed + $(grep -c '^PASS:' "$log" || true)))
    failed=$((failed + $(grep -cE '^(FAIL|ERROR|XPASS):' "$log" || true)))
    skipped=$((skipped + $(grep -c '^SKIP:' "$log" || true)))
    grep -h '^SKIPPED' "$dir"/t/*.log 2>/dev/null | sort -u || true
    rm -f "$log"
}

# The other kinds of build.  Tests wait most of the time: these are made meanwhile, and only when no
# test wants the processor.
build_others() {
    configure_in "$build-clang" --enable-werror CC=clang CFLAGS=-O0 # for its warnings
    make_in "$build-clang" all check-programs
    configure_in "$build-asan" --enable-sanitize=address,undefined 'CFLAGS=-g -O1'
    make_in "$build-asan" check-programs
    configure_in "$build-tsan" --enable-sanitize=thread
    make_in "$build-tsan" thread-check-programs
}

step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }

test_all() {
    step 'packages'
    deps
    step 'gcc, -Werror'
    build
    make_in "$build" check-programs
    (renice -n 19 -p "$BASHPID" >/dev/null && build_others) >"$build/others.log" 2>&1 &
    local others=$!
    run_check "$build" check-calm
    step 'clang, -Werror, and all other builds'
    wait "$others" || { cat "$build/others.log"; die 'one of them failed'; }
    cat "$build/others.log"
    step 'address and undefined sanitizers'
    run_check "$build-asan" check-calm TESTS='$(ASAN_TESTS)'
    step 'thread sanitizer'
    run_check "$build-tsan" thread-check
    step 'valgrind'
    "$top/t/valgrind.sh" "$build" && passed=$((passed + 1)) || failed=$((failed + 1))
    step 'distcheck'
    if BRIDLE_BRIEF=1 make -C "$build" -s -j"$((jobs * 3))" distcheck TESTS='$(ARCHIVE_TESTS)' \
        DISTCHECK_CONFIGURE_FLAGS='--enable-werror CFLAGS=-O0' >"$build/distcheck.log" 2>&1; then
        echo 'PASS: make distcheck'
        passed=$((passed + 1))
    else
        tail -n 100 "$build/distcheck.log"
        failed=$((failed + 1))
    fi
    step 'done'
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}

command=${1:-help}
[ $# -gt 0 ] && shift
. "$top/scripts/onebox.sh"
case $command in
    deps) deps ;;
    build) deps; build "$@" ;;
    check) if [ $# -gt 0 ]; then make -C "$build" check TESTS="$*"; else make -C "$build" check; fi ;;
    test) test_all ;;
    demo) deps; build; exec "$top/t/demo.sh" "$@" ;;
    deb) deps "${packaging[@]}"; build; exec "$top/t/deb.sh" ;;
    soak) deps iproute2 nftables "${packaging[@]}"; build; exec "$top/t/soak.sh" "$@" ;;
    coverage)
        deps
        configure_in "$build-coverage" --enable-werror --enable-coverage
        exec "$top/t/coverage.sh" ;;
    benchmarks) deps redis-server; build; make -C "$build" -s benchmarks ;;
    format) find include host plugin t -name '*.[ch]' -exec clang-format -i {} + ;;
    start_onebox | stop_onebox | list_onebox | clear_onebox | start_onebox_instance | \
        stop_onebox_instance | restart_onebox_instance | shell | bench | start_zk | stop_zk)
        onebox_command "$command" "$@" ;;
    help | -h | --help) usage ;;
    *) usage >&2; exit 2 ;;
esac
