#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks everything in one command: builds with warnings as errors, runs the suite, and the static checks. Prints a line a
# step and what went wrong; the last line is always "N passed, N failed".
#
# It needs nothing prepared: what is missing on a Debian is installed (packaging/deps.sh says what and why). All it makes is
# under build/; a second run builds only what changed. A test counts for each build it runs in, a static step counts as one.
#
# Two lanes share the machine: the builds with their tests, one after another, and beside them, at lower priority, the
# static steps. A step is a function step_NAME that succeeds or not; its output goes to build/check/NAME.log. To add
# one, write the function, put its name into a lane, and say what it needs in needs_of.
set -uo pipefail
cd "$(dirname "$0")" || exit 1
top=$PWD
logs=$top/build/check

test_lane=(plain dist asan tsan)
lint_lane=(format scripts fuzz cppcheck tidy)
daily=(plain format scripts)
full=(dist asan tsan format scripts fuzz cppcheck tidy)

usage() {
    cat <<'END'
usage: ./check.sh [--quick | --full] [--only STEP]... [--distcheck] [--jobs N]

Without arguments: the plain build and its tests, format and scripts.

  --full       all steps but plain, which is in dist
  --quick      only the plain build and its tests
  --only STEP  only this step (may be repeated)
  --distcheck  run the whole 'make distcheck', too, in the step 'dist'
  --jobs N     compile N files at once, and run twice as many tests (default: one a processor)

Steps with tests:  plain     the whole suite, but for the clients in other languages
                   dist      the release tarball, compiled by gcc -fanalyzer: the whole suite, and what is installed
                   asan      under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer: what reads
                             anything from outside or holds it in memory
                   tsan      under ThreadSanitizer: what has threads
Static steps:      format    clang-format
                   scripts   shellcheck
                   fuzz      libFuzzer on the beanstalk port, for half a minute, and on journals
                   cppcheck  cppcheck
                   tidy      clang-tidy
Logs are in build/check/. The exit status is 0 only if tests ran and none failed.
END
}

# The groups of packages (packaging/deps.tab) that step $1 needs.
needs_of() {
    case $1 in
    plain | asan | tsan) echo build test ;;
    dist) echo build test clients ;;
    format | scripts) echo form ;;
    *) echo build lint ;;
    esac
}

# ---- builds ----

# Makes build folder $1 with the remaining arguments for configure, unless it was made with the same ones before.
configured() {
    local folder=$top/build/$1
    shift
    mkdir -p "$folder" && cd "$folder" || return
    if [ ! -f Makefile ] || [ "$*" != "$(cat .arguments 2>/dev/null)" ]; then
        rm -f .arguments
        "$top/configure" --quiet "$@" || return
        echo "$*" >.arguments
    fi
}

# Makefile.in and configure belong to all build folders, so they are renewed here, once, and not by several makes at a time.
autotools_ready() {
    local made
    for made in configure Makefile.in; do
        [ -f $made ] && [ -z "$(find configure.ac Makefile.am m4/hl_*.m4 -newer $made)" ] || return
    done
}

step_autogen() {
    autotools_ready || ./autogen.sh
}

# Lines of code are all that is needed of debugging information, and the rest of it costs a seventh of the build.
as_checked=(--enable-werror CFLAGS="-O2 -g1")

# Runs the tests of the variable $1 of Makefile.am. Many of them wait rather than compute.
tests_run() {
    make -s "-j$jobs" check TESTS= "${@:2}" && make -s "-j$((2 * jobs))" check "TESTS=\$($1)" "${@:2}"
}

step_plain() {
    configured plain "${as_checked[@]}" && make -s "-j$jobs" && tests_run plain_tests
}

