# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the tests of real clients share, to be sourced after daemon.sh:
#
#     client_checks NAME COMMAND...   runs the command with the daemon's port behind it. A line "ok WHAT" or
#                                     "not ok WHAT" of its output is a result; the last line must be "end".
#     client_missing WHAT             skips all of the test, when the machine has no such client

client_missing() {
    skip "no $1 on this machine: packaging/deps.sh clients installs it" "hilerad with $1"
    finish
}

# daemon.sh sets the variables.
# shellcheck disable=SC2154
client_checks() {
    local name=$1 line last=
    shift
    "$@" "$daemon_port" >"$scenario_dir/said" 2>&1 </dev/null
    while IFS= read -r line; do
        last=$line
        case $line in
        "ok "*) ok "$name: ${line#ok }" ;;
        "not ok "*) not_ok "$name: ${line#not ok }" ;;
        *) diag "$line" ;;
        esac
    done <"$scenario_dir/said"
    is "$last" end "$name: the script ran to its end"
}
