// Where sessions keep what must outlive them: GATE_STATEDIR/state, a directory of the account (0700) that
// `publish` makes. In it a memory file a key (memory.h), the count of the backlog (backlog.h) and of the
// quarantine (quarantine.h). The pause file lies beside it and is root's (pause.h).
#pragma once

#include <string>

namespace gate::spool {

struct StatePaths {
    std::string directory = GATE_STATEDIR "/state";
    std::string pause = GATE_STATEDIR "/pause";
};

} // namespace gate::spool