# The release tarball in a read-only folder, as a packager has it. The analyzer looks on as it is compiled, but for the
# tests: what they are for is to break rules. gcc 12 loses sight of memory that is reached only through a list node inside
# it, and calls that a leak; leaks are LeakSanitizer's, in the step asan.
step_dist() {
    configured plain "${as_checked[@]}" || return
    rm -f hilera-*.tar.* && make -s dist || return
    local fresh=$top/build/dist archive
    archive=$(echo "$PWD"/hilera-*.tar.xz)
    [ ! -e "$fresh/src" ] || chmod -R u+w "$fresh/src"
    rm -rf "$fresh/src" "$fresh/root" && mkdir -p "$fresh/src" "$fresh/build" &&
        tar -xJf "$archive" -C "$fresh/src" --strip-components=1 && chmod -R a-w "$fresh/src" &&
        cd "$fresh/build" || return
    [ -f Makefile ] || ../src/configure --quiet --enable-werror --prefix=/usr \
        CFLAGS="-O2 -g1 -fanalyzer -Wno-analyzer-malloc-leak" || return
    make -s -k "-j$jobs" && tests_run all_tests CFLAGS="-O2 -g1" && installs "$fresh/root" || return
    [ $distcheck = no ] || make -s -C "$top/build/plain" distcheck
}

# Whether make install puts into folder $1 what people need.
installs() {
    local file
    make -s install DESTDIR="$1" || return
    for file in lib/libhilera.so lib/pkgconfig/hilera.pc include/hilera/queue.h sbin/hilerad bin/hilera \
        lib/systemd/system/hilerad.service; do
        [ -e "$1/usr/$file" ] || {
            echo "make install did not install $file"
            return 1
        }
    done
}

# Unit tests that repeat something very often do so a tenth as often under a sanitizer (unit_rounds in tests/unit/unit.h).
step_asan() {
    configured asan --enable-werror --enable-asan CFLAGS="-O1 -g1" && make -s "-j$jobs" || return
    export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
    tests_run asan_tests
}

# On a kernel that spreads addresses further than this ThreadSanitizer knows, its programs stop at once; without the
# randomization they run.
step_tsan() {
    configured tsan --enable-werror --enable-tsan CFLAGS="-O1 -g1" && make -s "-j$jobs" || return
    echo 'int main(void) { return 0; }' >hello.c && gcc -fsanitize=thread -o hello hello.c || return
    if ./hello 2>/dev/null; then
        tests_run tsan_tests
    else
        export -f tests_run && export jobs
        setarch "$(uname -m)" -R bash -c 'tests_run tsan_tests'
    fi
}

# ---- static steps ----

# The project's files whose names match the pattern: what git knows of; without git, or in an unpacked tarball, what is
# there and was not made by autotools.
project_files() {
    {
        { [ -e .git ] && git ls-files --cached --others --exclude-standard 2>/dev/null; } ||
            find . \( -path './build*' -o -path './_*' -o -path ./autom4te.cache -o -path ./.git \) -prune -o \
                -type f -print | sed 's|^\./||'
    } | grep -E "$1" | while read -r file; do
        [ ! -f "$file" ] || echo "$file"
    done
}

step_format() {
    project_files '\.[ch]$' | xargs -r clang-format --dry-run -Werror
}

step_scripts() {
    project_files '\.(sh|test)$|^\.ci/run$|^bench/(compare|instructions|million|programs)$' | xargs -r -n 12 -P "$jobs" shellcheck
}

# What it finds interesting is kept in build/fuzz/corpus and tried first the next time; an input that fails is left in
# build/check. Seconds of the first target: HILERA_FUZZ_SECONDS. The second is slow, and has the same few thousand runs each
# time; CONTRIBUTING says how to let it loose.
step_fuzz() {
    local seconds=${HILERA_FUZZ_SECONDS:-30}
    configured fuzz --enable-fuzzer CC=clang && make -s "-j$jobs" tests/fuzz/fuzz_front tests/fuzz/fuzz_recover || return
    fuzz_target front "-max_total_time=$seconds" -dict="$top/tests/fuzz/front.dict" &&
        fuzz_target recover -seed=1 -runs=3000
}

