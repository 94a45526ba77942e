#include "lib/enrol/guesses.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/enrol/private_file.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <span>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gate::enrol {

namespace {

constexpr const char* k_name = "table";
constexpr unsigned k_site_bits = 64; // RFC 4291 2.5.4: what a network of IPv6 has at least

[[nodiscard]] Result<void> lock_within(int fd, int patience_ms) {
    constexpr std::int64_t k_step_ms = 5;
    for (const std::int64_t end = monotonic_ms() + patience_ms; ::flock(fd, LOCK_EX | LOCK_NB) != 0;) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return fail_errno("cannot lock the table of guesses");
        if (monotonic_ms() >= end)
            return fail(Errc::system, "the table of guesses stays locked", EWOULDBLOCK);
        const timespec step{0, k_step_ms * 1'000'000};
        ::nanosleep(&step, nullptr);
    }
    return {};
}

} // namespace

Result<Guesses> Guesses::open(const std::string& directory, uid_t owner, int patience_ms) {
    GATE_TRY(const Fd dir, open_private_directory(directory, owner));
    GATE_TRY(Fd fd, open_private(dir.get(), k_name, owner, O_RDWR | O_CREAT));
    GATE_CHECK(lock_within(fd.get(), patience_ms));
    Guesses out{std::move(fd)};
    GATE_CHECK(out.load());
    return out;
}

// Each entry is written by itself and lies within one page, so that none is ever half written; a file of
// another size, or with a family that does not exist, is not ours.
Result<void> Guesses::load() {
    struct stat st {};
    if (::fstat(fd_.get(), &st) != 0)
        return fail_errno("cannot stat the table of guesses");
    if (st.st_size == 0) {
        if (::ftruncate(fd_.get(), sizeof entries_) != 0)
            return fail_errno("cannot make room for the table of guesses");
        return {};
    }
    if (st.st_size != sizeof entries_)
        return fail(Errc::damaged, "the table of guesses is damaged");
    GATE_CHECK(read_exact_at(fd_.get(), std::as_writable_bytes(std::span(entries_)), 0));
    const bool sound = std::all_of(entries_.begin() + 1, entries_.end(), [](const Entry& entry) {
        return entry.family == 0 || entry.family == AF_INET || entry.family == AF_INET6 ||
               entry.family == k_unknown;
    });
    if (!sound || entries_[0].family > k_all)
        return fail(Errc::damaged, "the table of guesses is damaged");
    return {};
}

Result<void> Guesses::store(std::size_t index) {
    const auto bytes = std::as_bytes(std::span(&entries_[index], 1));
    for (;;) {
        const ssize_t n =
            ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(index * sizeof(Entry)));
        if (n == static_cast<ssize_t>(bytes.size()))
            return {};
        if (n >= 0 || errno != EINTR)
            return fail_errno("cannot write the table of guesses");
    }
}

// What counts now: nothing of a window that is over. One that began "later" was begun before the clock was
// set back: it counts, and ask() begins it anew.
std::uint32_t Guesses::current(const Entry& entry, std::int64_t now) {
    return entry.since + k_guess_window <= now ? 0 : entry.count;
}

std::size_t Guesses::find(const std::optional<Address>& peer) const {
    Entry wanted;
    wanted.family = peer ? static_cast<std::uint32_t>(peer->family) : k_unknown;
    if (peer)
        wanted.address = (peer->family == AF_INET6 ? network_of(*peer, k_site_bits) : *peer).bytes;
    const auto at = std::find_if(entries_.begin() + 1, entries_.end(), [&](const Entry& entry) {
        return entry.family == wanted.family && entry.address == wanted.address;
    });
    return static_cast<std::size_t>(at - entries_.begin());
}

Result<void> Guesses::raise(std::size_t index, std::int64_t now) {
    Entry& entry = entries_[index];
    const std::uint32_t so_far = current(entry, now);
    if (so_far == 0 || entry.since > now)
        entry.since = now;
    entry.count = std::min(so_far + 1, UINT32_MAX - 1);
    return store(index);
}

Result<Allowance> Guesses::ask(const std::optional<Address>& peer, std::int64_t now) {
    const std::size_t at = find(peer);
    for (const std::size_t index : {std::size_t{0}, at}) {
        if (index == k_entries || entries_[index].since <= now)
            continue;
        entries_[index].since = now; // the clock was set back: its time begins again, and ends
        GATE_CHECK(store(index));
    }
    const std::uint32_t of_source = at == k_entries ? 0 : current(entries_[at], now);
    const bool all_spent = current(entries_[0], now) >= k_all_guesses;
    if (of_source >= k_source_guesses || (all_spent && of_source != 0))
        return Allowance::nothing;
    return all_spent ? Allowance::codes_only : Allowance::all;
}

Result<void> Guesses::count(const std::optional<Address>& peer, std::int64_t now) {
    entries_[0].family = k_all;
    GATE_CHECK(raise(0, now));
    std::size_t at = find(peer);
    if (at == k_entries) {
        const auto oldest =
            std::min_element(entries_.begin() + 1, entries_.end(), [](const Entry& a, const Entry& b) {
                return (a.family == 0 ? INT64_MIN : a.since) < (b.family == 0 ? INT64_MIN : b.since);
            });
        at = static_cast<std::size_t>(oldest - entries_.begin());
        *oldest = Entry{};
        oldest->family = peer ? static_cast<std::uint32_t>(peer->family) : k_unknown;
        if (peer)
            oldest->address = (peer->family == AF_INET6 ? network_of(*peer, k_site_bits) : *peer).bytes;
    }
    return raise(at, now);
}

Result<void> Guesses::forgive(const std::optional<Address>& peer, std::int64_t now) {
    for (const std::size_t at : {std::size_t{0}, find(peer)}) {
        if (at == k_entries || current(entries_[at], now) == 0)
            continue;
        --entries_[at].count;
        GATE_CHECK(store(at));
    }
    return {};
}

} // namespace gate::enrol
