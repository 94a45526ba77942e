// gate.toml: never a crash; an accepted text gives a policy within every documented range, which survives the
// way into the keyring and out of it; a refused one gives one printable line that names the place.
#pragma once

#include "gatectl/problem.h"
#include "gatectl/publish/config.h"
#include "gatectl/publish/units.h"
#include "tests/fuzz/require.h"

namespace gate::fuzz {

// gate.toml(5), setting by setting.
inline void require_ranges(const keyring::Policy& p) {
    constexpr std::uint64_t k_tib = std::uint64_t{1} << 40;
    REQUIRE(ctl::is_account_name(p.account_user) && p.account_user != "root");
    REQUIRE(ctl::is_clean_directory(p.spool_directory) && ctl::is_clean_directory(p.spool_staging));
    REQUIRE(!ctl::is_same_or_below(p.spool_staging, p.spool_directory));
    REQUIRE(!ctl::is_same_or_below(p.spool_directory, p.spool_staging));
    REQUIRE((p.spool_mode & ~0666U) == 0 && (p.spool_mode & 0400U) != 0);
    REQUIRE(p.spool_durability >= keyring::Durability::full &&
            p.spool_durability <= keyring::Durability::none);
    REQUIRE(p.spool_staging_method == keyring::StagingMethod::automatic ||
            p.spool_staging_method == keyring::StagingMethod::named);
    REQUIRE(p.spool_min_free <= k_tib && p.spool_min_free_percent <= 50);
    REQUIRE(p.drop_max_file_size >= 1 && p.drop_max_file_size <= 64 << 20);
    REQUIRE(p.drop_session_files >= 1 && p.drop_session_files <= 1'000'000);
    REQUIRE(p.drop_session_bytes >= p.drop_max_file_size && p.drop_session_bytes <= k_tib);
    REQUIRE(p.drop_idle_timeout >= 1 && p.drop_idle_timeout <= 3600);
    REQUIRE(p.drop_session_timeout >= 1 && p.drop_session_timeout <= 86'400);
}

inline void check_toml(std::string_view input) {
    try {
        const keyring::Policy policy = ctl::parse_config(input, "gate.toml");
        require_ranges(policy);
        const auto back = keyring::decode_policy(keyring::encode_policy(policy));
        REQUIRE(back && *back == policy);
    } catch (const ctl::Problem& problem) {
        const std::string_view said = problem.what();
        REQUIRE(problem.status() == ctl::Status::bad_data);
        REQUIRE(said.starts_with("gate.toml:") && said.size() > 12 && said[10] >= '0' && said[10] <= '9');
        for (const char c : said)
            REQUIRE_MSG(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, escape_visible(said, 1000));
    }
}

} // namespace gate::fuzz
