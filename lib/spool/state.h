// Where sessions keep what must outlive them: GATE_STATEDIR/state, a directory of the account (0700) that
// `publish` makes. In it a memory file a key (memory.h), the count of the backlog (backlog.h) and of the
// quarantine (quarantine.h). The pause file lies beside it and is root's (pause.h).
#pragma once

namespace gate::spool {

inline constexpr const char* k_state_directory = GATE_STATEDIR;
inline constexpr const char* k_memory_directory = GATE_STATEDIR "/state";

} // namespace gate::spool
