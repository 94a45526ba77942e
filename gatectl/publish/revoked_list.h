// The revoked keys as sshd's RevokedKeys takes them: a plain list of public keys beside the keyring. It is
// replaced before the keyring: deny comes first.
#pragma once

#include "lib/base/result.h"
#include "lib/keyring/record.h"

#include <string>

namespace gate::ctl {

class RevokedList {
  public:
    // Adds the key if it is revoked.
    void add(const keyring::KeyRecord& record);
    [[nodiscard]] const std::string& text() const { return text_; }

    // Written beside, synced, renamed; nothing if it is so already. Readable by all. Errors: system,
    // no_space.
    [[nodiscard]] Result<void> write(const std::string& path) const;

  private:
    std::string text_;
};

// "<directory of the keyring>/revoked_keys".
[[nodiscard]] std::string revoked_list_path(const std::string& keyring);

} // namespace gate::ctl
