# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the scenario tests share, to be sourced: a daemon of one's own, and a client made of the shell alone.
#
#     daemon_start <<<"configuration"    starts hilerad in a directory of its own, waits until it is ready; sets
#                                        $daemon_pid, $daemon_port, $daemon_socket, $daemon_log, $daemon_dir; its
#                                        jobs are kept in $daemon_dir/state
#     daemon_stop                        SIGTERM, waits for the end; sets $daemon_status
#     daemon_await                       only waits for the end
#     log_await PATTERN                  waits until the log has a line that matches
#     call METHOD [JSON]                 the answer's JSON of an API method
#     put TUBE BODY                      the id of the new job
#     field NAME                         the value of a number or word in the JSON on standard input
#     everybodys PROGRAM                 the path of a copy that every user can reach, wherever the checkout is
#     rounds N                           N, or a tenth of it under a sanitizer, as unit_rounds in tests/unit/unit.h
#
# Everything waits for an event: a descriptor, a line of the log, the end of a process. The whole script is
# under a time limit, and what it started is ended with it. Other connections: connect, say, hear, hang_up.

# shellcheck source=tests/tap.sh
. "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}/tests/tap.sh"

# These end what hangs, and nothing else: they are far from what a machine under a load of 16 needs. Seconds, for the whole
# script and for one event.
scenario_limit=$((1200 * ${CK_TIMEOUT_MULTIPLIER:-1}))
scenario_patience=$((300 * ${CK_TIMEOUT_MULTIPLIER:-1}))

if [ -z "${SCENARIO_LIMITED-}" ]; then
    SCENARIO_LIMITED=1 exec timeout -k 10 "$scenario_limit" "$0" "$@"
fi

export LC_ALL=C # bytes, not characters
hilerad=$top_builddir/hilerad
scenario_dir=$(mktemp -d)
chmod g-s "$scenario_dir" # which it has from a TMPDIR that has it, and would give to all that is made in it
export STATE_DIRECTORY=$scenario_dir/state # where a daemon keeps its jobs that a test starts by hand
scenario_pids=()

rounds() {
    if [ -n "${sanitizer_flags-}" ] && [ "${HILERA_ROUNDS-}" != full ]; then
        echo $((($1 + 9) / 10))
    else
        echo "$1"
    fi
}
scenario_count=0

scenario_end() {
    local pid
    for pid in "${scenario_pids[@]}"; do
        kill -KILL "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    rm -rf "$scenario_dir"
}
trap scenario_end EXIT
trap 'exit 143' TERM INT

[ -x "$hilerad" ] || bail "there is no $hilerad"

# ---- results ----

# like TEXT PATTERN WHAT: the text matches the extended regular expression.
like() {
    if [[ $1 =~ $2 ]]; then
        ok "$3"
    else
        not_ok "$3"
        diag "$1"
        diag "does not match: $2"
    fi
}

# fails WHAT COMMAND...: the command must fail.
fails() {
    local name=$1
    shift
    if "$@" >/dev/null 2>&1; then
        not_ok "$name"
    else
        ok "$name"
    fi
}

# ---- the daemon ----

# The directory of the next daemon, with the configuration from standard input in it.
daemon_prepare() {
    scenario_count=$((scenario_count + 1))
    daemon_dir=$scenario_dir/$scenario_count
    daemon_log=$daemon_dir/log
    daemon_socket=$daemon_dir/hilera.sock
    mkdir "$daemon_dir"
    cat >"$daemon_dir/hilerad.conf"
    mkfifo "$daemon_dir/ready"
}

daemon_front=() # a command in front of the daemon's, such as env

everybodys() {
    chmod a+x "$scenario_dir"
    mkdir -p "$scenario_dir/everybodys" && chmod 755 "$scenario_dir/everybodys"
    cp "$1" "$scenario_dir/everybodys/" && chmod 755 "$scenario_dir/everybodys/${1##*/}"
    printf '%s\n' "$scenario_dir/everybodys/${1##*/}"
}

# Starts what was prepared, and waits until it is ready or gone; false: gone.
daemon_launch() {
    STATE_DIRECTORY=$daemon_dir/state "${daemon_front[@]}" "$hilerad" --config "$daemon_dir/hilerad.conf" --listen "unix:$daemon_socket" \
        --listen tcp:127.0.0.1:0 --ready-fd 3 3>"$daemon_dir/ready" >"$daemon_dir/out" 2>"$daemon_log" </dev/null &
    daemon_pid=$!
    scenario_pids+=("$daemon_pid")
    timeout "$scenario_patience" cat "$daemon_dir/ready" >"$daemon_dir/addresses"
    daemon_port=$(sed -n 's/^.*127\.0\.0\.1:\([0-9]*\)$/\1/p' "$daemon_dir/addresses")
    [ -n "$daemon_port" ] && log_is_said
}

