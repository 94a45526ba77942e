#include "lib/keyring/writer.h"

#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/keyring/format.h"
#include "lib/keyring/reader.h"
#include "lib/keyring/tlv.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gate::keyring {

namespace {

[[nodiscard]] std::string with_checksum(std::string body, std::uint64_t generation) {
    std::string out;
    put_int(out, section_checksum(body.data(), body.size(), generation));
    out += body;
    return out;
}

[[nodiscard]] std::string encode_stored_record(const KeyRecord& key, std::uint64_t generation) {
    std::string body(reinterpret_cast<const char*>(key.fingerprint.data()), key.fingerprint.size());
    body += encode_record(key);
    return with_checksum(std::move(body), generation);
}

[[nodiscard]] std::uint32_t choose_directory_bits(std::uint64_t keys) {
    const std::uint64_t slots = keys / k_entries_per_slot;
    return slots < 2 ? 0
                     : std::min<std::uint32_t>(static_cast<std::uint32_t>(std::bit_width(slots)) - 1,
                                               k_max_directory_bits);
}

[[nodiscard]] std::vector<Page> build_pages(const std::vector<Entry>& entries, std::uint64_t generation) {
    const std::size_t count =
        std::max<std::size_t>(1, (entries.size() + k_entries_per_page - 1) / k_entries_per_page);
    std::vector<Page> pages(count, Page{});
    for (std::size_t p = 0; p < count; ++p) {
        const std::size_t first = p * k_entries_per_page;
        const std::size_t here = std::min(k_entries_per_page, entries.size() - first);
        Page& page = pages[p];
        page.head.number = static_cast<std::uint32_t>(p);
        page.head.count = static_cast<std::uint32_t>(here);
        if (p != 0)
            page.head.after = entries[first - 1].fingerprint;
        if (p + 1 != count)
            page.head.upto = entries[first + here - 1].fingerprint;
        std::copy_n(entries.begin() + static_cast<std::ptrdiff_t>(first), here, page.entries.begin());
        page.head.checksum = page_checksum(page, generation);
    }
    return pages;
}

// [i] = the page responsible for the smallest fingerprint of slot i: the first page whose `upto` is not below
// it.
[[nodiscard]] std::vector<std::uint32_t> build_directory(const std::vector<Page>& pages, std::uint32_t bits) {
    const std::uint64_t slots = std::uint64_t{1} << bits;
    std::vector<std::uint32_t> directory(slots + 1);
    std::uint32_t page = 0;
    for (std::uint64_t slot = 0; slot < slots; ++slot) {
        Fingerprint smallest{};
        const std::uint64_t top = bits == 0 ? 0 : slot << (64 - bits);
        for (std::size_t i = 0; i < sizeof top; ++i)
            smallest[i] = static_cast<std::uint8_t>(top >> (56 - 8 * i));
        while (page + 1 < pages.size() && pages[page].head.upto < smallest)
            ++page;
        directory[slot] = page;
    }
    directory[slots] = static_cast<std::uint32_t>(pages.size() - 1);
    return directory;
}

void append_raw(std::string& out, const void* data, std::size_t size) {
    out.append(static_cast<const char*>(data), size);
}

void pad_to(std::string& out, std::size_t alignment) {
    out.resize((out.size() + alignment - 1) / alignment * alignment, '\0');
}

[[nodiscard]] Result<void> write_file(const std::string& path, const std::string& bytes) {
    ::unlink(path.c_str()); // a left-over of a publish that was killed
    Fd fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)};
    if (!fd.valid())
        return fail_errno("cannot create the new keyring");
    if (::fchmod(fd.get(), 0644) != 0) // whatever the umask is: the login path reads it without privilege
        return fail_errno("cannot set the new keyring's mode");
    GATE_CHECK(write_all(fd.get(), std::as_bytes(std::span(bytes))));
    if (::fsync(fd.get()) != 0)
        return fail_errno("cannot sync the new keyring");
    return {};
}

