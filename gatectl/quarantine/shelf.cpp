#include "gatectl/quarantine/shelf.h"

#include "gatectl/problem.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <map>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace gate::ctl {

namespace {

constexpr std::int64_t k_orphan_age = 60; // seconds

[[nodiscard]] std::string name_of(const std::string& id, std::string_view suffix) {
    return id + std::string(suffix);
}

} // namespace

std::optional<Shelf> Shelf::open(const std::string& directory) {
    Fd fd{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!fd.valid() && errno == ENOENT)
        return std::nullopt;
    if (!fd.valid()) {
        const Error error = fail_errno("cannot open the quarantine").error();
        stop(status_of_errno(error.sys_errno), "{}: {}", escape_visible(directory), describe(error));
    }
    return Shelf(directory, std::move(fd));
}

std::vector<ShelfEntry> Shelf::entries() const {
    const int again = ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(again < 0 ? nullptr : ::fdopendir(again), ::closedir);
    if (!dir)
        stop(Status::io, "{}: {}", escape_visible(path_),
             describe(fail_errno("cannot list the quarantine").error()));
    std::map<std::string, ShelfEntry> found;
    while (const dirent* entry = ::readdir(dir.get())) {
        std::string_view id = entry->d_name;
        const bool packet = id.ends_with(spool::k_packet_suffix);
        if (!packet && !id.ends_with(spool::k_sidecar_suffix))
            continue;
        id.remove_suffix(packet ? spool::k_packet_suffix.size() : spool::k_sidecar_suffix.size());
        struct stat st {};
        if (!spool::is_quarantine_id(id) ||
            ::fstatat(fd_.get(), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        ShelfEntry& one = found[std::string(id)];
        const std::uint64_t size = S_ISREG(st.st_mode) ? static_cast<std::uint64_t>(st.st_size) : 0;
        one.id = id;
        one.charged += spool::charged(size);
        if (packet || !one.packet)
            one.since = st.st_mtim.tv_sec;
        if (packet)
            one.size = size;
        (packet ? one.packet : one.sidecar) = true;
    }
    std::vector<ShelfEntry> out;
    out.reserve(found.size());
    for (auto& [id, entry] : found)
        out.push_back(std::move(entry));
    return out;
}

std::vector<ShelfEntry> Shelf::packets() const {
    std::vector<ShelfEntry> out = entries();
    std::erase_if(out, [](const ShelfEntry& entry) { return !entry.packet; });
    return out;
}

Result<Fd> Shelf::open_packet(const std::string& id) const {
    return open_single(fd_.get(), name_of(id, spool::k_packet_suffix).c_str());
}

std::optional<Facts> Shelf::facts(const std::string& id) const {
    const auto fd = open_single(fd_.get(), name_of(id, spool::k_sidecar_suffix).c_str());
    if (!fd)
        return std::nullopt;
    const auto text = read_all(fd->get(), spool::k_max_sidecar);
    return text ? parse_sidecar(*text) : std::nullopt;
}

Result<void> Shelf::remove(const std::string& id) const {
    for (const std::string_view suffix : {spool::k_packet_suffix, spool::k_sidecar_suffix}) {
        if (::unlinkat(fd_.get(), name_of(id, suffix).c_str(), 0) != 0 && errno != ENOENT)
            return fail_errno("cannot remove it from the quarantine");
    }
    return {};
}

void Shelf::remove_orphans() const {
    const std::int64_t old = wall_clock_us() / 1'000'000 - k_orphan_age;
    for (const ShelfEntry& entry : entries())
        if (!entry.packet && entry.since < old)
            static_cast<void>(remove(entry.id).has_value()); // the next time, then
}

const ShelfEntry& select_entry(const std::vector<ShelfEntry>& entries, const std::string& id) {
    const ShelfEntry* found = nullptr;
    std::size_t matches = 0;
    for (const ShelfEntry& entry : entries) {
        if (entry.id == id)
            return entry;
        if (id.empty() || !entry.id.starts_with(id))
            continue;
        found = &entry;
        ++matches;
    }
    if (matches == 0)
        stop(Status::refused,
             "there is no packet \"{}\" in the quarantine: see `pandora-gate quarantine list`",
             escape_visible(id));
    if (matches > 1)
        stop(Status::refused, "\"{}\" could be any of {} packets: give more of it", escape_visible(id),
             matches);
    return *found;
}

} // namespace gate::ctl
