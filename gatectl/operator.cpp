#include "gatectl/operator.h"

#include "lib/base/text.h"

#include <cstdlib>
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>
#include <vector>

namespace gate::ctl {

namespace {
constexpr std::size_t k_max_name = 64;
}

std::string operator_name() {
    const uid_t uid = ::getuid();
    // Only root's SUDO_USER means anything: for anybody else it is a variable like another.
    const char* sudo = uid == 0 ? std::getenv("SUDO_USER") : nullptr;
    if (sudo != nullptr && *sudo != '\0')
        return escape_visible(sudo, k_max_name);
    std::vector<char> buffer(16 * 1024);
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
        return escape_visible(found->pw_name, k_max_name);
    return fmt::format("uid {}", uid);
}

} // namespace gate::ctl
