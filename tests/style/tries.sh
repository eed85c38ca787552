#!/bin/bash
# SPDX-License-Identifier: MIT
# What rules limit (src/job/tries.def): few files name a member of struct job_tries, the others take the whole struct or
# ask by kind of trouble (job_tries_of, job_tries_next). So a new row is a row, and not a change of forty places.

# shellcheck source=tests/style/style.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/style/style.sh"

# The table itself, the tables of what stands on disk and in history, and who speaks of timeouts as beanstalkd does.
tries_most=6

# The files of the tree $1 in which a member stands by name, one a line.
tries_files() {
    local members
    members=$(sed -nE 's/^JOB_TRY\(([a-z_]+),.*/\1/p' "$1/src/job/tries.def" | paste -sd'|')
    [ -n "$members" ] || bail "no rows found in src/job/tries.def"
    style_files src "$1" | grep -E '\.(c|h|def)$' | (cd "$1" && xargs grep -lE 'tries|JOB_TRY') | while read -r file; do
        # Of any variable of that struct, and in initialisers of one.
        names=$(grep -oE 'struct job_tries[ *]+[a-z_]+' "$1/$file" | sed 's/.*[ *]//' | paste -sd'|')
        if grep -qE "^JOB_TRY\(|\b(tries${names:+|$names})(\.|->)($members)\b" "$1/$file" ||
            tr '\n' ' ' <"$1/$file" | grep -qE "(\btries *=|struct job_tries( [a-z_]+ *=|\))) *(\(struct job_tries\) *)?\{[^}]*\.($members)\b"; then
            echo "$file"
        fi
    done
}

tries_faults() {
    local files
    mapfile -t files < <(tries_files "$1")
    [ ${#files[@]} -le "$tries_most" ] || echo "src: members of struct job_tries stand by name in ${#files[@]} files, at most" \
        "$tries_most: ${files[*]}"
}

style_clean "members of struct job_tries stand by name in few files" tries_faults
check "and every one of them is found" grep -qx src/job/tries.def < <(tries_files "$top_srcdir")
is "$(tries_files "$top_srcdir" | grep -c .)" "$tries_most" "the limit is what there is: who needs fewer lowers it"

style_copy
# plant NAME LINE...: a file more.
plant() {
    local name=$1
    shift
    style_plant src/broker/x.c "$@"
    style_planted "reported: $name" "in $((tries_most + 1)) files.* src/broker/x.c" tries_faults
    rm "$style_root/src/broker/x.c"
}
plant "a member of a job's tries" 'int f(struct job *job) { return job->rare->tries.failures; }'
plant "one behind a pointer" 'int f(const struct job_view *view) { const struct job_tries *at = &view->tries; return at->crashes; }'
plant "one of a struct of another name" 'static int f(const struct job_tries *least)' '{' '    return least->losses;' '}'
plant "one in an initialiser" 'struct job_tries none = {.timeouts = 0,' '                         .losses = 0};'
plant "one in a struct of an initialiser" 'struct job_view view = {.id = 1, .tries = {.losses = 1}};'
plant "a row that another table has, too" 'JOB_TRY(losses, LOST, LOSSES, 0, 0, TRIES)'

style_plant src/broker/x.c 'uint32_t *f(struct job_tries *tries) { return job_tries_of(tries, JOB_OUTCOME_LOST); }' \
    'int g(struct job *job, int timeouts) { return job->tube->stats.timeouts + timeouts; }' \
    'struct job_tries h(void) { return (struct job_tries){0}; }'
is "$(tries_faults "$style_root")" "" "not reported: who asks by kind, and counters of others"

finish
