// SPDX-License-Identifier: MIT
// The error table: errno values and the words the outside sees for them.
//
// Inside, a function returns 0 or an errno value. Where an error leaves the program (a JSON answer,
// a message of the client tool) it needs a word that programs can test and a sentence that people
// can read; errtab.def holds both, one row an error. All functions are pure: they may be called
// from any thread, and from a signal handler.
#ifndef BASE_ERRTAB_H
#define BASE_ERRTAB_H

// The word for `err` ("not_found"), as it stands in the `code` field of a JSON error. 0 is "ok"; a
// value without a row is "internal". Never NULL; the string is static.
const char *error_code(int err);

// The sentence for `err`, with its full stop. A value without a row gets the C library's
// description (no full stop), or "unknown error" where that has none either. Never NULL; the string
// is static.
const char *error_text(int err);

// The errno value behind a word, for a client that got one in an answer. 0 when there is no such
// word (a newer daemon may know more): treat that as an error without a name, not as success.
// `code` may be NULL, which is none.
int error_from_code(const char *code);

#endif
