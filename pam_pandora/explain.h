// An Error for a log line.
#pragma once

#include "lib/base/result.h"

#include <cstring>
#include <string>

namespace gate::pam {

// What failed, and errno's words if there is one: glibc's static, untranslated ones, so no locale is touched.
[[nodiscard]] inline std::string explain(const Error& error) {
    std::string out = error.what;
    if (const char* const words = error.sys_errno != 0 ? ::strerrordesc_np(error.sys_errno) : nullptr) {
        out += ": ";
        out += words;
    }
    return out;
}

} // namespace gate::pam
