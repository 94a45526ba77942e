#include "lib/spool/memory.h"

#include "lib/base/file.h"
#include "lib/base/text.h"
#include "lib/spool/record_file.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>
#include <vector>
#include <xxhash.h>

namespace gate::spool {

namespace {

constexpr std::array<char, 8> k_magic = {'P', 'G', 'M', 'E', 'M', '1', '\r', '\n'};
constexpr std::uint32_t k_first_capacity = 64;
// More than any quota lets in (gate.toml(5)); bounds what a damaged header can make us read.
constexpr std::uint32_t k_max_capacity = 1'000'000;
constexpr std::uint64_t k_entries_at = sizeof(MemoryHeader) + sizeof(std::uint64_t);

[[nodiscard]] std::uint64_t checksum_of(const MemoryEntry& entry) {
    return XXH3_64bits(&entry, offsetof(MemoryEntry, checksum));
}

[[nodiscard]] off_t place_of(std::uint64_t number, std::uint32_t capacity) {
    return static_cast<off_t>(k_entries_at + number % capacity * sizeof(MemoryEntry));
}

[[nodiscard]] bool is_header(const MemoryHeader& h) {
    const bool sizes_fit =
        std::ranges::all_of(h.learned_sizes, [](auto n) { return n <= Learned::k_max_agent; });
    return h.magic == k_magic && h.capacity >= k_first_capacity && h.capacity <= k_max_capacity &&
           sizes_fit && h.learned_packets <= k_proposing_packets;
}

[[nodiscard]] Learned learned_of(const MemoryHeader& h) {
    Learned out;
    out.packets = h.learned_packets;
    for (std::size_t i = 0; i < out.packets; ++i)
        out.names[i].assign(h.learned_names[i].data(), h.learned_sizes[i]);
    return out;
}

} // namespace

std::string memory_name(const keyring::Fingerprint& fingerprint) {
    return "k-" + hex_encode(fingerprint);
}

bool Learned::proposes() const {
    return packets == k_proposing_packets && !names[0].empty() &&
           std::ranges::all_of(names, [&](const std::string& name) { return name == names[0]; });
}

Result<Learned> read_learned(const std::string& file, uid_t owner) {
    GATE_TRY(const Fd fd, open_shared(AT_FDCWD, file.c_str(), Open::read, owner));
    MemoryHeader header{};
    GATE_TRY(const bool there, read_record(fd.get(), std::as_writable_bytes(std::span(&header, 1))));
    if (there && !is_header(header))
        return fail(Errc::damaged, "the memory of the key is damaged");
    return there ? learned_of(header) : Learned{};
}

DropDigest digest_of_drop(std::string_view name, const Sha256& content) {
    std::string both(reinterpret_cast<const char*>(content.data()), content.size());
    both += name;
    const Sha256 whole = sha256(as_bytes(both));
    DropDigest out{};
    std::copy_n(whole.begin(), out.size(), out.begin());
    return out;
}

Result<void> Memory::open(int dir, const std::string& name, uid_t owner) {
    auto fd = open_shared(dir, name.c_str(), Open::create, owner);
    if (!fd) {
        trouble_ = fd.error();
        return std::unexpected(fd.error());
    }
    fd_ = std::move(*fd);
    return {};
}

Result<void> Memory::open_to_look(int dir, const std::string& name, uid_t owner) {
    GATE_TRY(fd_, open_shared(dir, name.c_str(), Open::read, owner));
    return {};
}

std::optional<Error> Memory::take_trouble() {
    return std::exchange(trouble_, std::nullopt);
}

void Memory::give_up(const Error& why) {
    trouble_ = why;
    fd_.reset();
    entries_.clear();
    header_ = {};
    known_ = false;
}

void Memory::start_afresh() {
    header_ = {};
    header_.magic = k_magic;
    header_.capacity = k_first_capacity;
    header_.generation = seen_generation_ + 1;
    entries_.clear();
}

std::int64_t Memory::longest_window_us() const {
    return std::int64_t{std::max(policy_.spool_resend_window, policy_.quota_window)} * 1'000'000;
}

// What other sessions have changed since.
Result<void> Memory::refresh(std::int64_t now_us) {
    MemoryHeader now{};
    const auto read = read_record(fd_.get(), std::as_writable_bytes(std::span(&now, 1)));
    if (!read && read.error().code != Errc::damaged)
        return std::unexpected(read.error());
    if (!read || (*read && !is_header(now))) {
        trouble_ = Error{Errc::damaged, 0, "it was damaged: earlier drops are forgotten"};
        start_afresh();
    } else if (!*read) {
        start_afresh();
    } else {
        // What has been overwritten by now is too old to matter; with a gap behind them, what this session
        // knows is forgotten as well.
        const std::uint64_t oldest = now.head - std::min<std::uint64_t>(now.head, now.capacity);
        const bool goes_on = known_ && now.generation == seen_generation_ && now.head >= header_.head &&
                             oldest <= header_.head;
        const std::uint64_t from = goes_on ? header_.head : oldest;
        if (!goes_on)
            entries_.clear();
        header_ = now;
        GATE_CHECK(read_entries(from));
    }
    if (seen_generation_ != header_.generation || !known_) {
        seen_generation_ = header_.generation;
        counted_at_ = 0; // to be summed anew
    }
    known_ = true;
    const bool ahead = !entries_.empty() && entries_.back().time_us > now_us + k_future_us;
    if (ahead && !std::exchange(clock_told_, true))
        trouble_ = Error{Errc::bad_input, 0, "the clock was set back: later drops do not count for quotas"};
    return {};
}

Result<void> Memory::read_entries(std::uint64_t from) {
    std::vector<MemoryEntry> block(header_.head - from);
    for (std::uint64_t done = 0; done < block.size();) {
        const std::uint64_t place = (from + done) % header_.capacity;
        const std::uint64_t run = std::min<std::uint64_t>(block.size() - done, header_.capacity - place);
        const auto bytes = std::as_writable_bytes(std::span(block))
                               .subspan(done * sizeof(MemoryEntry), run * sizeof(MemoryEntry));
        const Result<void> read = read_exact_at(
            fd_.get(), bytes, static_cast<std::uint64_t>(place_of(from + done, header_.capacity)));
        if (!read && read.error().code != Errc::truncated)
            return read;
        done += run;
    }
    for (MemoryEntry& entry : block) {
        if (entry.checksum != checksum_of(entry))
            entry = {}; // a drop that nobody remembers
        entries_.push_back(entry);
    }
    while (entries_.size() > header_.capacity)
        entries_.pop_front();
    return {};
}

Result<void> Memory::write_entry(std::uint64_t number, const MemoryEntry& entry) {
    ssize_t n = 0;
    while ((n = ::pwrite(fd_.get(), &entry, sizeof entry, place_of(number, header_.capacity))) < 0) {
        if (errno != EINTR)
            return fail_errno("cannot write it");
    }
    if (static_cast<std::size_t>(n) != sizeof entry)
        return fail(Errc::no_space, "cannot write it", ENOSPC);
    return {};
}

// If the place that comes next holds a drop that still matters, the ring grows, as far as it may.
Result<void> Memory::make_place(std::int64_t now_us) {
    const std::uint32_t most = std::clamp(policy_.quota_files, k_least_remembered, k_max_capacity);
    const bool full = entries_.size() >= header_.capacity;
    const bool matters = full && entries_.front().time_us > now_us - longest_window_us() &&
                         entries_.front().time_us <= now_us + k_future_us;
    if (!matters || header_.capacity >= most)
        return {};
    header_.capacity = std::min(header_.capacity * 2, most);
    header_.generation = ++seen_generation_;
    header_.head = entries_.size();
    counted_at_ = 0;
    for (std::uint64_t i = 0; i < entries_.size(); ++i)
        GATE_CHECK(write_entry(i, entries_[i]));
    return {};
}

Memory::Hold::Hold(Memory& memory, std::int64_t now_us) : memory_(memory), now_us_(now_us) {
    if (!memory_.fd_.valid())
        return;
    if (const auto got = lock_for(memory_.fd_.get(), k_lock_patience_ms); !got) {
        memory_.give_up(got.error());
        return;
    }
    if (const auto fresh = memory_.refresh(now_us); !fresh) {
        unlock(memory_.fd_.get());
        memory_.give_up(fresh.error());
        return;
    }
    locked_ = true;
}

Memory::Hold::~Hold() {
    if (!locked_ || !memory_.fd_.valid())
        return;
    const auto written = header_changed_
                             ? write_record(memory_.fd_.get(), std::as_bytes(std::span(&memory_.header_, 1)))
                             : Result<void>{};
    unlock(memory_.fd_.get());
    if (!written)
        memory_.give_up(written.error());
}

Memory::Hold::Sum Memory::Hold::recent() {
    Memory& m = memory_;
    const std::int64_t since = now_us_ - std::int64_t{m.policy_.quota_window} * 1'000'000;
    const auto counts = [&](const MemoryEntry& e) {
        return e.time_us > since && e.time_us <= now_us_ + k_future_us;
    };
    if (m.counted_at_ == 0 || now_us_ < m.counted_at_ || m.counted_from_ < m.first()) {
        m.counted_from_ = m.counted_to_ = m.first();
        m.files_ = m.bytes_ = 0;
    }
    m.counted_at_ = now_us_;
    for (; m.counted_to_ < m.header_.head; ++m.counted_to_) {
        const MemoryEntry& e = m.entries_[m.counted_to_ - m.first()];
        m.files_ += e.time_us != 0 ? 1 : 0;
        m.bytes_ += e.size;
    }
    for (; m.counted_from_ < m.counted_to_; ++m.counted_from_) {
        const MemoryEntry& e = m.entries_[m.counted_from_ - m.first()];
        if (e.time_us != 0 && counts(e))
            break;
        m.files_ -= e.time_us != 0 ? 1 : 0;
        m.bytes_ -= e.size;
    }
    return {m.files_, m.bytes_};
}

std::int64_t Memory::Hold::last_us() const {
    const auto& entries = memory_.entries_;
    const auto last =
        std::find_if(entries.rbegin(), entries.rend(), [](const MemoryEntry& e) { return e.time_us != 0; });
    return last == entries.rend() ? 0 : last->time_us;
}

bool Memory::Hold::knows(const DropDigest& digest) const {
    const std::int64_t window = std::int64_t{memory_.policy_.spool_resend_window} * 1'000'000;
    return std::any_of(memory_.entries_.rbegin(), memory_.entries_.rend(), [&](const MemoryEntry& e) {
        const std::int64_t age = now_us_ - e.time_us;
        return e.digest == digest && e.time_us != 0 && age < window && -age < window;
    });
}

void Memory::Hold::remember(const DropDigest& digest, std::uint64_t size) {
    if (!locked_)
        return;
    Memory& m = memory_;
    MemoryEntry entry{.time_us = now_us_, .size = size, .digest = digest, .checksum = 0};
    entry.checksum = checksum_of(entry);
    auto done = m.make_place(now_us_);
    if (done)
        done = m.write_entry(m.header_.head, entry);
    if (!done) {
        m.give_up(done.error());
        locked_ = false;
        return;
    }
    m.entries_.push_back(entry);
    if (m.entries_.size() > m.header_.capacity)
        m.entries_.pop_front();
    ++m.header_.head;
    header_changed_ = true;
}

void Memory::Hold::withdraw(const DropDigest& digest) {
    Memory& m = memory_;
    const auto entry = std::ranges::find(m.entries_, digest, &MemoryEntry::digest);
    if (!locked_ || entry == m.entries_.end())
        return;
    m.counted_at_ = 0;
    *entry = {};
    entry->checksum = checksum_of(*entry);
    const auto number = m.first() + static_cast<std::uint64_t>(entry - m.entries_.begin());
    if (const auto done = m.write_entry(number, *entry); !done) {
        m.give_up(done.error());
        locked_ = false;
    }
}

std::optional<std::uint64_t> Memory::Hold::tell(std::uint64_t what) {
    const std::int64_t window = std::int64_t{memory_.policy_.audit_repeat_window} * 1'000'000;
    if (!locked_ || window == 0)
        return 0;
    auto& repeats = memory_.header_.repeats;
    auto slot = std::ranges::find(repeats, what, &MemoryHeader::Repeat::what);
    const bool known = slot != repeats.end() && slot->told_at != 0;
    header_changed_ = true;
    if (known && now_us_ - slot->told_at < window && slot->told_at <= now_us_ + k_future_us) {
        ++slot->since;
        return std::nullopt;
    }
    if (!known)
        slot = std::ranges::min_element(repeats, {}, &MemoryHeader::Repeat::told_at);
    const std::uint64_t since = known ? slot->since : 0;
    *slot = {.what = what, .told_at = now_us_, .since = 0};
    return since;
}

bool Memory::Hold::learn(std::string_view agent) {
    MemoryHeader& h = memory_.header_;
    if (!locked_ || h.learned_packets >= k_proposing_packets)
        return false;
    const std::string_view kept = agent.substr(0, Learned::k_max_agent);
    h.learned_sizes[h.learned_packets] = static_cast<std::uint32_t>(kept.size());
    std::ranges::copy(kept, h.learned_names[h.learned_packets].begin());
    ++h.learned_packets;
    header_changed_ = true;
    return learned_of(h).proposes();
}

Learned Memory::Hold::learned() const {
    return locked_ ? learned_of(memory_.header_) : Learned{};
}

} // namespace gate::spool
