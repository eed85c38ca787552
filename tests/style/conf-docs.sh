#!/bin/bash
# SPDX-License-Identifier: MIT
# The documents of the daemon know what the program knows, and nothing else: every parameter of
# src/config/parameters.def and rules.def, with its default, stands in conf/hilerad.conf and in hilerad.conf(5); every option of
# src/daemon/options.c stands in hilerad(8); and the other way round. Where hilerad is built, its --help and
# --check-config are compared too.

# shellcheck source=tests/style/style.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/style/style.sh"

# "NAME DEFAULT" a line; lists as {a, b} without quotes. A parameter without default has {...}.
table_parameters() {
    {
        sed -nE 's/^PARAM\([A-Z]+, ([a-z_]+), [A-Z_]+, "([^"]*)".*/\1 \2/p' "$1/src/config/parameters.def"
        # A row of BOTH is one of pools and one of tubes.
        sed -nE 's/^RULE\([A-Z]+, ([a-z_]+), [A-Z_]+, "([^"]*)".*/\1 \2/p' "$1/src/config/rules.def"
        sed -nE 's/^RULE\(BOTH, ([a-z_]+), [A-Z_]+, "([^"]*)".*/\1 \2/p' "$1/src/config/rules.def"
    } | sed -E 's/^([a-z_]+) $/\1 {...}/' | sort
}

# $2, if given, names the parameters whose value in a section of the file is an example, since they have no default.
conf_parameters() {
    sed -nE 's/^#?( *)([a-z_]+) = (.*)$/\1|\2|\3/p' "$1/conf/hilerad.conf" | tr -d '"' |
        while IFS='|' read -r indent name value; do
            # Of users there is no default: an example stands there.
            [[ -z $indent && $name != command_users || " $2 " != *" $name "* ]] || value='{...}'
            echo "$name $value"
        done | sort
}

man_parameters() {
    sed -nE 's/^\\fB([a-z_]+)\\fR = (.*)$/\1 \2/p' "$1/man/hilerad.conf.5" | sort
}

# differences PATH EXPECTED FOUND: a line for each row that only one of the two lists has.
differences() {
    diff <(echo "$2") <(echo "$3") | sed -nE "s|^< (.*)|$1: lacks \1|p; s|^> (.*)|$1: has \1, which the program has not|p"
}

parameter_faults() {
    local table without
    table=$(table_parameters "$1")
    without=$(sed -n 's/ {\.\.\.}$//p' <<<"$table" | tr '\n' ' ')
    differences conf/hilerad.conf "$table" "$(conf_parameters "$1" "$without")"
    differences man/hilerad.conf.5 "$table" "$(man_parameters "$1")"
}

# "-l --listen" a line, "-" for a letter or a name that isn't there.
table_options() {
    sed -nE "s/^ *\{(NULL|\"([a-z-]+)\"), ('(.)'|KEY_[A-Z_]+), .*/\4 \2/p" "$1/src/daemon/options.c" |
        sed -E 's/^$/- -/; s/^ /- /; s/^([^- ])/-\1/; s/ ([a-z])/ --\1/; s/ $/ -/; /^-\?/d' | sort
}

man_options() {
    sed -n '/^\.SH OPTIONS/,/^\.SH SIGNALS/p' "$1/man/hilerad.8" | sed 's/\\-/-/g; s/\\f[BRI]//g' | awk '
        item && /^-/ {
            long = match($0, /--[a-z-]+/) ? substr($0, RSTART, RLENGTH) : "-"
            print /^-[A-Za-z]/ ? substr($0, 1, 2) : "-", long
        }
        { item = /^\.TP/ }' | sort
}

option_faults() {
    differences man/hilerad.8 "$(table_options "$1")" "$(man_options "$1")"
}

help_options() {
    sed -nE 's/^ +(-[A-Za-z])(, (--[a-z-]+))?.*/\1 \3/p; s/^ +(--[a-z-]+).*/- \1/p' <<<"$1" | sed 's/ $/ -/' | sort
}

help_faults() {
    local help
    help=$("$hilerad" --help)
    differences --help "$(table_parameters "$1")" "$(sed -nE 's/^  ([a-z_]+) = (.*)$/\1 \2/p' <<<"$help" | sort)"
    differences --help "$(table_options "$1")" "$(help_options "$help")"
}

# Every option that beanstalkd has, in its own help.
beanstalkd_faults() {
    differences "hilerad's options" "$(printf '%s\n' -b -c -f -F -h -l -n -p -s -u -v -V -z | sort)" \
        "$(table_options "$1" | grep -oE -- '^-(b|c|f|F|h|l|n|p|s|u|v|V|z) ' | tr -d ' ' | sort)"
}

