#include "gatectl/terminal.h"

#include "lib/base/text.h"

#include <cstdlib>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace gate::ctl {

namespace {

constexpr int k_usual = 80;    // of a terminal that does not say
constexpr int k_most = 10'000; // more is no terminal's width

[[nodiscard]] std::string_view variable(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

} // namespace

Terminal look_at_terminal(int fd) {
    Terminal out;
    if (::isatty(fd) != 1)
        return out;
    winsize size{};
    const auto wanted = parse_u64(variable("COLUMNS"));
    if (wanted && *wanted > 0 && *wanted <= k_most)
        out.columns = static_cast<int>(*wanted);
    else if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        out.columns = size.ws_col;
    else
        out.columns = k_usual;
    const std::string_view term = variable("TERM");
    out.colour = variable("NO_COLOR").empty() && !term.empty() && term != "dumb";
    return out;
}

} // namespace gate::ctl
