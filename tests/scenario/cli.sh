# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the scenarios of the tool share, to be sourced behind daemon.sh:
#
#     tool ARGUMENT...             runs hilera on the daemon's socket; sets $cli_status, and the files $cli_out and $cli_err
#     said PATTERN WHAT            standard error has a line that matches
#     usage WHAT PATTERN ARG...    hilera with these arguments is a mistake on the command line, and is explained so
#
# $cli_dir is a folder for the test's own files.

# shellcheck disable=SC2154 # daemon.sh sets them
hilera=$top_builddir/hilera
# shellcheck disable=SC2154
cli_dir=$scenario_dir/cli
cli_out=$cli_dir/out
cli_err=$cli_dir/err
mkdir "$cli_dir"
[ -x "$hilera" ] || bail "there is no $hilera"
unset HILERA_SOCKET XDG_RUNTIME_DIR NO_COLOR COLUMNS

tool() {
    # shellcheck disable=SC2154
    "$hilera" --socket "$daemon_socket" "$@" >"$cli_out" 2>"$cli_err"
    cli_status=$?
}

said() {
    if grep -qE -e "$1" "$cli_err"; then
        ok "$2"
    else
        not_ok "$2"
        diag "$(cat "$cli_err")"
        diag "does not match: $1"
    fi
}

usage() {
    local name=$1 pattern=$2
    shift 2
    tool "$@" </dev/null
    if [ "$cli_status" = 2 ] && [ ! -s "$cli_out" ] && grep -qF -e "$pattern" "$cli_err"; then
        ok "a mistake: $name"
    else
        not_ok "a mistake: $name"
        diag "status $cli_status, $(cat "$cli_out" "$cli_err")"
    fi
}
