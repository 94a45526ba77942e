#include "ftpsweep/journal.h"

#include "lib/base/fs.h"
#include "lib/spool/record_file.h"

#include <array>
#include <cstring>
#include <unistd.h>
#include <xxhash.h>

namespace gate::sweep {

namespace {

// NAME_MAX and a NUL.
using Text = std::array<char, 256>;

struct Entry {
    std::uint32_t active;
    std::uint32_t held;
    Text name;
    Text staged;
    std::uint64_t staging;
    Identity identity;
};

[[nodiscard]] bool put(Text& to, std::string_view text) {
    if (text.size() >= to.size())
        return false;
    text.copy(to.data(), text.size());
    return true;
}

[[nodiscard]] std::string get(const Text& text) {
    return {text.data(), ::strnlen(text.data(), text.size())};
}

} // namespace

std::uint64_t staging_mark(const std::string& path, const struct stat& st) {
    return XXH3_64bits_withSeed(path.data(), path.size(), st.st_ino);
}

Result<Journal> Journal::open(int directory, const std::string& name, uid_t owner, int patience_ms,
                              bool durable) {
    GATE_TRY(Fd fd, spool::open_shared(directory, name.c_str(), spool::Open::create, owner));
    GATE_CHECK(spool::lock_for(fd.get(), patience_ms));
    return Journal(std::move(fd), durable);
}

Result<std::optional<Taking>> Journal::read() const {
    Entry entry{};
    const auto read = spool::read_record(fd_.get(), std::as_writable_bytes(std::span(&entry, 1)));
    if (!read && read.error().code != Errc::damaged)
        return std::unexpected(read.error());
    if (!read || !*read || entry.active == 0)
        return std::nullopt;
    return Taking{.name = get(entry.name),
                  .held = entry.held != 0,
                  .staged = get(entry.staged),
                  .staging = entry.staging,
                  .identity = entry.identity};
}

Result<void> Journal::begin(const Taking& taking) {
    Entry entry{};
    entry.active = 1;
    entry.held = taking.held ? 1 : 0;
    entry.identity = taking.identity;
    entry.staging = taking.staging;
    if (!put(entry.name, taking.name) || !put(entry.staged, taking.staged) || taking.staged.empty())
        return fail(Errc::bad_input, "a name is longer than a name can be");
    GATE_CHECK(spool::write_record(fd_.get(), std::as_bytes(std::span(&entry, 1))));
    if (durable_ && ::fdatasync(fd_.get()) != 0)
        return fail_errno("cannot sync the journal");
    return {};
}

Result<void> Journal::end() {
    const Entry entry{};
    return spool::write_record(fd_.get(), std::as_bytes(std::span(&entry, 1)));
}

} // namespace gate::sweep