[[nodiscard]] Result<void> sync_parent(const std::string& path) {
    const std::string parent = path.substr(0, path.rfind('/') + 1);
    const Fd dir{::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!dir.valid() || ::fsync(dir.get()) != 0)
        return fail_errno("cannot sync the keyring's directory");
    return {};
}

// The previous generation stays under its own name; that name is made new and renamed over, so it is whole
// too.
[[nodiscard]] Result<void> keep_previous(const std::string& path) {
    const std::string fresh = path + ".previous.new";
    ::unlink(fresh.c_str());
    if (::link(path.c_str(), fresh.c_str()) != 0)
        return errno == ENOENT ? Result<void>{} : fail_errno("cannot keep the previous keyring");
    Result<void> kept;
    if (::rename(fresh.c_str(), (path + ".previous").c_str()) != 0)
        kept = fail_errno("cannot keep the previous keyring");
    // rename(2) does nothing when both names are the same file already, as they are after a publish that
    // failed between this rename and the last one.
    ::unlink(fresh.c_str());
    return kept;
}

} // namespace

Result<std::string> build(Contents contents) {
    auto& keys = contents.keys;
    std::sort(keys.begin(), keys.end(),
              [](const KeyRecord& a, const KeyRecord& b) { return a.fingerprint < b.fingerprint; });
    std::vector<Entry> entries;
    entries.reserve(keys.size());
    std::string records;
    std::uint64_t active = 0;
    for (const KeyRecord& key : keys) {
        if (!entries.empty() && entries.back().fingerprint == key.fingerprint)
            return fail(Errc::bad_input, "two keys have the same fingerprint");
        if (key.id.empty() || key.type.empty() || key.blob.empty())
            return fail(Errc::bad_input, "a key is incomplete");
        const std::string stored = encode_stored_record(key, contents.generation);
        if (key.blob.size() > k_max_blob || stored.size() > k_max_record)
            return fail(Errc::too_large, "a key's record is too large");
        entries.push_back({key.fingerprint, records.size(), stored.size()});
        records += stored;
        active += key.state == KeyState::active ? 1 : 0;
    }

    Header header{};
    header.magic = k_magic;
    header.version = k_version;
    header.directory_bits = choose_directory_bits(keys.size());
    header.generation = contents.generation;
    header.created = static_cast<std::uint64_t>(contents.created);
    header.key_count = keys.size();
    header.active_count = active;
    const auto pages = build_pages(entries, contents.generation);
    header.page_count = pages.size();
    const auto directory = build_directory(pages, header.directory_bits);
    const std::string policy = with_checksum(encode_policy(contents.policy), contents.generation);

    std::string out(k_header_size, '\0');
    header.directory_offset = out.size();
    append_raw(out, directory.data(), directory.size() * sizeof directory[0]);
    pad_to(out, k_page_size);
    header.index_offset = out.size();
    append_raw(out, pages.data(), pages.size() * sizeof pages[0]);
    header.policy_offset = out.size();
    header.policy_size = policy.size();
    out += policy;
    header.records_offset = out.size();
    header.records_size = records.size();
    out += records;
    header.file_size = out.size();
    header.checksum = header_checksum(header);
    std::memcpy(out.data(), &header, sizeof header);
    return out;
}

namespace {

[[nodiscard]] Result<void> check_and_replace(const std::string& fresh, const std::string& path, uid_t owner) {
    GATE_TRY(const Reader reader, Reader::open(fresh.c_str(), owner));
    GATE_CHECK(reader.verify());
    GATE_CHECK(keep_previous(path));
    if (::rename(fresh.c_str(), path.c_str()) != 0)
        return fail_errno("cannot put the new keyring in place");
    return sync_parent(path);
}

} // namespace

Result<void> publish(const std::string& path, Contents contents, uid_t owner) {
    GATE_TRY(const std::string bytes, build(std::move(contents)));
    const std::string fresh = path + ".new";
    Result<void> done = write_file(fresh, bytes);
    if (done)
        done = check_and_replace(fresh, path, owner);
    if (!done)
        ::unlink(fresh.c_str()); // it may be what fills the disk; gone already if only the last sync failed
    return done;
}

} // namespace gate::keyring
