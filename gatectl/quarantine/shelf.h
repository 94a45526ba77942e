// The quarantine as root sees it (lib/spool/quarantine.h has the layout). Whatever lies in it was put there
// by the account: names, sidecars and packets are read as a stranger's, through no link, and never run.
#pragma once

#include "gatectl/account.h"
#include "gatectl/context.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/spool/quarantine.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gate::ctl {

// What a sidecar says. The strings are the bytes that stood there before they were escaped.
struct Facts {
    std::string time, session, key, fingerprint, peer, file, sha256, reason, why, remedy, packet_agent;
    std::uint64_t bytes = 0;
};

struct ShelfEntry {
    std::string id;
    bool packet = false;
    bool sidecar = false;
    std::uint64_t size = 0;    // of the packet, bytes
    std::uint64_t charged = 0; // of what is there of both, bytes
    std::int64_t since = 0;    // when the packet (else the sidecar) was written, seconds
};

class Shelf {
  public:
    // nullopt: there is no such directory. Throws Problem.
    [[nodiscard]] static std::optional<Shelf> open(const std::string& directory);

    // In the order of their ids, which is that of time. Throws Problem.
    [[nodiscard]] std::vector<ShelfEntry> entries() const;
    // The same, only what has a packet.
    [[nodiscard]] std::vector<ShelfEntry> packets() const;
    // nullopt: there is no sidecar, or it is none.
    [[nodiscard]] std::optional<Facts> facts(const std::string& id) const;
    // Errors: missing, not_regular, system.
    [[nodiscard]] Result<Fd> open_packet(const std::string& id) const;
    // The packet first: what is left behind by an interruption is a sidecar, which nobody misses.
    [[nodiscard]] Result<void> remove(const std::string& id) const;
    // Sidecars whose packet never came. A drop in progress has its sidecar for milliseconds.
    void remove_orphans() const;

    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    Shelf(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

    std::string path_;
    Fd fd_;
};

// The one that is named so, or whose id alone begins so. Throws Problem (refused).
[[nodiscard]] const ShelfEntry& select_entry(const std::vector<ShelfEntry>& entries, const std::string& id);

// Sets the sum that sessions go by to what is there. Empty, or what went wrong.
[[nodiscard]] std::string correct_usage(const Context& context, const Shelf& shelf, const Account& account);

// nullopt: it is not a sidecar.
[[nodiscard]] std::optional<Facts> parse_sidecar(std::string_view text);
// Bytes of a text in which each code point is one; nullopt: another code point, or no UTF-8.
[[nodiscard]] std::optional<std::string> bytes_of_latin1(std::string_view utf8);

} // namespace gate::ctl
