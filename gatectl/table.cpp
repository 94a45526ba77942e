#include "gatectl/table.h"

#include <algorithm>
#include <numeric>

namespace gate::ctl {

namespace {

constexpr std::size_t k_gap = 2;   // places between columns
constexpr std::size_t k_least = 7; // of a column that is cut: some of it can still be recognised
constexpr std::string_view k_cut = "...";

void append_cell(std::string& out, std::string_view cell, std::size_t width, bool last, const char* colour) {
    const bool cut = cell.size() > width;
    const std::string_view shown =
        cut ? cell.substr(0, width > k_cut.size() ? width - k_cut.size() : width) : cell;
    if (colour != nullptr)
        out.append("\x1b[").append(colour).append("m");
    out += shown;
    std::size_t places = shown.size();
    if (cut && width > k_cut.size()) {
        out += k_cut;
        places += k_cut.size();
    }
    if (colour != nullptr)
        out += "\x1b[0m";
    out.append(last ? 0 : width - places + k_gap, ' ');
}

} // namespace

Table::Table(std::vector<std::string> header) : widths_(header.size(), 0) {
    add(header);
    rows_ = 0;
}

void Table::add(const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < widths_.size(); ++i) {
        widths_[i] = std::max(widths_[i], cells[i].size());
        cells_ += cells[i];
        cells_ += '\n';
    }
    ++rows_;
}

std::vector<std::size_t> Table::fitted(std::size_t columns) const {
    std::vector<std::size_t> widths = widths_;
    const std::size_t gaps = (widths.size() - 1) * k_gap;
    while (std::accumulate(widths.begin(), widths.end(), gaps) > columns) {
        const auto widest = std::max_element(widths.begin(), widths.end());
        if (*widest <= k_least)
            break; // a terminal that narrow breaks lines by itself
        --*widest;
    }
    return widths;
}

std::string Table::text(std::size_t columns, Colour colour) const {
    const std::vector<std::size_t> widths = columns == 0 ? widths_ : fitted(columns);
    std::string out;
    std::string_view rest = cells_;
    for (std::size_t row = 0; row <= rows_; ++row) {
        for (std::size_t column = 0; column < widths.size(); ++column) {
            const std::string_view cell = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(cell.size() + 1);
            append_cell(out, cell, widths[column], column + 1 == widths.size(),
                        row == 0 || colour == nullptr ? nullptr : colour(column, cell));
        }
        while (out.ends_with(' '))
            out.pop_back();
        out += '\n';
    }
    return out;
}

} // namespace gate::ctl
