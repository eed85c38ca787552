#!/bin/bash
# SPDX-License-Identifier: MIT
# The tool's documentation: man/hilera.1, --help and the tables in src/client name the same commands, options and exit codes.
# Options are compared for each command apart, with their short letters.

# shellcheck source=tests/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/tap.sh"

export LC_ALL=C
hilera=${HILERA:-$top_builddir/hilera}
man=$top_srcdir/man/hilera.1
tables=$top_srcdir/src/client
[ -x "$hilera" ] || bail "the tool is not built: $hilera"

# "0 meaning" from exit_codes.def.
table_codes() {
    sed -n 's/^EXIT_CODE([A-Z_]*, \([0-9]*\), "\(.*\)")$/\1 \2/p' "$tables/exit_codes.def"
}

# "name arguments" from commands.def.
table_commands() {
    sed -n 's/^COMMAND(\([a-z]*\), "\([^"]*\)", .*/\1 \2/p' "$tables/commands.def" | sed 's/ $//'
}

# A section of the man page ($1: file, $2: "SH OPTIONS" or "SS put"), roff taken off.
man_section() {
    awk -v want=".$2" '
        /^\.S[HS] / { inside = $0 == want || index($0, want " ") == 1; next }
        inside' "$1" | sed 's/\\-/-/g; s/\\f[BIR]//g'
}

# "-t --tube" of such a section: the first line of each item (.TP) that names an option.
man_options() {
    man_section "$1" "$2" | awk '
        item && /--/ {
            short = match($0, /-[A-Za-z0-9?],?( |")/) ? substr($0, RSTART, 2) : "-"
            match($0, /--[a-z-]+/)
            print short, substr($0, RSTART, RLENGTH)
        }
        { item = /^\.TP/ }' | sort
}

# The same of a help text, without those that the section OPTIONS documents.
help_options() {
    "$hilera" "$1" --help | sed -n 's/^ *\(-[A-Za-z0-9?]\), *\(--[a-z-]*\).*/\1 \2/p; s/^ *\(--[a-z-]*\).*/- \1/p' |
        grep -vxF -e "${2:-nothing}" | sort
}

# What differs between the man page $1 and the program, a line each; nothing if they agree.
doc_faults() {
    local man=$1 name arguments global
    global=$(man_options "$man" "SH OPTIONS")
    diff <(sed -n 's/^\.SS //p' "$man" | sed 's/\\-/-/g') <(table_commands) | sed -n 's/^[<>]/sections:/p'
    diff <("$hilera" help | sed -n 's/^  \([a-z]*\) .*/\1/p') <(table_commands | sed 's/ .*//') |
        sed -n 's/^[<>]/overview:/p'
    diff <("$hilera" help exit-codes | sed 's/^ *\([0-9]*\) */\1 /') <(table_codes) | sed -n 's/^[<>]/help of codes:/p'
    diff <(man_section "$man" "SH EXIT STATUS" | sed 's/^\.B //; /^\.TP/d' | paste -d ' ' - -) <(table_codes) |
        sed -n 's/^[<>]/exit status:/p'
    while read -r name arguments; do
        diff <(man_options "$man" "SS $name") <(help_options "$name" "$global") | sed -n "s/^[<>]/options of $name:/p"
        # All that the man page calls an option of every command is one.
        comm -13 <(help_options "$name") <(printf '%s\n' "$global") | sed "s/^/not taken by $name: /"
        "$hilera" "$name" --help | grep -qF "Usage: hilera $name [OPTION...]${arguments:+ $arguments}" ||
            echo "usage of $name: not \"$arguments\""
    done < <(table_commands)
}

[ "$(table_commands | wc -l)" -ge 8 ] || bail "no commands found in commands.def"
[ "$(table_codes | wc -l)" -ge 9 ] || bail "no exit codes found in exit_codes.def"
[ "$(man_options "$man" "SS put" | wc -l)" -ge 8 ] || bail "no options found in the man page"

faults=$(doc_faults "$man")
is "$faults" "" "man page, help and tables agree"

# Each kind of fault is planted in a copy of the man page and must be found.
planted=$(mktemp) || bail "no temporary file"
trap 'rm -f "$planted"' EXIT
plant() {
    sed "$3" "$man" >"$planted"
    if cmp -s "$man" "$planted"; then
        not_ok "reported: $1"
        diag "the fault was not planted"
    elif doc_faults "$planted" | grep -qE -e "$2"; then
        ok "reported: $1"
    else
        not_ok "reported: $1"
        diag "$(doc_faults "$planted")"
    fi
}
plant "a command without a section" "^sections: ping$" '/^\.SS ping/d'
plant "a section without a command" "^sections: pong$" 's/^\.SS ping/.SS pong/'
plant "an option left out" "^options of put: -q --quiet$" '/quiet/d'
plant "an option that is none" "^options of join: -P --progres$" 's/progress$/progres/'
plant "a wrong letter" "^options of show: -B --body$" 's/\\-b ", "/\\-B ", "/'
plant "a global option that is none" "^not taken by put: -j --yaml$" 's/\\-\\-json$/\\-\\-yaml/'
plant "other arguments" "^sections: wait ID$" 's/^\.SS wait ID.*/.SS wait ID/'
plant "another exit code" "^exit status: 9 " 's/^\.B 5$/.B 9/'
plant "another meaning" "^exit status: 4 there is no job$" 's/^there is no such job.*/there is no job/'

check "the man page names the version of the tool" grep -q "^\.TH HILERA 1 .*\"$("$hilera" --version)\"" "$man"

# Every environment variable that the sources look at is documented.
while read -r variable; do
    check "documented: \$$variable" grep -q "^\.B $variable\$" "$man"
done < <(grep -ohE 'getenv\("[A-Z_]+"\)' "$tables"/*.c | sed 's/.*"\(.*\)".*/\1/' | grep -vx TERM | sort -u)

if command -v groff >/dev/null; then
    warnings=$(groff -man -Tutf8 -ww -z "$man" 2>&1)
    is "$warnings" "" "the man page has no mistakes for groff"
else
    skip "groff is not here" "the man page has no mistakes for groff"
fi

finish
