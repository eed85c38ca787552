#!/bin/bash
# SPDX-License-Identifier: MIT
# A helper for hilerad's handler coproc: change work and name this file in hilerad.conf.
#
#     pool "upper" { tubes = {"upper"} handler = coproc argv = {"bash", "/path/coproc.sh"} }
#
# Bodies are read as bytes; a shell can't keep NUL bytes, they are left out. What commands print to
# standard error stands with the job's stderr.
export LC_ALL=C # lengths are in bytes

# work BODY: prints the result. A status other than 0: the job has failed; 75: it is to run again.
work() {
    if [ -z "$1" ]; then
        echo "there is nothing in it" >&2
        return 1
    fi
    tr '[:lower:]' '[:upper:]' <<<"$1"
}

echo "ready 1"
while read -r _ id length attempt _ tube; do
    body=
    [ "$length" -eq 0 ] || IFS= read -r -d '' -N "$length" body
    read -r # the line feed behind the body
    echo "log $id attempt $attempt in $tube"
    result=$(work "$body" </dev/null)
    status=$?
    case $status in
        0) printf 'result %s %s\n%s\n' "$id" "${#result}" "$result" ;;
        75) echo "retry $id 1 status 75" ;;
        *) echo "fail $id status $status" ;;
    esac
done