# What the start has said is in the log: a thread of its own writes that, perhaps later than the daemon is ready.
log_is_said() {
    [ ! -f "$daemon_log" ] || grep -q 'is ready' "$daemon_log" || log_await 'is ready'
}

daemon_start() {
    daemon_prepare
    daemon_launch || {
        diag "$(cat "$daemon_log")"
        bail "the daemon did not start"
    }
}

daemon_await() {
    wait "$daemon_pid" 2>/dev/null # where bash says who was killed
    daemon_status=$?
}

daemon_stop() {
    kill -TERM "$daemon_pid"
    daemon_await
}

# The last words of a daemon that did its work: ended as asked, nothing leaked (a sanitizer's status is not 0), no
# lock taken in a wrong order. Arguments: what for.
daemon_ends_well() {
    daemon_stop
    is "$daemon_status" 0 "$* ends with status 0"
    if grep -E ' error |WARNING: |ERROR: |lock order' "$daemon_log" >"$daemon_dir/faults"; then
        not_ok "$* logs no error"
        diag "$(cat "$daemon_log")"
    else
        ok "$* logs no error"
    fi
}

# Waits until file $2 has a line that matches $1.
line_await() {
    local tail line found=1
    exec {tail}< <(exec tail -n +1 -s 0.05 -f "$2" 2>/dev/null)
    local tail_pid=$!
    while read -r -t "$scenario_patience" -u "$tail" line; do
        if [[ $line =~ $1 ]]; then
            found=0
            break
        fi
    done
    exec {tail}<&-
    kill "$tail_pid" 2>/dev/null
    wait "$tail_pid" 2>/dev/null
    return $found
}

log_await() {
    line_await "$1" "$daemon_log"
}

# ---- a client ----

# as UID DOOR LINE...: what the daemon says to that user's lines, without CR; DOOR is unix or tcp.
as() {
    local uid=$1 door=$2
    shift 2
    if [ "$door" = unix ]; then door=$daemon_socket; else door=127.0.0.1:$daemon_port; fi
    # shellcheck disable=SC2016 # perl's
    setpriv --reuid="$uid" --regid="$uid" --clear-groups timeout "$scenario_patience" perl -MIO::Socket::UNIX -MIO::Socket::INET -e '
        $SIG{PIPE} = "IGNORE"; # who may nothing is closed before it has said a thing
        my $door = shift;
        my $s = $door =~ m{^/} ? IO::Socket::UNIX->new($door) : IO::Socket::INET->new($door);
        $s or die "$door: $!";
        print $s join("", map { "$_\r\n" } @ARGV, "quit");
        $s->flush;
        while (my $line = <$s>) { $line =~ s/\r//g; print $line }' "$door" "$@"
}

# calls UID DOOR METHOD JSON
calls() {
    as "$1" "$2" "call $3 ${#4}" "$4"
}

# A connection; its descriptor is $connection.
connect() {
    exec {connection}<>"/dev/tcp/127.0.0.1/$daemon_port"
}

hang_up() {
    exec {connection}>&-
}

# Says the text, with CR LF behind it, on $connection.
say() {
    printf '%s\r\n' "$1" >&"$connection"
}

# One line of answer, without CR LF; "(nothing)" if the daemon hung up or said nothing for too long.
hear() {
    local line
    if read -r -t "$scenario_patience" -u "$connection" line; then
        printf '%s\n' "${line%$'\r'}"
    else
        echo "(nothing)"
    fi
}

# Says, hears.
ask() {
    say "$1"
    hear
}

# The tool, over the Unix socket: what only its peers may ask for.
daemon_tool() {
    "$top_builddir/hilera" --socket "$daemon_socket" "$@"
}

call() {
    local method=$1 json=${2-{\}} connection head size answer
    connect
    say "call $method ${#json}"
    head=$(ask "$json")
    size=${head##* }
    [[ $size =~ ^[0-9]+$ ]] || {
        echo "no answer: $head"
        return 1
    }
    read -r -N "$size" -t "$scenario_patience" -u "$connection" answer
    hang_up
    printf '%s\n' "$answer"
    [[ $head == OK* ]]
}

put() {
    local connection answer
    connect
    say "use $1"
    hear >/dev/null
    say "put 0 0 60 ${#2}"
    answer=$(ask "$2")
    hang_up
    printf '%s\n' "${answer#INSERTED }"
}

# The first member of that name, a number, word or string.
field() {
    sed -nE 's/.*"'"$1"'":("([^"]*)"|[^,}"]*).*/\1/p' | tr -d '"' | head -n 1
}
