// A table for people: columns as wide as they need, or, on a terminal, as it has room for.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gate::ctl {

class Table {
  public:
    explicit Table(std::vector<std::string> header);
    // One cell for each column; printable ASCII without line ends (other bytes count as one place each).
    void add(const std::vector<std::string>& cells);
    [[nodiscard]] std::size_t rows() const { return rows_; }

    // `columns`: places in a line; 0: as many as are needed. Cells that do not fit end in "...".
    // `colour` of a cell (column, text): an SGR parameter such as "31", or nullptr.
    using Colour = const char* (*)(std::size_t column, std::string_view text);
    [[nodiscard]] std::string text(std::size_t columns, Colour colour = nullptr) const;

  private:
    [[nodiscard]] std::vector<std::size_t> fitted(std::size_t columns) const;

    std::vector<std::size_t> widths_;
    std::size_t rows_ = 0;
    std::string cells_; // each with a '\n' behind it; the header's first. A million rows are one text
};

} // namespace gate::ctl
