#include "gatectl/setup/diff.h"

#include "gatectl/setup/accounts.h"
#include "lib/base/text.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <vector>

namespace gate::ctl::setup {

namespace {

constexpr std::size_t k_context = 3;
// Above this many pairs of lines (each file some 2,000) the middle is shown as removed and added.
constexpr std::size_t k_max_pairs = 4'000'000;

struct Line {
    char mark; // ' ', '-', '+'
    const std::string* text;
};

// The lines of both, in order, by the longest common subsequence.
[[nodiscard]] std::vector<Line> compare(const std::vector<std::string>& a,
                                        const std::vector<std::string>& b) {
    const std::size_t n = a.size();
    const std::size_t m = b.size();
    std::vector<Line> out;
    std::size_t i = 0;
    std::size_t j = 0;
    if (n * m <= k_max_pairs) {
        std::vector<std::uint32_t> common((n + 1) * (m + 1), 0);
        const auto at = [&](std::size_t x, std::size_t y) -> std::uint32_t& {
            return common[x * (m + 1) + y];
        };
        for (std::size_t x = n; x-- > 0;)
            for (std::size_t y = m; y-- > 0;)
                at(x, y) = a[x] == b[y] ? at(x + 1, y + 1) + 1 : std::max(at(x + 1, y), at(x, y + 1));
        while (i < n && j < m) {
            if (a[i] == b[j]) {
                out.push_back({' ', &a[i]});
                ++i;
                ++j;
            } else if (at(i + 1, j) >= at(i, j + 1)) {
                out.push_back({'-', &a[i++]});
            } else {
                out.push_back({'+', &b[j++]});
            }
        }
    }
    for (; i < n; ++i)
        out.push_back({'-', &a[i]});
    for (; j < m; ++j)
        out.push_back({'+', &b[j]});
    return out;
}

// Tabs and backslashes are what configuration files have; the rest of what is no printable text is escaped.
[[nodiscard]] std::string shown(const std::string& line) {
    std::string out;
    for (const char c : line)
        out += c == '\t' || c == '\\' ? std::string(1, c) : escape_visible({&c, 1});
    return out;
}

[[nodiscard]] std::string range(std::size_t begin, std::size_t count) {
    const std::size_t first = count == 0 ? begin : begin + 1;
    return count == 1 ? fmt::format("{}", first) : fmt::format("{},{}", first, count);
}

} // namespace

std::string unified_diff(const std::string& from_name, const std::string& to_name, const std::string& from,
                         const std::string& to) {
    if (from == to)
        return {};
    const auto a = lines(from);
    const auto b = lines(to);
    const auto all = compare(a, b);
    std::string out = "--- " + from_name + "\n+++ " + to_name + '\n';
    std::size_t in_a = 0; // lines of a, of b, before `at`
    std::size_t in_b = 0;
    std::size_t at = 0;
    const auto changed = [&](std::size_t i) { return all[i].mark != ' '; };
    while (at < all.size()) {
        std::size_t next = at;
        while (next < all.size() && !changed(next))
            ++next;
        if (next == all.size())
            break;
        const std::size_t begin = next - std::min(next - at, k_context);
        in_a += begin - at;
        in_b += begin - at;
        std::size_t end = next; // one behind the last changed line of this hunk
        for (std::size_t i = next; i < all.size() && i < end + 2 * k_context + 1; ++i)
            if (changed(i))
                end = i + 1;
        end = std::min(end + k_context, all.size());
        std::string body;
        std::size_t of_a = 0;
        std::size_t of_b = 0;
        for (std::size_t i = begin; i < end; ++i) {
            body += all[i].mark + shown(*all[i].text) + '\n';
            of_a += all[i].mark != '+' ? 1U : 0U;
            of_b += all[i].mark != '-' ? 1U : 0U;
        }
        out += "@@ -" + range(in_a, of_a) + " +" + range(in_b, of_b) + " @@\n" + body;
        in_a += of_a;
        in_b += of_b;
        at = end;
    }
    return out;
}

} // namespace gate::ctl::setup
