// Admission: may this key send this file now? Decided before the first byte, because many clients do not hear
// of a refusal that comes later. Knows the policy and the key, no protocol and no file.
#pragma once

#include "lib/base/fs.h"
#include "lib/keyring/policy.h"
#include "lib/keyring/record.h"
#include "lib/spool/binding.h"
#include "lib/spool/name.h"

#include <optional>

namespace gate::spool {

class Admission {
  public:
    // Both must outlive the object.
    Admission(const keyring::Policy& policy, const keyring::KeyRecord& key)
        : policy_(policy), key_(key), mode_(binding_mode(policy, key)) {}

    // Name and agent. `out` is set when the answer is Reason::none.
    [[nodiscard]] Reason check_name(std::string_view name, FileName& out) const;
    [[nodiscard]] BindingMode mode() const { return mode_; }
    // Size (bytes; the declared one, or the one that arrived) and what the session has had so far.
    [[nodiscard]] Reason check_size(std::uint64_t size) const;
    // Room for `size` bytes beside what must stay free; without a declared size, room for the largest file.
    [[nodiscard]] Reason check_space(const FreeSpace& space, std::optional<std::uint64_t> size) const;

    // A file of the session was taken.
    void count(std::uint64_t bytes) {
        ++files_;
        bytes_ += bytes;
    }
    // It was not, after all.
    void uncount(std::uint64_t bytes) {
        --files_;
        bytes_ -= bytes;
    }
    [[nodiscard]] std::uint64_t files() const { return files_; }
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  private:
    const keyring::Policy& policy_;
    const keyring::KeyRecord& key_;
    const BindingMode mode_;
    std::uint64_t files_ = 0;
    std::uint64_t bytes_ = 0;
};

} // namespace gate::spool
