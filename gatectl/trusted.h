// Directories in data_in whose files the server trusts (conf, md5, collections): when the account may write
// there all the same. `setup` leaves those as they are, and `doctor` only notes them.
#pragma once

#include <algorithm>
#include <array>
#include <sys/types.h>

namespace gate::ctl {

// Does a Tentacle server run, or start, here? Pandora FMS lets it run as the account. `Tree`: has exists().
template<typename Tree>
[[nodiscard]] bool uses_tentacle(const Tree& tree) {
    constexpr std::array k_files = {
        "/etc/init.d/tentacle_serverd", "/etc/systemd/system/tentacle_serverd.service",
        "/usr/lib/systemd/system/tentacle_serverd.service", "/lib/systemd/system/tentacle_serverd.service"};
    return std::any_of(k_files.begin(), k_files.end(),
                       [&tree](const char* file) { return tree.exists(file); });
}

// By its group, that of the web server or the like, which needs it.
[[nodiscard]] constexpr bool writes_by_group(mode_t mode, bool is_member) {
    return (mode & 0020) != 0 && is_member;
}

} // namespace gate::ctl
