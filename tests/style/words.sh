#!/bin/bash
# SPDX-License-Identifier: MIT
# Words: what must not stand in any file of the project. Paths of somebody's own machine, marks of work not done
# (it is done or it is an issue), left-overs of a merge; in C and shell also tabs and blanks at line ends. And what of
# the code has another name now: the field's terms, one for each thing.

# shellcheck source=tests/style/style.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/style/style.sh"

# The patterns are written so that they do not match themselves.
word_faults() {
    style_all_files "$1" | (
        cd "$1" || exit
        mapfile -t files
        grep -HInE '(^|[^a-zA-Z0-9_$}.-])/(hom[e]|Use[r]s|roo[t]|wor[k])/[a-z]' "${files[@]}" |
            sed 's/\(:[0-9]*\):.*/\1: a path of one machine/'
        grep -HInwE 'TOD[O]|FIXM[E]|XX[X]|HAC[K]' "${files[@]}" | sed 's/\(:[0-9]*\):.*/\1: work not done/'
        grep -HInE '^(<{7}|>{7}|={7})( |$)' "${files[@]}" | sed 's/\(:[0-9]*\):.*/\1: left over from a merge/'
        mapfile -t sources < <(printf '%s\n' "${files[@]}" | grep -E '\.(c|h|def|sh|test)$')
        grep -HInE '[[:blank:]]$' "${sources[@]}" | sed 's/\(:[0-9]*\):.*/\1: blanks at the end/'
        grep -HInP '\t' "${sources[@]}" | sed 's/\(:[0-9]*\):.*/\1: a tab/'
    )
}

style_clean "no path of a machine, no work not done, no stray blanks" word_faults

# What was called so, and what it is called: the first is an extended regular expression of identifiers.
terms='broker_holder|holder_[a-z]+:client (of the broker)
broker_sink|engine_sink:consumer
job_rare|holder_rare:extra (of a job)
job_past:attempts (that are over)
last_words:attempt end
broker_alarm:timer
broker_walk:bulk
broker_log:store
broker_level|broker_tube_level:durability
where_get|where_set|JOB_WHERE_[A-Z]+:locator
id_ceiling:id limit
crowded:compaction wanted
vouched:authorised
hoards?:prefetch
putters:waiting puts'

term_faults() {
    local old
    style_files src "$1" | (
        cd "$1" || exit
        mapfile -t files < <(grep -E '^src/(job|ledger|store|broker|front)/.*\.(c|h)$')
        while IFS=: read -r old new; do
            grep -HInE "(^|[^A-Za-z0-9_\"])($old)([^A-Za-z0-9_\"]|$)" "${files[@]}" |
                sed "s|\(:[0-9]*\):.*|\1: the term is: $new|"
        done <<<"$terms"
    )
}

style_clean "the field's terms, one for each thing" term_faults

style_copy
plant() {
    style_plant src/base/x.c "$3"
    style_planted "reported: $1" "^src/base/x.c:1: $2" word_faults
    rm "$style_root/src/base/x.c"
}
plant "a home folder" "a path" '// see /''home/somebody/notes'
plant "a home folder behind a quote" "a path" 'open("/''root/x");'
plant "work not done" "work not" '// TO''DO: write this'
plant "a merge's left-over" "left over" '<<<''<<<< main'
plant "blanks at the end" "blanks" 'int x; '
plant "a tab" "a tab" $'\tint x;'
# shellcheck disable=SC2016 # the dollar signs are meant as they stand
style_plant src/base/x.c '// $HOME/x and ${x}/home/y and https://example.org/home/page are nobody'"'"'s path'
is "$(word_faults "$style_root")" "" "not reported: a variable, an address"

style_plant src/broker/x.c 'struct broker_holder *x;'
style_planted "reported: a term that went" '^src/broker/x.c:1: the term is: client' term_faults
rm "$style_root/src/broker/x.c"

finish