fuzz_target() {
    mkdir -p "corpus/$1" && "tests/fuzz/fuzz_$1" "${@:2}" -timeout=25 -print_final_stats=1 \
        -artifact_prefix="$logs/" "corpus/$1" "$top/tests/fuzz/corpus/$1"
}

# The C files that are ours to analyse, and the preprocessor's flags for them.
analysed_files() {
    project_files '^(src|bench|doc/examples)/.*\.c$'
}

preprocessor_flags() {
    (configured plain "${as_checked[@]}" && make -s Makefile config.h) >&2 && make -s -C "$top/build/plain" print-cppflags &&
        echo "-I$top/tests/unit" # bench has some of it, too
}

step_cppcheck() {
    local flags
    flags=$(preprocessor_flags) || return
    mkdir -p "$logs/cppcheck"
    flags=$(tr ' ' '\n' <<<"$flags" | grep -E '^-[ID]' | grep -v -e '^-I/usr')
    # shellcheck disable=SC2086 # the flags are words
    analysed_files | cppcheck --quiet --file-list=- --enable=warning,performance,portability --inline-suppr \
        --error-exitcode=1 --std=c11 --library=gnu --cppcheck-build-dir="$logs/cppcheck" \
        --suppress=missingIncludeSystem $flags
}

# clang-tidy is slow and remembers nothing, so what it found good is remembered here, by a hash of all it looks at.
step_tidy() {
    local flags file hash seed bad=0 good=$logs/tidy
    flags="$(preprocessor_flags) -std=gnu17" || return
    seed=$(clang-tidy --version && cat .clang-tidy && echo "$flags")
    mkdir -p "$good"
    for file in $(analysed_files); do
        # shellcheck disable=SC2086 # the flags are words
        hash=$({ echo "$seed" && gcc -E -C -P $flags "$file"; } | sha256sum | cut -d' ' -f1) || return
        [ ! -e "$good/$hash" ] || continue
        # shellcheck disable=SC2086
        clang-tidy --quiet "$file" -- $flags 2>&1 | grep -v ' warnings\? generated\.$'
        if [ "${PIPESTATUS[0]}" -eq 0 ]; then
            touch "$good/$hash"
        else
            bad=1
        fi
    done
    return $bad
}

# ---- running and counting ----

# The counts of a run of 'make check' in log $1, as "passed failed skipped".
count_tests() {
    awk '/^# (PASS|XFAIL): / { passed += $3 }
         /^# (FAIL|XPASS|ERROR): / { failed += $3 }
         /^# SKIP: / { skipped += $3 }
         END { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

# What of a failed step is worth reading: the failed tests and the ends of their logs, else the end of the step's own log.
excerpt() {
    local name=$1 failures test
    failures=$(grep -E '^(FAIL|ERROR|XPASS): ' "$logs/$name.log" | head -n 20)
    if [ -z "$failures" ]; then
        grep -E -A 12 '(error|warning): ' "$logs/$name.log" | head -n 60 | grep . || tail -n 40 "$logs/$name.log"
        return
    fi
    echo "$failures"
    for test in $(cut -d' ' -f2 <<<"$failures" | sort -u | head -n 5); do
        echo "---- the end of $test's log"
        # distcheck builds in a folder of its own.
        find "$top/build/$name" "$top/build/plain"/hilera-* -path "*/${test%.*}.log" \
            -exec grep -hvE '^(PASS|SKIP|ok) ?' {} + 2>/dev/null | tail -n 40
    done
}

# Runs step $1, leaves its counts in build/check/$1.count, prints its line and, when it failed, an excerpt.
run_step() {
    local name=$1 status passed failed skipped began=$SECONDS line
    (eval "step_$name") >"$logs/$name.log" 2>&1 </dev/null
    status=$?
    case $name in
    plain | dist | asan | tsan)
        read -r passed failed skipped < <(count_tests "$logs/$name.log")
        if [ "$failed" -eq 0 ] && { [ $status -ne 0 ] || [ "$passed" -eq 0 ]; }; then
            failed=1
        fi
        ;;
    *)
        passed=$((status == 0)) failed=$((status != 0)) skipped=0
        ;;
    esac
    echo "$passed $failed" >"$logs/$name.count"
    line=$(printf '%-10s %4d passed' "$name" "$passed")
    [ "$failed" -eq 0 ] || line+=", $failed FAILED"
    [ "$skipped" -eq 0 ] || line+=", $skipped skipped"
    line+=" ($((SECONDS - began)) s)"
    [ "$failed" -eq 0 ] || line+=$'\n'$(excerpt "$name" | sed 's/^/    /')
    printf '%s\n' "$line"
    [ "$failed" -eq 0 ]
}

