# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Data directories with all that a journal can have in it, and what is told of them. To be sourced behind daemon.sh and cli.sh, by
# tests/journals/make and tests/scenario/journals.test:
#
#     corpus_make DIR                 lets hilerad make them: DIR/all, DIR/compacted, DIR/damaged, DIR/torn
#     corpus_on DIR                   starts the daemon on a copy of it; sets what daemon_start sets
#     corpus_entries DIR              how many entries of each type its journal has
#     corpus_told                     what the daemon tells now
#
# Delays end decades ahead, or have ended long before the daemon is ended. What is put by another user is put by user 1234, for
# which corpus_make must be root.

# shellcheck disable=SC2154 # daemon.sh and cli.sh set them
corpus_other=1234
corpus_told_by=$top_builddir/tests/programs/journal_told

# shellcheck disable=SC2016 # what is for the jobs' shells is quoted
corpus_conf='results_age = 3650d
group_keep = 3650d
segment_size = 64K
segment_size_max = 64K
acl other { users = "'$corpus_other'" tubes = "*" may = submit }
'
corpus_pools='tube volatile { durability = memory }
pool obey {
    tubes = obey
    argv = "/bin/sh"
}
pool partner {
    tubes = partner
    handler = coproc
    argv = {"/bin/sh", "-c", "echo ready 1; read line; exit 3"}
}
'

# ---- the daemon ----

corpus_begin() {
    daemon_launch || {
        diag "$(cat "$daemon_log")"
        bail "the daemon did not start"
    }
}

corpus_kill() {
    kill -KILL "$daemon_pid"
    daemon_await
}

corpus_on() {
    daemon_prepare <<<"$corpus_conf"
    cp -a "$1" "$daemon_dir/state" && corpus_begin
}

corpus_entries() {
    cp -a "$1" "$scenario_dir/entries" || return
    "$corpus_told_by" entries "$scenario_dir/entries"
    rm -rf "$scenario_dir/entries"
}

corpus_told() {
    "$corpus_told_by" daemon "unix:$daemon_socket"
}

# ---- one thing ----

# new OPTION... BODY: puts a job; its id is $id.
new() {
    tool put "$@"
    [ "$cli_status" = 0 ] || bail "put $*: $(cat "$cli_err")"
    id=$(cat "$cli_out")
}

# must ARGUMENT...: of the tool.
must() {
    tool "$@"
    [ "$cli_status" = 0 ] || bail "hilera $*: $(cat "$cli_err")"
}

# reserved ID: it is, by $connection.
reserved() {
    [[ $(ask "reserve-job $1") == RESERVED* ]] || bail "job $1 can't be reserved"
    hear >/dev/null
}

# answers EXPECTED LINE: on $connection.
answers() {
    local answer
    answer=$(ask "$2")
    [ "$answer" = "$1" ] || bail "$2: $answer"
}

# shown ID PATTERN: waits until what is told of the job matches.
shown() {
    local until=$((SECONDS + scenario_patience))
    until [[ $(daemon_tool show --json "$1") =~ $2 ]]; do
        [ $SECONDS -lt $until ] || bail "job $1 never shows $2: $(daemon_tool show --json "$1")"
    done
}

# ---- all of it ----

corpus_puts() {
    local large
    new --tube plain "the first"
    new --tube plain --priority 0 --ttr 1d urgent
    new --tube plain --priority 4294967295 "the last"
    printf -v large '%030000d' 7
    new --tube plain "$large"
    new --tube later --delay 10000d "a delay"
    new --tube later --at 4000000000 "a moment to come"
    new --tube later --at 2000-01-01T00:00:00Z "a moment that was"
    new --tube later --delay 1s "a delay that is over"
    shown "$id" '"state":"ready"'
    new --tube plain --name nightly --group g --tag red --tag "dark blue" --tag grün --attempts 3 --crashes 4 --timeouts 5 --losses 0 \
        --backoff 2s --backoff-kind exponential --backoff-cap 1m --jitter 10 --timeout 90 --retention 1h --key k "all options"
    new --tube plain --key again "a key that is gone"
    must delete "$id"
    new --tube plain --key again "a key that came again"
    setpriv --reuid=$corpus_other --regid=$corpus_other --clear-groups "$corpus_tool" --socket "$daemon_socket" put --tube plain \
        --group g --key k "of another user" >/dev/null || bail "user $corpus_other can't put"
}

