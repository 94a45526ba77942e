// How setup runs other programs (useradd, sshd -t, systemctl), and hears what a server says: the one seam, so
// that a test can stand in for all of them and make the n-th one fail. No shell: absolute paths, a list of
// arguments, a clean environment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gate::ctl::setup {

struct Ran {
    int status = 0;   // the exit status; 128 + N: ended by signal N; 127: it could not be started
    std::string text; // what it said, on either output, as far as k_max_output
};

class Runner {
  public:
    Runner() = default;
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;
    virtual ~Runner() = default;
    // `input` is its standard input: less than a pipe holds (64 KiB).
    [[nodiscard]] virtual Ran run(const std::vector<std::string>& argv, std::string_view input = {});
    // What the server on that port of this machine says first, a line at most; it is waited for, as long as
    // nobody listens there, too. Empty: nothing came in that time.
    [[nodiscard]] virtual std::string greeting(std::uint16_t port, int milliseconds);
};

// For a person: "usermod -s /usr/... pandora".
[[nodiscard]] std::string words_of(const std::vector<std::string>& argv);

} // namespace gate::ctl::setup
