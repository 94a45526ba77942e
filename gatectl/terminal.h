// What stdout is, as far as tables care.
#pragma once

namespace gate::ctl {

struct Terminal {
    int columns = 0; // 0: it is no terminal
    bool colour =
        false; // never without a terminal, with NO_COLOR (any value but the empty one), or TERM=dumb
};

[[nodiscard]] Terminal look_at_terminal(int fd);

} // namespace gate::ctl
