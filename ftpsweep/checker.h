// The process that reads what is in uploads: XML of strangers is parsed where there is no file system and
// nothing but memory, as drop's front does it. It is shown the content in memory that it cannot write, and
// says its verdict; taken over, it could lie about that, and do nothing else.
#pragma once

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/keyring/policy.h"
#include "lib/spool/content.h"

#include <cstddef>
#include <span>
#include <sys/types.h>

namespace gate::sweep {

// The most that an upload may have to be looked at, in bytes: what drop.max_file_size may be raised to.
inline constexpr std::size_t k_max_upload = std::size_t{64} * 1024 * 1024;

class Checker {
  public:
    // Forks. Errors: system.
    [[nodiscard]] static Result<Checker> start();
    ~Checker(); // ends it
    Checker(Checker&& other) noexcept;
    Checker& operator=(Checker&&) = delete;

    // Where the content has to be put: k_max_upload bytes.
    [[nodiscard]] std::span<std::byte> buffer() const { return buffer_; }
    // The first `size` bytes of it. Errors: closed (it ended, or did not answer in time: it must not be asked
    // again), bad_input (no verdict that there is).
    [[nodiscard]] Result<spool::Verdict> check(std::size_t size);

    [[nodiscard]] int channel() const { return channel_.get(); }
    [[nodiscard]] pid_t pid() const { return pid_; }

  private:
    Checker(Fd channel, std::span<std::byte> buffer, pid_t pid)
        : channel_(std::move(channel)), buffer_(buffer), pid_(pid) {}

    Fd channel_;
    std::span<std::byte> buffer_;
    pid_t pid_;
};

} // namespace gate::sweep
