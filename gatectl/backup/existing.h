// The store that a restore replaces: locked against every other writer while it can be, and kept.
#pragma once

#include "gatectl/backup/files.h"
#include "gatectl/store/store.h"

#include <optional>

namespace gate::ctl::backup {

class Existing {
  public:
    // Throws Problem for a store that is another program's at the moment, or that cannot be reached. One that
    // is damaged, of a later version or no store at all is only kept, not read.
    Existing(const std::string& path, uid_t owner, int patience);
    [[nodiscard]] Store* store() { return store_ ? &*store_ : nullptr; }
    // Why it cannot be read; empty: it can, or there is none.
    [[nodiscard]] const std::string& trouble() const { return trouble_; }
    // Keeps it, and puts the file `fresh`, which is in the same file system, in its place. Writers that have
    // waited for it notice that it is another file (Store::check_same_file). Either file is there, whole, at
    // every moment. True: there was one.
    bool replace(const std::string& fresh, Kept& kept);

  private:
    std::string path_;
    std::optional<Store> store_;
    std::optional<Store::Transaction> transaction_;
    std::string trouble_;
};

} // namespace gate::ctl::backup
