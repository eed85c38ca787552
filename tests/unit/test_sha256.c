// SPDX-License-Identifier: MIT
// SHA-256: the examples of the standard, and messages around the ends of blocks.

#include "base/sha256.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static void check(const char *bytes, size_t len, const char *hex)
{
    unsigned char hash[SHA256_SIZE];
    char text[2 * SHA256_SIZE + 1];
    sha256(bytes, len, hash);
    for (size_t i = 0; i < SHA256_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    ck_assert_str_eq(text, hex);
}

START_TEST(examples_of_the_standard)
{
    check("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}
END_TEST

START_TEST(ends_of_blocks)
{
    char bytes[1000];
    memset(bytes, 'a', sizeof(bytes));
    check(bytes, 55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
    check(bytes, 56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a");
    check(bytes, 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
    check(bytes, 1000, "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sha256");
    TCase *tcase = tcase_create("sha256");
    tcase_add_test(tcase, examples_of_the_standard);
    tcase_add_test(tcase, ends_of_blocks);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
