// The most memory that was in use at a time since a Peak was made (bytes; counted by memory.h).
#pragma once

#include <cstddef>

namespace gate::fuzz {

inline std::size_t g_live_bytes = 0;
inline std::size_t g_peak_bytes = 0;

class Peak {
  public:
    Peak() : before_(g_live_bytes) { g_peak_bytes = g_live_bytes; }
    [[nodiscard]] std::size_t bytes() const { return g_peak_bytes - before_; }

  private:
    std::size_t before_;
};

} // namespace gate::fuzz
