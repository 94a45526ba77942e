// toml++, with an answer where version 3.3 (Debian 12) asserts: it should say that a key cannot begin so, and
// "[$" would end the program.
#pragma once

namespace gate::ctl {

struct AssertionFailed {};
[[noreturn]] inline void assertion_failed() {
    throw AssertionFailed();
}

} // namespace gate::ctl

#define TOML_ASSERT(expr) (static_cast<bool>(expr) ? void() : gate::ctl::assertion_failed())
#include <toml++/toml.h>
