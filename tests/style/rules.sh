#!/bin/bash
# SPDX-License-Identifier: MIT
# Rules of jobs: src/job/rules.def is the table. Configuration and tool may not include it (layers.tab), and have tables of
# their own: each row of it is a parameter (src/config/rules.def) and an option of put (src/client/rules.def), and nothing
# else is. Tags, which stand on disk, are odd unless the codec says why not, and none is there twice.
# shellcheck disable=SC2016 # the dollar signs are for sed

# shellcheck source=tests/style/style.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/style/style.sh"

# "flat form" a line: NUMBER, KIND, TIME.
job_rules() {
    sed -nE 's/^JOB_RULE\([A-Z_]+, [0-9]+, [0-9]+, ([A-Z]+), .*, "[a-z_.]+", "([a-z_]+)", "[^"]*"\)$/\2 \1/p' \
        "$1/src/job/rules.def" | sort
}

config_rules() {
    sed -nE 's/^RULE\([A-Z]+, ([a-z_]+), ([A-Z]+), .*/\1 \2/p' "$1/src/config/rules.def" |
        sed 's/ INT$/ NUMBER/; s/ DURATION$/ TIME/; s/ BACKOFF$/ KIND/' | sort
}

# The form, and the word, too: "flat form word".
client_rules() {
    sed -nE 's/^RULE\([A-Z_]+, "([a-z-]+)", "[A-Z]+", ([A-Z]+), "([a-z_.]+)", .*/\1 \2 \3/p' "$1/src/client/rules.def" |
        sed 's/ LIMIT / NUMBER /; s/ PERCENT / NUMBER /; :a; s/^\([a-z_]*\)-/\1_/; ta' | sort
}

job_words() {
    sed -nE 's/^JOB_RULE\([A-Z_]+, [0-9]+, [0-9]+, ([A-Z]+), .*, "([a-z_.]+)", "([a-z_]+)", "[^"]*"\)$/\3 \1 \2/p' \
        "$1/src/job/rules.def" | sort
}

# differences PATH EXPECTED FOUND
differences() {
    diff <(echo "$2") <(echo "$3") | sed -nE "s|^< (.*)|$1: lacks \1|p; s|^> (.*)|$1: has \1, which src/job/rules.def has not|p"
}

rule_faults() {
    differences src/config/rules.def "$(job_rules "$1")" "$(config_rules "$1")"
    differences src/client/rules.def "$(job_words "$1")" "$(client_rules "$1")"
    # Rules of an object stand together: whoever tells them opens it once.
    sed -nE 's/^JOB_RULE\(.*, "([a-z_]+)\.?[a-z_]*", "[a-z_]+", "[^"]*"\)$/\1/p' "$1/src/job/rules.def" | uniq | sort | uniq -d |
        sed 's|.*|src/job/rules.def: the rows of & are apart|'
}

# Of both tables of options, and those that the codec has itself.
tags() {
    sed -nE 's/^JOB_RULE\([A-Z_]+, [0-9]+, ([0-9]+),.*/\1/p' "$1/src/job/rules.def"
    sed -nE 's/^JOB_OPTION\([A-Z_]+, ([0-9]+),.*/\1/p' "$1/src/job/options.def"
    sed -nE 's/^    OPTION_[A-Z_]+ = ([0-9]+)\b.*/\1/p' "$1/src/job/codec.c"
}

meant_even() {
    sed -nE 's/^    OPTION_[A-Z_]+ = ([0-9]+),? *\/\* even: .*/\1/p' "$1/src/job/codec.c"
}

tag_faults() {
    tags "$1" | sort -n | uniq -d | sed 's/.*/src\/job: the tag & is there twice/'
    # What is even an older hilera may leave out; it would forget the rule. Where that is meant, the codec says so.
    tags "$1" | grep '[02468]$' | grep -vxFf <(meant_even "$1") | sed 's/.*/src\/job: the tag & is even/'
}

is "$(job_rules "$top_srcdir" | grep -c .)" "$(grep -c '^JOB_RULE(' "$top_srcdir/src/job/rules.def")" "every rule is read"
is "$(tags "$top_srcdir" | grep -c .)" "$(($(grep -cE '^JOB_RULE\(' "$top_srcdir/src/job/rules.def") + \
    $(grep -cE '^JOB_OPTION\(' "$top_srcdir/src/job/options.def") + $(grep -cE '^    OPTION_[A-Z]+ = ' "$top_srcdir/src/job/codec.c")))" \
    "every tag, too"
style_clean "configuration and tool have every rule" rule_faults
style_clean "tags of options are odd, and each is of one" tag_faults

# plant NAME PATTERN FILE SED-SCRIPT CHECK: the fault is found.
plant() {
    style_copy
    sed -i "$4" "$style_root/$3"
    style_planted "reported: $1" "$2" "$5"
}
plant "a rule that the configuration lacks" "^src/config/rules.def: lacks crashes NUMBER" src/config/rules.def '/crashes/d' \
    rule_faults
plant "a rule that the tool lacks" "^src/client/rules.def: lacks backoff_cap TIME backoff.cap" src/client/rules.def \
    '/backoff-cap/d' rule_faults
plant "a parameter that is no rule" "^src/config/rules.def: has luck TIME" src/config/rules.def \
    '$a RULE(BOTH, luck, DURATION, "", 0, 1, "chance")' rule_faults
plant "a new rule" "^src/config/rules.def: lacks luck NUMBER" src/job/rules.def \
    '$a JOB_RULE(LUCK, 31, 99, NUMBER, luck, 0, 1, 0, "luck", "luck", "chance")' rule_faults
plant "another form" "^src/client/rules.def: has timeout NUMBER" src/client/rules.def '/^RULE(TIMEOUT,/s/, TIME,/, NUMBER,/' \
    rule_faults
plant "another word" "^src/client/rules.def: has jitter NUMBER jitter" src/client/rules.def 's/"backoff.jitter"/"jitter"/' \
    rule_faults
plant "an object in two parts" "^src/job/rules.def: the rows of backoff are apart" src/job/rules.def \
    '$a JOB_RULE(LUCK, 31, 99, NUMBER, luck, 0, 1, 0, "backoff.luck", "luck", "chance")' rule_faults
plant "a tag twice" "the tag 9 is there twice" src/job/rules.def 's/CRASHES, 1, 11/CRASHES, 1, 9/' tag_faults
plant "a tag of the codec" "the tag 43 is there twice" src/job/rules.def 's/CRASHES, 1, 11/CRASHES, 1, 43/' tag_faults
plant "a tag that an older one may leave out" "the tag 12 is even" src/job/rules.def 's/CRASHES, 1, 11/CRASHES, 1, 12/' \
    tag_faults

finish
