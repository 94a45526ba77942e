// What the keyring needs of a row of the store, as it stands there. The texts lie one behind the other in
// room that is kept from key to key, so that a publish of a million allocates nothing for them.
#pragma once

#include "gatectl/store/key.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace gate::ctl {

class LoginRow {
  public:
    enum Text : std::uint8_t {
        id,
        fingerprint,
        type,
        blob,
        agents, // joined by '/'
        binding,
        sources, // joined by ','
        state,
        state_reason,
        k_texts,
    };
    [[nodiscard]] std::string_view text(Text which) const {
        const std::size_t begin = which == 0 ? 0 : ends_[which - 1U];
        return std::string_view(all_).substr(begin, ends_[which] - begin);
    }
    void clear() {
        all_.clear();
        ends_ = {};
        count_ = 0;
    }
    // Of all texts, each once, in the order of their names.
    void append(std::string_view text) {
        all_ += text;
        ends_[count_++] = all_.size();
    }

    std::int64_t not_before = 0;
    std::int64_t expires_at = 0;
    keyring::Limits limits{};
    std::int64_t state_at = 0;

  private:
    std::string all_;
    std::array<std::size_t, k_texts> ends_{}; // of each text, in all_
    std::size_t count_ = 0;
};

[[nodiscard]] LoginRow login_row(const StoredKey& key);

// "active", "disabled", "revoked"; what is not known is not let in.
[[nodiscard]] keyring::KeyState state_of(std::string_view word);

} // namespace gate::ctl
