# SPDX-License-Identifier: MIT
# Makes the rules of the unit tests, tests/unit/tests.am, out of the table tests/unit/tests.tab: for automake, which
# includes them in Makefile.am.

BEGIN { print "# Made by tests/unit/tests.awk out of tests/unit/tests.tab; change that." }

/^#/ || NF == 0 { next }

NF < 3 || $1 !~ /^[a-z0-9_]+$/ || $2 !~ /^(one|threads)$/ {
    printf "%s:%d: a row is a name, \"one\" or \"threads\", and the folders that it is linked with\n", FILENAME, FNR | "cat >&2"
    failed = 1
    exit
}

{
    program = "tests_unit_test_" $1
    links = "libunit.a"
    for (i = 3; i <= NF; i++)
        links = links " $(with_" $i ")"
    printf "\nunit_tests += tests/unit/test_%s\n", $1
    if ($2 == "threads")
        printf "threaded_unit_tests += tests/unit/test_%s\n", $1
    printf "%s_SOURCES = tests/unit/test_%s.c\n", program, $1
    printf "%s_CPPFLAGS = $(unit_cppflags)\n", program
    printf "%s_LDADD = %s $(CHECK_LIBS)\n", program, links
}

END { exit failed }
