#!/bin/bash
# SPDX-License-Identifier: MIT
# All of hilera in one command: builds it, starts a private daemon, runs real jobs through it, checks every result.
#
# One job for each of several hundred files found on this machine: worker threads in the daemon hand each file to gzip,
# and what comes back is unpacked and compared with the file. Everything happens in build/quickstart and a temporary
# directory; the daemon listens only there. However this ends, Ctrl-C included, nothing is left running. With --serve the
# daemon stays, for trying things out.
set -euo pipefail
cd "$(dirname "$0")"
top=$PWD
build=$top/build/quickstart

most_files=400
least_files=50 # with fewer the machine is too bare to show anything
most_bytes=1048576
source_folder=/usr/share

usage() {
    cat <<'END'
usage: ./quickstart.sh [--serve] [--help]

Builds hilera (in build/quickstart), starts a private daemon in a temporary directory, compresses several hundred files
of /usr/share with it, one job each, and compares every result with its file. The first run takes a minute or two, the
next ones seconds. What is missing for the build is installed on a Debian, after saying what and why; only then root is
needed, through sudo if you are not root.

  --serve    after the build, keep a daemon in the foreground and show what to type next; Ctrl-C ends it
  --help     this text
END
}

serve=no
for argument in "$@"; do
    case $argument in
    --serve) serve=yes ;;
    --help | -h)
        usage
        exit 0
        ;;
    *)
        echo "quickstart.sh: unknown argument $argument; there are --serve and --help" >&2
        exit 64
        ;;
    esac
done

# ---- the build ----

step() {
    printf '\n== %s\n' "$*"
}

# Runs a command whose output matters only if it fails.
quietly() {
    if ! "$@" >"$build/log" 2>&1; then
        tail -n 40 "$build/log" >&2
        echo "quickstart.sh: this failed: $*" >&2
        exit 1
    fi
}

# Make's list of what it builds, as one line that changes in place; piped output gets nothing.
build_progress() {
    local line count=0
    while read -r line; do
        case $line in
        *' CC '* | 'CC '* | *CCLD*)
            count=$((count + 1))
            [ ! -t 1 ] || printf '\r   %3d files: %-50.50s' "$count" "${line##* }"
            ;;
        esac
    done
    [ ! -t 1 ] || [ "$count" -eq 0 ] || printf '\r%-72s\r' ''
    [ "$count" -eq 0 ] || echo "   $count files compiled"
}

build_all() {
    mkdir -p "$build"
    packaging/deps.sh build
    [ -x configure ] || quietly ./autogen.sh
    if [ ! -f "$build/Makefile" ]; then
        echo "   configure ..."
        (cd "$build" && quietly "$top/configure" --quiet --with-systemdsystemunitdir=no)
    fi
    if ! make -C "$build" V=0 "-j$(nproc)" hilerad hilera 2>"$build/errors" | build_progress; then
        tail -n 40 "$build/errors" >&2
        echo "quickstart.sh: the build failed; to see all of it: make -C build/quickstart" >&2
        exit 1
    fi
}

# ---- the daemon ----

# It runs in a process group of its own (set -m), so that Ctrl-C reaches only this script, and the script stops it.
daemon_pid=
temp=

daemon_stop() {
    local pid=$daemon_pid
    daemon_pid=
    [ -n "$pid" ] || return 0
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" || echo "quickstart.sh: the daemon ended with status $?" >&2
}

clean_up() {
    local status=$?
    trap '' INT TERM HUP
    daemon_stop
    [ -z "$temp" ] || rm -rf "$temp"
    exit "$status"
}

# Starts hilerad with the configuration from standard input and its log to descriptor $1, and waits until it says that
# it is ready.
daemon_start() {
    cat >"$temp/hilerad.conf"
    mkfifo "$temp/ready"
    set -m
    "$build/hilerad" --config "$temp/hilerad.conf" -b "$temp/kept" --listen "unix:$HILERA_SOCKET" --ready-fd 3 \
        3>"$temp/ready" </dev/null 2>&"$1" &
    daemon_pid=$!
    set +m
    if [ -z "$(cat "$temp/ready")" ]; then
        [ ! -f "$temp/log" ] || cat "$temp/log" >&2
        echo "quickstart.sh: the daemon did not start" >&2
        exit 1
    fi
}

hilera() {
    "$build/hilera" "$@"
}

# ---- the main job ----

