# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# A file of results that SQLite can't keep in memory, to be sourced behind daemon.sh.
#
#     results_make COUNT     the daemon, whose pool takes the tube "echo", runs so many jobs of 4 KB each; the i-th has the
#                            key "key i", and its id is ${ids[i]}. Then it is stopped, which writes what is still to be
#                            written: a daemon that is launched after that has none of them in memory
#     result_submit I        the request that puts a job with the key of the i-th
#     result_call METHOD JSON
#
# The last two print a request as it is said on a connection, but for its last line's end.

results_make() {
    local i body inserted
    body=$(printf '%04000d' 0)
    ids=(0)
    connect
    for ((i = 1; i <= $1; i++)); do
        say "$(result_submit "$i" "$body")"
    done
    for ((i = 1; i <= $1; i++)); do
        inserted=$(hear)
        [[ $inserted == INSERTED* ]] || bail "a submit was answered $inserted"
        # shellcheck disable=SC2034 # the caller's
        ids[i]=${inserted#INSERTED }
    done
    hang_up
    call join '{"tube":"echo"}' >/dev/null
    daemon_stop
}

result_submit() {
    local head="{\"tube\":\"echo\",\"key\":\"key $1\"}" body=${2-x}
    printf 'submit %d %d\r\n%s%s\n' "${#head}" "${#body}" "$head" "$body"
}

result_call() {
    printf 'call %s %d\r\n%s\n' "$1" "${#2}" "$2"
}
