// The command line.
#pragma once

namespace gate::ctl {

// Runs one command: stdout gets its result, stderr its remarks or the one line that says why not. Returns the
// exit status. Throws nothing.
[[nodiscard]] int run(int argc, const char* const* argv) noexcept;

} // namespace gate::ctl