lane() {
    local name
    for name in "$@"; do
        [[ " ${chosen[*]} " != *" $name "* ]] || run_step "$name"
    done
}

# The last line, however the script ends. A step that was chosen and left no count was interrupted: a failure.
finish() {
    local name passed=0 failed=0 count
    trap - EXIT INT TERM
    if [ ${#lanes[@]} -gt 0 ]; then
        kill -TERM -- "${lanes[@]/#/-}"
        wait
    fi 2>/dev/null
    for name in "${chosen[@]}"; do
        read -r -a count < <(cat "$logs/$name.count" 2>/dev/null || echo 0 1)
        passed=$((passed + count[0]))
        failed=$((failed + count[1]))
    done
    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ] && [ $passed -gt 0 ]
    exit $? # said, or it were that of what ran before the trap
}

jobs=$(nproc)
distcheck=no
chosen=()
while [ $# -gt 0 ]; do
    case $1 in
    --quick) chosen+=(plain) ;;
    --full) chosen+=("${full[@]}") ;;
    --only)
        if [[ " ${test_lane[*]} ${lint_lane[*]} " != *" ${2-} "* ]]; then
            echo "check.sh: there is no step '${2-}'; there are: ${test_lane[*]} ${lint_lane[*]}" >&2
            exit 64
        fi
        chosen+=("$2")
        shift
        ;;
    --distcheck) distcheck=yes ;;
    --jobs)
        if ! [[ ${2-} =~ ^[1-9][0-9]*$ ]]; then
            echo "check.sh: --jobs needs a number from 1 up" >&2
            exit 64
        fi
        jobs=$2
        shift
        ;;
    --help)
        usage
        exit 0
        ;;
    *)
        echo "check.sh: unknown argument $1; see ./check.sh --help" >&2
        exit 64
        ;;
    esac
    shift
done
[ ${#chosen[@]} -gt 0 ] || chosen=("${daily[@]}")

mkdir -p "$logs"
rm -f "$logs"/*.count
lanes=()
trap finish EXIT
trap 'exit 130' INT TERM

# Each group once, in order of appearance.
read -r -a groups < <(for name in "${chosen[@]}"; do needs_of "$name"; done | tr ' ' '\n' | awk '!seen[$0]++' | paste -sd ' ')
packaging/deps.sh build "${groups[@]}" || exit
if ! step_autogen >"$logs/autogen.log" 2>&1; then
    tail -n 40 "$logs/autogen.log"
    exit 1
fi
# All steps but two read what configure makes in build/plain: it is made before the lanes begin.
if ! (configured plain "${as_checked[@]}") >"$logs/configure.log" 2>&1; then
    tail -n 40 "$logs/configure.log"
    exit 1
fi

set -m # each lane in a process group of its own, so that an interrupt ends all of it
lane "${test_lane[@]}" &
lanes+=($!)
(renice -n 10 -p $BASHPID >/dev/null && lane "${lint_lane[@]}") &
lanes+=($!)
wait
lanes=()
