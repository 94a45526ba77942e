// What goes into a backup: copied into the private directory first, so that none of it changes any more when
// the archive is written, and MANIFEST can come first.
#pragma once

#include "gatectl/backup/archive.h"
#include "gatectl/backup/scratch.h"
#include "gatectl/context.h"

#include <string>
#include <vector>

namespace gate::ctl::backup {

class Collection {
  public:
    // Both must outlive it.
    Collection(const Scratch& scratch, Manifest& manifest) : scratch_(scratch), manifest_(manifest) {}
    // An open file, from its beginning, copied now. False: it is larger than such a member can be. Throws
    // Problem.
    [[nodiscard]] bool add(std::string_view name, int fd, mode_t mode);
    [[nodiscard]] const std::string& last_copy() const { return paths_.back(); }
    void take_back(); // the last one
    void write(ArchiveWriter& out) const;

  private:
    const Scratch& scratch_;
    Manifest& manifest_;
    std::size_t copies_ = 0;
    std::vector<std::string> paths_; // of the copies, in the order of the members
};

// Each throws Problem for what must be in a backup and cannot be; what may be missing becomes a remark.
// Throws Problem if there is no store.
void demand_store(const Context& context);
// The host keys of the machine are root's.
void demand_own_host_keys(const Context& context);
void add_store(const Context& context, const Scratch& scratch, Manifest& manifest, Collection& out);
void add_keyring(Context& context, Collection& out);
void add_config(Context& context, Collection& out);
void add_pause(const Context& context, Collection& out);
void add_memories(Context& context, Collection& out);
void add_host_keys(const Context& context, Collection& out);

} // namespace gate::ctl::backup
