# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For the scripts here that measure the tool and a daemon together: a daemon of its own in a directory of its own, how long
# commands take, and medians. Sourced in the build folder, by a script that has set $name and $dir.
# shellcheck disable=SC2034,SC2154 # what it sets and uses is the script's

build=$PWD

die() {
    echo "$name: $1" >&2
    exit "${2:-2}"
}

for program in hilera hilerad; do
    [ -x "$build/$program" ] || die "there is no $program here; run it in the build folder"
done
work=$(mktemp -d "$dir/$name-XXXXXX") || exit 2
work=$(cd "$work" && pwd)
daemon_pid=

daemon_stop() {
    [ -z "$daemon_pid" ] || { kill "$daemon_pid" && wait "$daemon_pid"; } 2>/dev/null
    daemon_pid=
}
trap 'daemon_stop; rm -rf "$work"' EXIT

tool() {
    "$build/hilera" --socket "$work/socket" "$@"
}

# With nothing left of the last one. The configuration comes on standard input.
daemon_start() {
    rm -rf "$work/state" "$work/socket"
    cat >"$work/hilerad.conf"
    STATE_DIRECTORY=$work/state "$build/hilerad" --config "$work/hilerad.conf" --listen "unix:$work/socket" \
        --listen tcp:127.0.0.1:0 >"$work/log" 2>&1 &
    daemon_pid=$!
    local i
    for ((i = 0; i < 100; i++)); do
        tool ping >/dev/null 2>&1 && return
        read -r -t 0.1 < <(:)
    done
    cat "$work/log" >&2
    die "the daemon does not start" 1
}

# The daemon's own CPU time so far, in clock ticks; its children's isn't in it.
daemon_ticks() {
    local stat
    stat=$(<"/proc/$daemon_pid/stat")
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    echo $((${12} + ${13}))
}

# How long a command takes, in microseconds, into the row's file.
timed() {
    local row=$1 from=${EPOCHREALTIME/./} status
    shift
    "$@" >"$work/out" 2>"$work/err"
    status=$?
    [ "$status" = 0 ] || die "$row: $* ended with status $status: $(cat "$work/err")" 1
    echo $((${EPOCHREALTIME/./} - from)) >>"$work/row.$row"
}

# The middle one of what a row's file has, or the one that so many of a hundred don't exceed.
percentile() {
    sort -g "$work/row.$1" | awk -v p="$2" '{ x[NR] = $1 } END { at = int((NR * p + 99) / 100); if (at < 1) at = 1; print x[at] }'
}
median() {
    percentile "$1" 50
}
