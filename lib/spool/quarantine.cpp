#include "lib/spool/quarantine.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/spool/record_file.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>

namespace gate::spool {

namespace {

constexpr std::size_t k_stamp = 16; // "20261124T060102Z"
constexpr std::size_t k_random = 8; // bytes
// A living holder of the sum needs microseconds.
constexpr int k_lock_patience_ms = 200;

} // namespace

std::string make_quarantine_id() {
    const std::string text = format_utc(wall_clock_us()); // "2026-11-24T06:01:02.123Z"
    std::string out;
    for (const char c : text.substr(0, text.find('.'))) {
        if (c != '-' && c != ':')
            out += c;
    }
    out += "Z-";
    std::array<std::uint8_t, k_random> random{};
    // Without a random number zeros are a name too: linkat never replaces.
    [[maybe_unused]] const ssize_t got = ::getrandom(random.data(), random.size(), 0);
    return out + hex_encode(random);
}

bool is_quarantine_id(std::string_view text) {
    if (text.size() != k_stamp + 1 + 2 * k_random || text[8] != 'T' || text[k_stamp - 1] != 'Z' ||
        text[k_stamp] != '-')
        return false;
    return std::ranges::all_of(text, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == 'T' || c == 'Z' || c == '-';
    });
}

std::uint64_t charged(std::uint64_t bytes) {
    constexpr std::uint64_t k_block = 4096;
    constexpr std::uint64_t k_inode = 512; // a file of no bytes takes something too
    return (bytes + k_inode + k_block - 1) / k_block * k_block;
}

Result<QuarantineUsage> read_usage(int fd) {
    QuarantineUsage usage;
    const auto read = read_record(fd, std::as_writable_bytes(std::span(&usage, 1)));
    if (!read)
        return std::unexpected(read.error());
    return *read ? usage : QuarantineUsage{};
}

Result<void> write_usage(int fd, const QuarantineUsage& usage) {
    return write_record(fd, std::as_bytes(std::span(&usage, 1)));
}

Result<Quarantine> Quarantine::open(const keyring::Policy& policy, const Spool& spool, int state_dir,
                                    uid_t owner) {
    Fd directory{::open(policy.spool_quarantine.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!directory.valid() && errno == ENOENT)
        return fail(Errc::missing, "the quarantine directory is missing", ENOENT);
    if (!directory.valid() && (errno == ELOOP || errno == ENOTDIR))
        return fail(Errc::not_regular, "the quarantine directory is a link or no directory", errno);
    if (!directory.valid())
        return fail_errno("cannot open the quarantine directory");
    struct stat mine {};
    struct stat theirs {};
    if (::fstat(directory.get(), &mine) != 0 || ::fstat(spool.data_in(), &theirs) != 0)
        return fail_errno("cannot stat the quarantine directory");
    if (mine.st_dev != theirs.st_dev)
        return fail(Errc::bad_input, "data_in and the quarantine are on different file systems");
    GATE_TRY(Fd usage, open_shared(state_dir, k_quarantine_usage_name, Open::create, owner));
    return Quarantine(std::move(directory), std::move(usage), policy.quarantine_max_size);
}

Result<void> Quarantine::charge(std::uint64_t bytes) {
    GATE_CHECK(lock_for(usage_.get(), k_lock_patience_ms));
    auto usage = read_usage(usage_.get());
    Result<void> done;
    if (!usage) {
        done = std::unexpected(usage.error());
    } else if (usage->bytes > most_ || bytes > most_ - usage->bytes) {
        done = fail(Errc::too_large, "the quarantine is full");
    } else {
        usage->bytes += bytes;
        ++usage->packets;
        done = write_usage(usage_.get(), *usage);
    }
    unlock(usage_.get());
    return done;
}

void Quarantine::give_back(std::uint64_t bytes) {
    if (!lock_for(usage_.get(), k_lock_patience_ms))
        return; // the sum is too high until root looks next
    if (auto usage = read_usage(usage_.get())) {
        usage->bytes -= std::min(bytes, usage->bytes);
        usage->packets -= std::min<std::uint64_t>(1, usage->packets);
        static_cast<void>(write_usage(usage_.get(), *usage).has_value());
    }
    unlock(usage_.get());
}

Result<void> Quarantine::take(Spool& spool, Reservation& packet, const std::string& id,
                              std::string_view sidecar, std::span<const std::byte> content) {
    const std::uint64_t bytes = charged(content.size()) + charged(sidecar.size());
    GATE_CHECK(charge(bytes));
    const auto put = [&]() -> Result<void> {
        GATE_TRY(Reservation why, spool.reserve_for(directory_.get(), sidecar.size()));
        GATE_CHECK(spool.fill(why, std::as_bytes(std::span(sidecar))));
        GATE_CHECK(spool.put_away(why, directory_.get(), id + std::string(k_sidecar_suffix)));
        const auto put_packet = [&](Reservation& into) -> Result<void> {
            GATE_CHECK(spool.fill(into, content));
            return spool.put_away(into, directory_.get(), id + std::string(k_packet_suffix));
        };
        if (spool.moves_files())
            return put_packet(packet);
        GATE_TRY(Reservation here, spool.reserve_for(directory_.get(), content.size()));
        return put_packet(here);
    };
    Result<void> done = put();
    if (!done)
        give_back(bytes);
    return done;
}

} // namespace gate::spool
