// How many files wait in data_in. Counted at most every 5 s, by the session that finds the number old, before
// its sandbox; the others believe it. Never once per upload: a directory of 50,000 files takes milliseconds.
#pragma once

#include "lib/base/fd.h"
#include "lib/base/result.h"

#include <cstdint>

namespace gate::spool {

inline constexpr const char* k_backlog_name = "backlog"; // in StatePaths::directory
inline constexpr std::int64_t k_backlog_fresh_us = 5'000'000;

// Files in an open directory, `enough` at the most: nobody needs to know more. Errors: system.
[[nodiscard]] Result<std::uint64_t> count_files(int directory, std::uint64_t enough);

class Backlog {
  public:
    // Counts if the number is old and nobody else is counting; at most `most` + 1 are counted. `data_in` is
    // an open directory. Errors: those of open_shared; then nothing is known, and room() is true.
    [[nodiscard]] Result<void> open(int state_dir, int data_in, std::uint64_t most);

    // Is there room for one more beside what was counted last, by whomever, and what this session has added?
    [[nodiscard]] bool room();
    void added() { ++added_; }
    [[nodiscard]] int fd() const { return fd_.get(); }

  private:
    Fd fd_;
    std::uint64_t most_ = 0;
    std::uint64_t added_ = 0; // by this session, since `counted_at_`
    std::int64_t counted_at_ = 0;
    std::uint64_t count_ = 0;
};

} // namespace gate::spool
