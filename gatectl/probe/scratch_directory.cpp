#include "gatectl/probe/scratch_directory.h"

#include "gatectl/problem.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/random.h>
#include <unistd.h>

namespace gate::ctl {

ScratchDirectory::ScratchDirectory() : path_("/tmp/pandora-gate-probe.XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr)
        stop(Status::cant_create, "cannot make a directory in /tmp: {}", describe(fail_errno("").error()));
}

ScratchDirectory::~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string ScratchDirectory::write(std::string_view name, std::string_view bytes) const {
    std::string path = *this / name;
    const Fd fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    if (!fd.valid() || !write_all(fd.get(), std::as_bytes(std::span(bytes))))
        stop(Status::io, "cannot write {}", path);
    return path;
}

std::string random_word() {
    std::array<std::uint8_t, 4> bytes{};
    // Without a random number zeros are a name too.
    [[maybe_unused]] const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
    return hex_encode(bytes);
}

} // namespace gate::ctl
