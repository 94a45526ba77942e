// From the store to the file that pam_pandora reads (lib/enrol/codes.h).
#pragma once

#include "gatectl/context.h"
#include "gatectl/store/store.h"
#include "lib/enrol/codes.h"

#include <string>

namespace gate::ctl {

// Where the file lies: in a directory of its own beside the keyring.
[[nodiscard]] std::string code_directory(const Context& context);

// The salt of the store; made when there is none.
[[nodiscard]] enrol::Salt salt_of(Store& store);

// Writes what the store has, inside the caller's write transaction and before it commits: the store decides
// what a code is worth, so that a file which is ahead of it lets somebody log in and do nothing. Throws
// Problem.
void write_code_file(const Context& context, Store& store, std::int64_t now);

// The same in a transaction of its own.
void write_code_file(const Context& context);

// `size` random bytes of the kernel. Throws Problem.
void fill_random(void* to, std::size_t size);

} // namespace gate::ctl
