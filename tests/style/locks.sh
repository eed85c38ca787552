#!/bin/bash
# SPDX-License-Identifier: MIT
# Locks: what hilera itself locks goes through its lock library, with a class of the one table (src/thr/lock_classes.def),
# so that the order check sees all of it. Raw mutexes are left to src/thr, which is that library, and src/base below it.

# shellcheck source=tests/style/style.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/style/style.sh"

lock_faults() {
    (
        cd "$1" || exit
        awk -F '[(,]' '
            /^LOCK_CLASS\(/ {
                name = $2
                rank = $3 + 0
                if (name in seen) printf "%s:%d: %s is there twice\n", FILENAME, FNR, name
                if (rank <= last) printf "%s:%d: the rank of %s does not rise\n", FILENAME, FNR, name
                seen[name] = 1
                last = rank
            }' src/thr/lock_classes.def
        mapfile -t files < <(style_files src . | grep -E '\.[ch]$')
        mapfile -t above < <(printf '%s\n' "${files[@]}" | grep -vE '^src/(thr|base)/')
        sed -n 's/^LOCK_CLASS(\([a-z_0-9]*\),.*/\1/p' src/thr/lock_classes.def | while read -r name; do
            grep -qw "LOCK_CLASS_$name" "${files[@]}" ||
                echo "src/thr/lock_classes.def:$(grep -n "^LOCK_CLASS($name," src/thr/lock_classes.def |
                    cut -d: -f1): nothing is of class $name"
        done
        [ ${#above[@]} -gt 0 ] || exit 0
        grep -HnE '\bpthread_(mutex|rwlock|spin|cond|barrier)_|\b(mtx|cnd)_[a-z]+\(' "${above[@]}" |
            sed 's/\(:[0-9]*\):.*/\1: a raw lock escapes the order check; use hl_lock with a class/'
        grep -HnE '\bhl_lock_class_register\(' "${above[@]}" |
            sed 's/\(:[0-9]*\):.*/\1: a class of hilera belongs into src\/thr\/lock_classes.def/'
        grep -HnE '\bhl_lock_new\([^;]*NULL\);?' "${above[@]}" |
            sed 's/\(:[0-9]*\):.*/\1: a lock without class has no rank/'
    )
}

style_clean "every lock has a class, every class a place in the table" lock_faults

style_copy
plant() {
    local name=$1 pattern=$2 path=$3
    shift 3
    style_plant "$path" "$@"
    style_planted "reported: $name" "^$path:$pattern" lock_faults
    rm "$style_root/$path"
}
plant "a raw mutex" "1: a raw lock" src/broker/x.c 'pthread_mutex_lock(&mutex);'
plant "a raw condition" "1: a raw lock" src/net/x.c 'pthread_cond_t c; pthread_cond_wait(&c, &m);'
plant "a class outside of the table" "1: a class of hilera" src/net/x.c 'hl_lock_class_register(&class, "x", 1);'
plant "a lock without class" "1: a lock without class" src/net/x.c 'int rc = hl_lock_new(&lock, "x", NULL);'

table=src/thr/lock_classes.def
cp "$style_root/$table" "$style_temp/table"
plant_row() {
    cat "$style_temp/table" - >"$style_root/$table" <<<"$3"
    style_planted "reported: $1" "^$table:[0-9]+: $2" lock_faults
}
plant_row "a rank that does not rise" "the rank of low" 'LOCK_CLASS(low, 1, "x")'
plant_row "a class twice" "broker is there twice" 'LOCK_CLASS(broker, 999999, "x")'
plant_row "a class nobody uses" "nothing is of class idle" 'LOCK_CLASS(idle, 999999, "x")'

finish