is "$(table_options "$top_srcdir" | grep -c .)" \
    "$(sed -n '/argp_option rows/,/^    {NULL, 0, NULL, 0, NULL, 0}/p' "$top_srcdir/src/daemon/options.c" |
        grep -E "^    \{.*('.'|KEY_)" | grep -cv OPTION_HIDDEN)" "every row of the options is read"
is "$(table_parameters "$top_srcdir" | grep -c .)" \
    "$(grep -hE '^(PARAM|RULE)\(' "$top_srcdir"/src/config/{parameters,rules}.def | sed 's/.*(BOTH,.*/&\n&/' | grep -c .)" \
    "every row of the tables is read"
style_clean "every parameter is in hilerad.conf and hilerad.conf(5), with its default" parameter_faults
style_clean "every option is in hilerad(8)" option_faults
style_clean "every option of beanstalkd is one" beanstalkd_faults

hilerad=$top_builddir/hilerad
if [ -x "$hilerad" ]; then
    style_clean "every parameter and option is in --help" help_faults
    # A copy: somebody else may have a hand in the way to the checkout.
    cat "$top_srcdir/conf/hilerad.conf" >"$style_temp/hilerad.conf"
    is "$("$hilerad" --check-config --config "$style_temp/hilerad.conf" 2>&1 | sed -n 1p)" "$style_temp/hilerad.conf: ok" \
        "hilerad.conf is valid as shipped"
    sed -E 's/^#( *([a-z_]+ = |pool |tube |acl |\}))/\1/' "$top_srcdir/conf/hilerad.conf" >"$style_temp/all.conf"
    is "$(grep -c '^ *[a-z_]* = ' "$style_temp/all.conf")" "$(table_parameters "$top_srcdir" | wc -l)" \
        "every parameter of it can be taken into use"
    is "$("$hilerad" --check-config --config "$style_temp/all.conf" 2>&1 | sed -n 1p)" "$style_temp/all.conf: ok" \
        "and is valid then"
else
    skip "hilerad is not built" "every parameter and option is in --help"
fi

# copy: the tree; plant NAME PATTERN FILE SED-SCRIPT CHECK: the fault is found.
plant() {
    style_copy
    mkdir -p "$style_root/conf" "$style_root/man"
    cp "$top_srcdir/conf/hilerad.conf" "$style_root/conf"
    cp "$top_srcdir"/man/hilerad.* "$style_root/man"
    sed -i "$4" "$style_root/$3"
    style_planted "reported: $1" "$2" "$5"
}
plant "a parameter missing in hilerad.conf" "conf/hilerad.conf: lacks grace 10s" conf/hilerad.conf '/^#grace/d' parameter_faults
plant "another default in hilerad.conf" "conf/hilerad.conf: has io_threads 2" conf/hilerad.conf \
    's/^#io_threads = auto/#io_threads = 2/' parameter_faults
plant "a parameter that is none" "conf/hilerad.conf: has turbo" conf/hilerad.conf 's/^#grace.*/&\n#turbo = yes/' parameter_faults
plant "a parameter missing in the man page" "man/hilerad.conf.5: lacks argv" man/hilerad.conf.5 '/fBargv/d' parameter_faults
# shellcheck disable=SC2016 # the dollar sign is for sed
plant "a new row of the table" "man/hilerad.conf.5: lacks turbo 1" src/config/parameters.def \
    '$ a PARAM(POOL, turbo, INT, "1", 0, 1, "faster")' parameter_faults
# shellcheck disable=SC2016
plant "a new row of the rules" "man/hilerad.conf.5: lacks luck 1" src/config/rules.def \
    '$ a RULE(TUBE, luck, INT, "1", 0, 1, "chance")' parameter_faults
plant "an option missing in the man page" "man/hilerad.8: lacks - --check-config" man/hilerad.8 '/^.fB.-.-check/d' option_faults
plant "an option that is none" "man/hilerad.8: has - --ready-fds" man/hilerad.8 's/^\(.fB.-.-ready.-fd\)/\1s/' option_faults
plant "a letter missing in the man page" "man/hilerad.8: lacks -s -" man/hilerad.8 '/^.fB.-s/d' option_faults
plant "another letter in the man page" "man/hilerad.8: has -D --config" man/hilerad.8 's/^.fB.-C/\\fB\\-D/' option_faults
plant "an option of beanstalkd that is gone" "hilerad's options: lacks -F" src/daemon/options.c \
    "/^    {NULL, 'F'/d" beanstalkd_faults

finish
