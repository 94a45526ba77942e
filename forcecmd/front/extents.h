// Which bytes of a file have arrived. Clients pipeline and some reorder, so writes may come in any order; a
// hole that is left at the end is a failure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace gate::drop {

class Extents {
  public:
    // Separate runs that are remembered. A pipelining client is at most 64 requests ahead of itself; more
    // than this is nobody's way of sending a file, and would cost memory.
    static constexpr std::size_t k_max_runs = 256;

    // False if the write would need more runs than are remembered. `end` = offset + length, without overflow.
    [[nodiscard]] bool add(std::uint64_t begin, std::uint64_t end) {
        if (begin == end)
            return true;
        if (!runs_.empty() && begin == runs_.back().end) { // the usual case: the next piece
            runs_.back().end = end;
            return true;
        }
        auto first = std::ranges::find_if(runs_, [&](const Run& r) { return r.end >= begin; });
        auto last = std::find_if(first, runs_.end(), [&](const Run& r) { return r.begin > end; });
        if (first == last) {
            if (runs_.size() >= k_max_runs)
                return false;
            runs_.insert(first, {begin, end});
            return true;
        }
        first->begin = std::min(first->begin, begin);
        first->end = std::max(end, std::prev(last)->end);
        runs_.erase(std::next(first), last);
        return true;
    }

    // Forgets what lies behind `size`.
    void cut(std::uint64_t size) {
        while (!runs_.empty() && runs_.back().begin >= size)
            runs_.pop_back();
        if (!runs_.empty())
            runs_.back().end = std::min(runs_.back().end, size);
    }

    // The end of the last byte.
    [[nodiscard]] std::uint64_t size() const { return runs_.empty() ? 0 : runs_.back().end; }
    // Is every byte up to size() there?
    [[nodiscard]] bool whole() const {
        return runs_.empty() || (runs_.size() == 1 && runs_.front().begin == 0);
    }

  private:
    struct Run {
        std::uint64_t begin;
        std::uint64_t end;
    };
    std::vector<Run> runs_; // sorted, disjoint, not touching
};

} // namespace gate::drop
