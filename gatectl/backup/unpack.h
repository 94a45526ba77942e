// An archive, read whole into the private directory and held against its own list: what comes out of here is
// byte for byte what was backed up, or nothing does.
#pragma once

#include "gatectl/backup/manifest.h"
#include "gatectl/backup/scratch.h"
#include "gatectl/context.h"

#include <string>
#include <unordered_map>

namespace gate::ctl::backup {

class Unpacked {
  public:
    // Throws Problem: bad_data for an archive that is not exactly what a backup wrote; io.
    Unpacked(int fd, const std::string& shown, const Scratch& scratch);
    [[nodiscard]] const Manifest& manifest() const { return manifest_; }
    // Where the copy of a member is.
    [[nodiscard]] std::string path_of(const Member& member) const;
    // Empty: it has no such member.
    [[nodiscard]] std::string path_of(std::string_view name) const;

  private:
    void take(class ArchiveReader& in, const Member& member);
    const Scratch& scratch_;
    std::string shown_;
    Manifest manifest_;
};

// Store, keyring and gate.toml of the archive are good to go on with. Returns the policy of its gate.toml;
// nullopt: it has none. Throws Problem (bad_data).
[[nodiscard]] std::optional<keyring::Policy> check_contents(const Context& context, const Unpacked& archive,
                                                            const std::string& shown);

} // namespace gate::ctl::backup
