#!/bin/bash
# SPDX-License-Identifier: MIT
# Text of others: the tool writes to its terminal through out.c and screen.c alone, which make it printable (progress.c draws a bar
# of numbers, and cmd_run.c asks a question with a number in it), and completion never lets a shell expand what it offers.

# shellcheck source=tests/style/style.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/style/style.sh"

writers='out|screen|progress|cmd_run'

untrusted_faults() {
    (
        cd "$1" || exit
        mapfile -t files < <(find src/client -name '*.c' | grep -vE "/($writers)\.c$" | LC_ALL=C sort)
        grep -HnE '\b(v?f?printf|f?puts|f?putc|putchar|fwrite|perror|dprintf)\(' "${files[@]}" |
            sed 's/\(:[0-9]*\):.*/\1: writes past out.c/'
        grep -HnE 'compgen[^#]* -W|\beval\b' completion/bash/hilera completion/zsh/_hilera 2>/dev/null | grep -v ':[0-9]*: *#' |
            sed 's/\(:[0-9]*\):.*/\1: expands words/'
    )
}

style_clean "the tool's output goes through out.c, and completion expands nothing" untrusted_faults

style_copy
plant() {
    style_plant "$1" "$4"
    style_planted "reported: $2" "^$1:1: $3" untrusted_faults
    rm "$style_root/$1"
}
plant src/client/x.c "a printf" "writes past" '    printf("%s", name);'
plant src/client/x.c "bytes" "writes past" '    (void)fwrite(text, 1, len, stdout);'
plant completion/bash/hilera "words of compgen" "expands" "compgen -W \"\$names\""
plant completion/zsh/_hilera "eval" "expands" "eval \"names=(\$names)\""
style_plant src/client/x.c '    out_printf("%s", name); buf_printf(&text, "%s", name); snprintf(text, 9, "x");'
is "$(untrusted_faults "$style_root")" "" "not reported: what is escaped, and what isn't written"

finish