corpus_changes() {
    connect
    # Of each kind one that is left so, and one that goes on.
    new --tube states --priority 7 "released with another priority"
    reserved "$id"
    answers RELEASED "release $id 3 0"
    new --tube states "released for long"
    reserved "$id"
    answers RELEASED "release $id 4 1000000000"
    new --tube states "released, and kicked"
    reserved "$id"
    answers RELEASED "release $id 4 1000000000"
    must kick "$id"
    new --tube states --delay 10000d "delayed, and kicked"
    must kick "$id"
    new --tube states --at 4000000000 "of a moment, and kicked"
    must kick "$id"
    new --tube states "buried second"
    local second=$id
    new --tube states "buried first, with another priority"
    reserved "$id"
    answers BURIED "bury $id 9"
    must bury "$second"
    new --tube states --delay 10000d "buried out of a delay"
    must bury "$id"
    new --tube states "buried twice"
    must bury "$id"
    must kick "$id"
    must bury "$id"
    new --tube states "buried, and reserved from there"
    must bury "$id"
    reserved "$id"
    answers RELEASED "release $id 5 0"
    new --tube states --ttr 1s "timed out"
    reserved "$id"
    shown "$id" '"timeouts":1'
    new --tube states --ttr 1s --timeouts 1 "timed out, and buried"
    reserved "$id"
    shown "$id" '"state":"buried"'
    new --tube states --losses 3 --backoff 1000000000s --backoff-cap 0 --jitter 0 "lost"
    reserved "$id"
    new --tube states --losses 1 "lost, and buried"
    local buried=$id
    reserved "$id"
    hang_up
    shown "$buried" '"state":"buried"'
    connect
    new --tube states "touched, and deleted"
    reserved "$id"
    answers TOUCHED "touch $id"
    answers DELETED "delete $id"
}

corpus_moves() {
    new --tube from "moved"
    must move --to to "$id"
    new --tube from --key moved "moved with a key"
    must move --to to "$id"
    new --tube from --delay 10000d "moved in a delay"
    must move --to to "$id"
    new --tube from "moved when it was buried"
    must bury "$id"
    must move --to to "$id"
    new --tube from "moved there and back"
    must move --to to "$id"
    must move --to from "$id"
    # Of the level memory: the journal learns of them only now.
    new --tube volatile --group g --tag t "ready, from memory"
    must move --to to "$id"
    new --tube volatile --delay 10000d "delayed, from memory"
    must move --to to "$id"
    new --tube volatile --at 4000000000 "of a moment, from memory"
    must move --to to "$id"
    new --tube volatile --group g "buried, from memory"
    must bury "$id"
    must move --to to "$id"
    new --tube volatile "of the level memory"
    new --tube forever "where the pause has no end"
    must pause forever
    new --tube long "in a paused tube"
    must pause --time 10000d long
    new --tube short "in a tube that was paused"
    must pause short
    must resume short
}

