#!/bin/bash
# SPDX-License-Identifier: MIT
# The protocol's documentation: man/hilera-protocol.7 has each command of src/front/commands.def in the section of those
# whose it is, each word that the commands answer with, and the keys of hello; and no others.

# shellcheck source=tests/style/style.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/style/style.sh"

export LC_ALL=C
page=man/hilera-protocol.7

# A section of the page, roff taken off.
page_section() {
    awk -v want=".SH $1" '/^\.SH / { inside = $0 == want; next } inside' "$page" |
        sed 's/\\-/-/g; s/\\f[BIR]//g'
}

# The first line of each item of such a section, as "name".
page_items() {
    page_section "$1" | awk 'item { sub(/^\.B /, ""); print $1 } { item = /^\.TP/ }' | sed 's/,$//' | sort
}

# The commands of BEANSTALKD or HILERA.
table_commands() {
    sed -n "s/^COMMAND([a-z_]*, \"\([a-z-]*\)\", \"[a-z -]*\", $1, .*, [A-Z_]*)\$/\1/p" src/front/commands.def | sort
}

# Words in capitals that begin an answer: the whole of a string, or a line with its end. A refusal of HTTP is none.
answer_words() {
    cat src/front/cmd_*.c src/front/bodies.c src/front/session.c src/front/rights.c | grep -oE '"[A-Z]{2}[A-Z_]*(\\r\\n)?"' |
        sed 's/^"//; s/"$//; s/\\r\\n$//' | sort -u
}

# What `hello` tells.
hello_keys() {
    sed 's/\\n/\n/g' src/front/cmd_hello.c | grep -oE '\b[a-z-]+:( (\\"|%)|")' | sed 's/:.*//' | sort
}

# The words in bold in the page's item about it: keys, and commands that explain them.
page_hello() {
    page_section "COMMANDS OF HILERA" | awk '/^\.TP/ { inside = 0 } inside; /^hello/ { inside = 1 }' |
        sed -n 's/^\.BR\{0,1\} \([a-z-]*\).*/\1/p' | sort
}

# $1: what it is, $2: a list of those that there are, $3: of those on the page.
compare() {
    comm -3 "$2" "$3" |
        sed "s|^\t\(.*\)|\1: in $page, but no $1 (or there twice)|; t; s|\$|: a $1, but not in $page|"
}

doc_faults() {
    (
        cd "$1" || exit
        compare "command of beanstalkd" <(table_commands BEANSTALKD) <(page_items "COMMANDS OF BEANSTALKD")
        compare "command of hilera" <(table_commands HILERA) <(page_items "COMMANDS OF HILERA")
        compare "word of answers" <(answer_words) <(page_items REPLIES)
        compare "key of hello" <(hello_keys) \
            <(page_hello | grep -vxF -f <(table_commands HILERA && table_commands BEANSTALKD))
    )
}

[ "$(cd "$top_srcdir" && table_commands '[A-Z]*' | wc -l)" -eq "$(grep -c '^COMMAND(' "$top_srcdir/src/front/commands.def")" ] ||
    bail "a row of commands.def has a form that this test doesn't know"

style_clean "the page has every command, word and key" doc_faults

style_copy
mkdir -p "$style_root/man"
cp "$top_srcdir/$page" "$style_root/man/"
chmod u+w "$style_root/$page"
echo 'COMMAND(planted, "planted-job", "planted-job ", HILERA, 0, NONE)' >>"$style_root/src/front/commands.def"
cat >>"$style_root/src/front/cmd_hello.c" <<'END'
const char *planted = "PLANTED_WORD\r\n", *key = "planted-key: %d\n";
END
style_planted "reported: a command without documentation" "^planted-job: a command of hilera, but not in" doc_faults
style_planted "reported: a word without documentation" "^PLANTED_WORD: a word of answers, but not in" doc_faults
style_planted "reported: a key without documentation" "^planted-key: a key of hello, but not in" doc_faults
sed -i 's/^\\fBtouch\\fR/\\fBstroke\\fR/; s/^\.B JOINED$/.B UNITED/; s/^\.BR max\\-line ,$/.BR max\\-word ,/' "$style_root/$page"
style_planted "reported: a documented command that isn't there" "^stroke: in .*, but no command of beanstalkd" doc_faults
style_planted "reported: a documented word that isn't there" "^UNITED: in .*, but no word of answers" doc_faults
style_planted "reported: a documented key that isn't there" "^max-word: in .*, but no key of hello" doc_faults

finish
