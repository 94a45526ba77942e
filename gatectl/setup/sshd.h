// The texts that sshd reads, made from the shipped drop-in (conf/sshd_config.d/00-pandora-gate.conf).
#pragma once

#include "gatectl/setup/machine.h"

#include <cstdint>
#include <string>

namespace gate::ctl::setup {

inline constexpr const char* k_drop_in = "/etc/ssh/sshd_config.d/00-pandora-gate.conf";
inline constexpr const char* k_own_config = GATE_SYSCONFDIR "/sshd_config";
inline constexpr const char* k_own_key = GATE_SYSCONFDIR "/ssh_host_"; // + "ed25519_key"
inline constexpr const char* k_own_sshd = GATE_LIBEXECDIR "/pandora-sshd";
inline constexpr const char* k_main_config = "/etc/ssh/sshd_config";
// sshds from this one on keep a service of PAM apart by a setting, older ones by their program name.
inline constexpr int k_has_pam_service_name = 908;

struct Sizes {
    std::uint64_t agents = 0;     // that may come at the same moment; 0: not said
    std::uint64_t interval = 300; // seconds between two packets of one agent

    bool operator==(const Sizes&) const = default;
};

struct SshWishes {
    std::uint64_t own_port = 0; // 0: the drop-in form
    bool legacy_clients = false;
    bool enrolment = true;
    Sizes sizes{};

    bool operator==(const SshWishes&) const = default;
};

// "1250:30:2500": nobody is turned away before all agents could be in at once.
[[nodiscard]] std::string max_startups(std::uint64_t agents);
// Seconds: as long as the last of them may wait for a processor.
[[nodiscard]] std::uint64_t login_grace(const Sizes& sizes, unsigned processors);

// `shipped`: the text of the drop-in as it was installed. Throws Problem (bad_data) if it is none.
[[nodiscard]] std::string drop_in(const std::string& shipped, const Machine& machine,
                                  const SshWishes& wishes);
[[nodiscard]] std::string own_config(const std::string& shipped, const Machine& machine,
                                     const SshWishes& wishes);
// What the administrators' sshd is told when the gate has its own.
[[nodiscard]] std::string denial(const Machine& machine, const SshWishes& wishes);

// Does this sshd_config read the drop-in?
[[nodiscard]] bool reads_drop_in(const std::string& sshd_config);
// The same text with an Include in front (sshd from 8.2 on).
[[nodiscard]] std::string with_include(const std::string& sshd_config);

} // namespace gate::ctl::setup