# shellcheck disable=SC2016
corpus_pool() {
    local kind again='--backoff 1000000000s --backoff-cap 0 --jitter 0'
    for kind in 'exit 0' 'echo what it said; echo and more >&2; exit 0' 'exit 100' 'echo why it failed >&2; exit 1'; do
        new --tube obey --group of-pool --retention 30000d "$kind"
        tool wait "$id"
    done
    new --tube obey --retention 0 'exit 0'
    tool wait "$id" # nobody can say how it ended
    # Each with attempts that are over, and the next one far away.
    # shellcheck disable=SC2086 # several words
    {
        new --tube obey $again --attempts 5 'echo why >&2; exit 1'
        shown "$id" '"state":"delayed".*"failures":1'
        must kick "$id"
        shown "$id" '"state":"delayed".*"failures":2'
        new --tube obey $again --attempts 5 'exit 75'
        shown "$id" '"state":"delayed".*"failures":1'
        new --tube obey $again --attempts 5 'kill -KILL $$'
        shown "$id" '"state":"delayed".*"failures":1'
        new --tube partner $again --crashes 5 "that one crashes with"
        shown "$id" '"state":"delayed".*"crashes":1'
        new --tube obey $again --timeout 100ms --timeouts 5 'exec sleep 1000'
        shown "$id" '"state":"delayed".*"timeouts":1'
        new --tube obey $again --attempts 5 --key tried 'exit 1'
        shown "$id" '"state":"delayed".*"failures":1'
        must bury "$id"
        must kick --reset "$id"
        shown "$id" '"state":"delayed".*"failures":1'
    }
    new --tube obey --attempts 3 --backoff 1ms --retention 30000d 'echo "attempt $HILERA_ATTEMPT" >&2; exit 1'
    shown "$id" '"state":"buried".*"failures":3'
    new --tube obey --attempts 1 --retention 30000d 'exit 1'
    shown "$id" '"state":"buried"'
    must move --to obeyed "$id" # where no worker is
    must kick --reset "$id"
    new --tube obey --attempts 2 --backoff 1ms --retention 30000d --group of-pool '[ "$HILERA_ATTEMPT" = 2 ]'
    must wait "$id"
    # Results of workers elsewhere.
    new --tube elsewhere --retention 30000d "deleted, with a record"
    reserved "$id"
    answers DELETED "delete $id"
    new --tube elsewhere --retention 30000d "cancelled, with a record"
    must cancel "$id"
}

corpus_groups() {
    local i
    for i in true buried deleted cancelled reopened failed; do
        new --tube grouped --group ends "$i"
        case $i in
        buried) must bury "$id" ;;
        deleted) must delete "$id" ;;
        cancelled) must cancel "$id" ;;
        reopened) must bury "$id" && must kick "$id" ;;
        failed) must bury "$id" && must delete "$id" ;;
        true) must move --to obey "$id" && must wait "$id" ;; # a command that does nothing
        esac
    done
    new --tube grouped --group over "of a group that is over"
    must delete "$id"
}

# Puts and deletes until each segment that is there now was gone through.
corpus_churn() {
    local body i segments churned=0
    printf -v body '%020000d' 7
    segments=$(call stats | field segments)
    while [ "$(call stats | field segments_compacted)" -le "$segments" ]; do
        for i in 1 2 3 4 5; do new --tube churn "$body"; done
        must clear churn
        churned=$((churned + 1))
        [ $churned -lt 2000 ] || bail "nothing is compacted"
    done
}

# hole FILE FROM SIZE: zeros there.
hole() {
    dd if=/dev/zero of="$1" bs=1 seek="$2" count="$3" conv=notrunc status=none
}

# place DIR TEXT: sets $segment and $offset: where it stands, once.
place() {
    segment=$(grep -al "$2" "$1"/segment-*)
    [ "$(grep -ao "$2" "$segment" | wc -l)" = 1 ] || bail "\"$2\" isn't there once"
    offset=$(grep -abo "$2" "$segment" | cut -d: -f1)
}

corpus_make() {
    local segment offset
    daemon_prepare <<<"$corpus_conf$corpus_pools"
    chmod a+x "$daemon_dir"
    corpus_tool=$(everybodys "$hilera")
    corpus_begin
    corpus_puts
    corpus_changes
    new --tube plain "where it is damaged later"
    corpus_moves
    corpus_pool
    corpus_groups
    hang_up
    connect
    new --tube states "that is held"
    reserved "$id"
    new --tube states "that is held by a token"
    [[ $(ask "reserve-job-token $id") == RESERVED_TOKEN* ]] || bail "job $id can't be reserved"
    new --tube plain "where it ends, and is torn later"
    corpus_kill
    hang_up
    mkdir -p "$1"
    cp -a "$daemon_dir/state" "$1/all"
    cp -a "$1/all" "$1/damaged"
    place "$1/damaged" "where it is damaged later"
    hole "$segment" "$offset" 5
    cp -a "$1/all" "$1/torn"
    place "$1/torn" "where it ends, and is torn later"
    hole "$segment" $((offset + 9)) 2000
    rm "$1"/torn/history.db* # all records of jobs come from the journal
    corpus_begin
    corpus_churn
    corpus_kill
    cp -a "$daemon_dir/state" "$1/compacted"
}
