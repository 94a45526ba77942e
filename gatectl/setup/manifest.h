// What setup has changed, and what was there before: /var/lib/pandora-gate/setup (0700 root), a JSON file and
// copies of the files. Written before the machine is changed, so that whatever ends setup in the middle can
// be taken back by `setup --remove`.
#pragma once

#include "gatectl/setup/place.h"
#include "gatectl/setup/sshd.h"
#include "gatectl/setup/step.h"

#include <optional>
#include <string>
#include <vector>

namespace gate::ctl::setup {

inline constexpr const char* k_setup_state = GATE_STATEDIR "/setup";

struct Entry {
    Step step{};       // `from`: what was there before setup; `to`: as setup left it (of a file only its sum)
    std::string sum{}; // SHA-256 of the file that setup wrote
    std::string backup{}; // name of the copy of `from`, if that was a file
    bool edited = false;  // somebody's own lines are in what setup wrote last
};

class Manifest {
  public:
    // Empty where there is none. Throws Problem (bad_data).
    [[nodiscard]] static Manifest read(const Place& place);
    // The files' copies as well. Throws Problem (io).
    void write(Place& place);
    // Nothing of it, and of the directory, is left.
    void erase(Place& place) const;

    [[nodiscard]] const Entry* find(Step::Kind kind, const std::string& name) const;
    // A step that was (or is about to be) done: what is known of before stays, and so does what somebody has
    // changed between two setups: as his.
    void note(const Step& step);
    void forget(Step::Kind kind, const std::string& name);

    std::vector<Entry> entries{};
    std::vector<std::string> accepted{}; // what --yes-break has named
    std::optional<SshWishes> wishes{}; // of the last setup of ssh; none: a manifest of before they were kept
};

[[nodiscard]] std::string sum_of(const std::string& content);

} // namespace gate::ctl::setup
