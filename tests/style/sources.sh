#!/bin/bash
# SPDX-License-Identifier: MIT
# The form of source files: the licence line, the essay a file opens with, how long files, functions and lines may be, that
# the build knows every file, and that no test sleeps.

# shellcheck source=tests/style/style.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/style/style.sh"

max_lines=600
max_function=80
max_width=100

form_faults() {
    {
        style_files src "$1"
        style_files include "$1"
        style_files tests "$1"
        style_files bench "$1"
        style_files doc "$1"
    } | grep -E '\.[ch]$' | (cd "$1" &&
        xargs awk -v max_lines=$max_lines -v max_function=$max_function -v max_width=$max_width -f "$top_srcdir/tests/style/sources.awk")
}

# Scripts: an interpreter or a shellcheck line first, then the licence.
script_faults() {
    style_all_files "$1" | (
        cd "$1" || exit
        while read -r file; do
            case $file in
            *.sh | *.test | *.bash | .ci/run) ;;
            *) continue ;;
            esac
            head -n 1 "$file" | grep -qE '^#(!/bin/(ba)?sh| shellcheck shell=bash)$' ||
                echo "$file:1: neither #!/bin/bash, #!/bin/sh, nor # shellcheck shell=bash"
            sed -n 2p "$file" | grep -qx '# SPDX-License-Identifier: MIT' || echo "$file:2: no licence line"
            sed -n 3p "$file" | grep -q '^# [A-Z]' || echo "$file:3: no comment that says what it is"
        done
    )
}

# A file that Makefile.am does not name is neither built nor in the tarball. Unit tests are rows of their table.
unbuilt_faults() {
    {
        style_files src "$1"
        style_files include "$1"
        style_files tests "$1"
    } | (
        cd "$1" || exit
        while read -r file; do
            case $file in
            tests/unit/test_*.c)
                name=${file#tests/unit/test_} name=${name%.c}
                grep -qE "^$name +[a-z]" tests/unit/tests.tab || echo "$file:1: tests/unit/tests.tab has no row for it"
                ;;
            *) grep -qF "$file" Makefile.am || echo "$file:1: Makefile.am does not name it" ;;
            esac
        done
    )
}

# Tests wait for what happens, never for a time. In scripts a sleep that is an argument (a job that sleeps) is no wait,
# and in slow_disk.c it is the disk that takes its time.
sleep_faults() {
    style_files tests "$1" | (
        cd "$1" || exit
        mapfile -t files
        mapfile -t code < <(printf '%s\n' "${files[@]}" | grep -E '\.[ch]$' | grep -vxF tests/programs/slow_disk.c)
        mapfile -t scripts < <(printf '%s\n' "${files[@]}" | grep -E '\.(sh|test)$')
        grep -HnE '\b(u|nano|clock_nano)?sleep[[:blank:]]*\(' "${code[@]}" | sed 's/\(:[0-9]*\):.*/\1: a test sleeps/'
        grep -HnE '(^|[;&|(`!]|\b(then|do|else|while|until|if))[[:blank:]]*(/bin/|/usr/bin/)?sleep[[:blank:]]' \
            "${scripts[@]}" | sed 's/\(:[0-9]*\):.*/\1: a test sleeps/'
    )
}

style_clean "C files: licence, essay, at most $max_lines lines, functions of at most $max_function" form_faults
style_clean "scripts: interpreter, licence, what it is" script_faults
style_clean "Makefile.am names every source file" unbuilt_faults
style_clean "no test sleeps" sleep_faults

style_copy
plant() {
    local name=$1 faults=$2 pattern=$3 path=$4
    shift 4
    style_plant "$path" "$@"
    style_planted "reported: $name" "^$path:$pattern" "$faults"
    rm "$style_root/$path"
}
mapfile -t essay <<<$'// SPDX-License-Identifier: MIT\n// What this file is about.\n// Why it is made so.'
mapfile -t many < <(yes 'int many;' | head -n 700)
plant "no licence" form_faults 1 src/base/x.c '// What it is.' '// Why it is.'
plant "no essay" form_faults 2 src/base/x.c "${essay[0]}" '' '#include <stdio.h>'
plant "an essay that says nothing" form_faults 2 src/base/x.c "${essay[0]}" '// A thing.' '#include <stdio.h>'
plant "a long file" form_faults "703: more than $max_lines" src/base/x.c "${essay[@]}" "${many[@]}"
plant "a long function" form_faults "5: a function of 81" src/base/x.c "${essay[@]}" 'void x(void)' '{' "${many[@]:0:81}" '}'
plant "a long line" form_faults "4: a line of 101" src/base/x.c "${essay[@]}" "// $(printf '%098d' 0)"
plant "a script without licence" script_faults 2 tests/x.sh '#!/bin/bash' '# What it is.' 'true'
plant "a script without interpreter" script_faults 1 tests/x.sh 'true'
plant "a file the build does not know" unbuilt_faults 1 src/base/unnamed.c "${essay[@]}"
plant "a unit test without a row" unbuilt_faults 1 tests/unit/test_unnamed.c "${essay[@]}"
plant "a test in C that sleeps" sleep_faults "1: a test sleeps" tests/unit/x.c '    usle''ep(1000);'
plant "a script that sleeps" sleep_faults "1: a test sleeps" tests/x.test 'while true; do sle''ep 1; done'

style_plant src/base/x.c "${essay[@]}" 'void x(void)' '{' "${many[@]:0:80}" '}'
is "$(form_faults "$style_root")" "" "not reported: a function of $max_function lines"
style_plant tests/x.test 'hilera put --exec sle''ep 5' '# sleep is a command'
is "$(sleep_faults "$style_root")" "" "not reported: a job that sleeps"

finish
