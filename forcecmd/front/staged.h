// The content of one file while it arrives: in ordinary memory while it is small, in a memfd when it is not.
// At the end a memfd is sealed: what the publisher hashes is what it publishes.
#pragma once

#include "forcecmd/front/extents.h"
#include "lib/base/fd.h"
#include "lib/spool/reason.h"

#include <string>
#include <string_view>

namespace gate::drop {

class Staged {
  public:
    // Any order, overlaps allowed. The caller has checked that offset + size does not overflow and is not too
    // much.
    [[nodiscard]] spool::Reason write(std::uint64_t offset, std::string_view bytes);
    // Not larger than size().
    [[nodiscard]] spool::Reason truncate(std::uint64_t size);
    // Reason::incomplete if there is a hole. After this nothing can be changed.
    [[nodiscard]] spool::Reason seal();

    // The end of the last byte that has arrived.
    [[nodiscard]] std::uint64_t size() const { return extents_.size(); }
    [[nodiscard]] bool whole() const { return extents_.whole(); }
    // After seal(): the content is in one of the two. -1: it is small.
    [[nodiscard]] int memory() const { return memory_.get(); }
    [[nodiscard]] std::string_view small() const { return small_; }

  private:
    [[nodiscard]] bool move_to_memory();

    Extents extents_;
    std::string small_;
    Fd memory_;
};

} // namespace gate::drop