# Regular files of a size that is worth a job, spread over all there are: every n-th of them.
find_files() {
    find "$source_folder" -xdev -type f -readable -size +0 -size "-$((most_bytes / 1024))k" -print0 2>/dev/null |
        LC_ALL=C sort -z >"$temp/all"
    local count every
    count=$(tr -cd '\0' <"$temp/all" | wc -c)
    if [ "$count" -lt $least_files ]; then
        echo "quickstart.sh: $source_folder has only $count files; that is too few to show anything" >&2
        exit 1
    fi
    every=$(((count + most_files - 1) / most_files))
    sed -z -n "$every~${every}p" "$temp/all" >"$temp/files"
}

# The result of each job, unpacked and compared with its file. Prints a bar; fails if one differs.
verify() {
    local i bad=0
    for i in "${!files[@]}"; do
        if ! hilera wait --output "${ids[i]}" | gunzip -c 2>/dev/null | cmp -s - "${files[i]}"; then
            bad=$((bad + 1))
            printf '\r%-72s\r' '' >&2
            echo "   job ${ids[i]}: what came back is not ${files[i]}" >&2
        fi
        [ ! -t 1 ] || printf '\r   %d of %d compared' $((i + 1)) ${#files[@]}
    done
    [ ! -t 1 ] || printf '\r%-72s\r' ''
    echo "   $((${#files[@]} - bad)) of ${#files[@]} results are their files again, bit by bit"
    [ "$bad" -eq 0 ]
}

main_job() {
    local log before after bytes
    step "The daemon"
    # An output limit above the largest file: gzip makes what it can't compress a little longer.
    exec {log}>"$temp/log"
    daemon_start "$log" <<END
max_job_size = $most_bytes
results_bytes = 1G
pool gzip {
    tubes = {gzip}
    workers = $(($(nproc) * 2))
    argv = {gzip, "-c"}
    output_limit = $((most_bytes + 65536))
}
END
    echo "   $(hilera ping)"

    step "The jobs"
    find_files
    mapfile -d '' -t files <"$temp/files"
    bytes=$(xargs -0 cat <"$temp/files" | wc -c)
    echo "   ${#files[@]} files of $source_folder, $((bytes / 1024)) KiB: one job each, for $(($(nproc) * 2)) workers that run gzip"
    before=$(date +%s%N)
    mapfile -t ids < <(hilera put --tube gzip --file -- "${files[@]}")
    if [ ${#ids[@]} -ne ${#files[@]} ]; then
        echo "quickstart.sh: only ${#ids[@]} of ${#files[@]} jobs were put" >&2
        exit 1
    fi
    hilera join gzip --progress | sed 's/^/   /'
    after=$(date +%s%N)
    printf '   all finished after %d.%03d s\n' $(((after - before) / 1000000000)) $(((after - before) / 1000000 % 1000))

    step "The results, each compared with its file"
    verify

    step "The daemon's statistics"
    hilera stats --json
    daemon_stop
    printf '\nThat is it. The daemon has stopped. To play with one: ./quickstart.sh --serve\n'
}

# ---- --serve ----

serve_daemon() {
    step "The daemon"
    daemon_start 2 <<END
listen = {unix}
max_job_size = 1M
pool gzip {
    tubes = {gzip}
    workers = 2
    argv = {gzip, "-c"}
    output_limit = 2M
}
pool shell {
    tubes = {shell}
    workers = 2
    argv = {sh}
}
pool run {
    tubes = {run}
    workers = 2
    handler = command
}
pool null {
    tubes = {null}
    workers = 2
    handler = null
}
END
    local tool="${build#"$top"/}/hilera --socket $HILERA_SOCKET"
    cat <<END

It serves the tubes gzip (each job through gzip), shell (each job is a shell script), run (each job is a command) and null
(does nothing).
In another terminal, in $top:

  hilera="$tool"
  \$hilera run --wait -- ls -l
  \$hilera put --tube shell 'echo hello from \$HILERA_JOB_ID; date'
  \$hilera wait --output 2
  \$hilera show 2
  \$hilera put --tube gzip --file README.md
  \$hilera wait --output 3 | gunzip | head
  seq 100000 | \$hilera put --tube null --lines --quiet
  \$hilera join null --progress
  \$hilera stats
  \$hilera threads

Ctrl-C here ends it.

END
    wait "$daemon_pid" || true
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

step "The build"
build_all
temp=$(mktemp -d)
export HILERA_SOCKET=$temp/hilera.sock
if [ $serve = yes ]; then
    serve_daemon
else
    main_job
fi
