// When a key delivered last: the time of its memory file (lib/spool/memory.h), which each drop writes.
#pragma once

#include "lib/base/fd.h"
#include "lib/keyring/record.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gate::ctl {

class LastUses {
  public:
    enum class Asked : std::uint8_t { one, many }; // how many keys will be asked for

    // A directory that is not there has no uses. Throws Problem if it cannot be read.
    LastUses(const std::string& directory, Asked asked);

    // Seconds since the epoch; 0: never, as far as is remembered. Throws Problem.
    [[nodiscard]] std::int64_t of(const std::string& fingerprint) const;

  private:
    void read_all();

    std::string path_;
    Fd directory_;
    bool listed_ = false;                                              // times_ has all files
    std::vector<std::pair<keyring::Fingerprint, std::int64_t>> times_; // sorted
};

} // namespace gate::ctl
