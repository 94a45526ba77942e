#include "gatectl/progress.h"

#include "lib/base/clock.h"

#include <algorithm>
#include <cstdio>

namespace gate::ctl {

namespace {
constexpr std::int64_t k_patience_ms = 500; // shorter than that is not long
constexpr std::int64_t k_often_ms = 100;
constexpr std::uint64_t k_calls = 256; // between two looks at the clock: the caller has a million
} // namespace

BarText bar_text(std::uint64_t done, std::uint64_t total) {
    constexpr unsigned k_width = 24;
    constexpr unsigned k_percent = 100;
    // By division first: a product could overflow.
    const double part =
        total == 0 ? 0.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    const auto full = static_cast<unsigned>(part * k_width);
    BarText out{};
    char bar[k_width + 1] = {};
    for (unsigned i = 0; i < k_width; ++i)
        bar[i] = i < full ? '#' : '-';
    std::snprintf(out.text, sizeof out.text, "[%s] %3u %%", bar, static_cast<unsigned>(part * k_percent));
    return out;
}

void ProgressBar::show(const char* what, std::uint64_t done, std::uint64_t total) {
    if (++calls_ % k_calls != 1 && done != total)
        return;
    const std::int64_t now = monotonic_ms();
    if (begun_ms_ == 0)
        begun_ms_ = now;
    if (now - begun_ms_ < k_patience_ms || now - shown_ms_ < k_often_ms)
        return;
    shown_ms_ = now;
    visible_ = true;
    std::fprintf(stderr, "\r\033[K%s %s", what, bar_text(done, total).text);
    std::fflush(stderr);
}

void ProgressBar::clear() {
    if (visible_)
        std::fputs("\r\033[K", stderr);
    visible_ = false;
}

} // namespace gate::ctl
