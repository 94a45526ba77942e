// What `keys import` reads: files of authorized_keys lines, directories of .pub files, tables. One entry
// after the other, with the place where it stands.
#pragma once

#include "gatectl/keys/key_line.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gate::ctl {

enum class AgentFrom : std::uint8_t {
    nothing,  // the keys learn
    comment,  // the comment behind the key
    filename, // the name of the file, without .pub
};

struct Entry {
    KeyLine line;
    std::vector<std::string> agents; // as given; not yet checked
    std::string note;
};

// Where something stands: "FILE:LINE".
struct Place {
    const std::string* file = nullptr;
    std::size_t line = 0;
    [[nodiscard]] std::string text() const;
};

struct Sources {
    std::vector<std::string> files; // files, directories, or "-"
    bool csv = false;
    AgentFrom agent_from = AgentFrom::nothing; // of files; a directory's names are its agents
};

// Called for each entry, and for each that is none, with what is wrong. `done` and `total` are bytes.
struct EntryVisitor {
    std::function<void(Entry& entry, const Place& at)> entry;
    std::function<void(const std::string& wrong, const Place& at)> bad;
    std::function<void(std::uint64_t done, std::uint64_t total)> progress;
};

// Throws Problem for a file that cannot be read, and whatever the visitor throws.
void read_sources(const Sources& sources, const EntryVisitor& visitor);

} // namespace gate::ctl
