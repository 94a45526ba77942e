#include "lib/keyring/reader.h"

#include "lib/base/file.h"
#include "lib/keyring/tlv.h"

#include <algorithm>
#include <sys/stat.h>

namespace gate::keyring {

namespace {

// Does [offset, offset + size) lie inside `total`?
[[nodiscard]] bool inside(std::uint64_t offset, std::uint64_t size, std::uint64_t total) {
    return offset <= total && size <= total - offset;
}

[[nodiscard]] Result<std::string> read_section(int fd, std::uint64_t offset, std::uint64_t size,
                                               std::uint64_t generation) {
    std::string bytes(size, '\0');
    GATE_CHECK(read_exact_at(fd, std::as_writable_bytes(std::span(bytes)), offset));
    const std::string_view body = std::string_view(bytes).substr(k_checksum_size);
    if (get_int<std::uint64_t>(bytes.data()) != section_checksum(body.data(), body.size(), generation))
        return fail(Errc::damaged, "keyring is damaged: a record's checksum is wrong");
    return bytes;
}

} // namespace

Result<Reader> Reader::open(const char* path, uid_t owner) {
    GATE_TRY(Fd fd, open_trusted(path, owner));
    return of(std::move(fd));
}

Result<Reader> Reader::of(Fd fd) {
    Header header{};
    GATE_CHECK(read_exact_at(fd.get(), std::as_writable_bytes(std::span(&header, 1)), 0));
    if (header.magic != k_magic)
        return fail(Errc::damaged, "keyring is damaged, or is not a keyring");
    if (header.checksum != header_checksum(header))
        return fail(Errc::damaged, "keyring is damaged: the header's checksum is wrong");
    if (header.version != k_version)
        return fail(Errc::version, "keyring was written by another version of pandora-gate");
    Reader reader(std::move(fd), header);
    GATE_CHECK(reader.check_layout());
    return reader;
}

Result<void> Reader::check_layout() const {
    struct stat st {};
    if (::fstat(fd_.get(), &st) != 0)
        return fail_errno("cannot stat keyring");
    const Header& h = header_;
    if (static_cast<std::uint64_t>(st.st_size) != h.file_size)
        return fail(Errc::truncated, "keyring is not as long as it says");
    const std::uint64_t total = h.file_size;
    const bool fits = h.directory_bits <= k_max_directory_bits && h.page_count >= 1 &&
                      h.page_count <= UINT32_MAX &&
                      inside(h.directory_offset, (directory_last() + 1) * sizeof(std::uint32_t), total) &&
                      inside(h.index_offset, h.page_count * k_page_size, total) &&
                      inside(h.records_offset, h.records_size, total) &&
                      inside(h.policy_offset, h.policy_size, total) && h.policy_size >= k_checksum_size &&
                      h.policy_size <= k_max_policy && h.key_count <= h.page_count * k_entries_per_page;
    if (!fits)
        return fail(Errc::damaged, "keyring is damaged: a section lies outside the file");
    return {};
}

Result<void> Reader::load_page(std::uint64_t number, Page& page) const {
    GATE_CHECK(read_exact_at(fd_.get(), std::as_writable_bytes(std::span(&page, 1)),
                             header_.index_offset + number * k_page_size));
    if (page.head.number != number || page.head.count > k_entries_per_page ||
        page.head.checksum != page_checksum(page, header_.generation))
        return fail(Errc::damaged, "keyring is damaged: an index page's checksum is wrong");
    return {};
}

Result<void> Reader::check_place(const Entry& entry) const {
    if (entry.length < k_record_head || entry.length > k_max_record ||
        !inside(entry.offset, entry.length, header_.records_size))
        return fail(Errc::damaged, "keyring is damaged: a record lies outside the file");
    return {};
}

Result<KeyRecord> Reader::load_record(const Entry& entry) const {
    GATE_CHECK(check_place(entry));
    GATE_TRY(const std::string bytes, read_section(fd_.get(), header_.records_offset + entry.offset,
                                                   entry.length, header_.generation));
    if (!std::equal(entry.fingerprint.begin(), entry.fingerprint.end(),
                    reinterpret_cast<const std::uint8_t*>(bytes.data()) + k_checksum_size))
        return fail(Errc::damaged, "keyring is damaged: a record is not the one its index names");
    GATE_TRY(KeyRecord record, decode_record(std::string_view(bytes).substr(k_record_head)));
    record.fingerprint = entry.fingerprint;
    return record;
}

Result<std::optional<KeyRecord>> Reader::find(const Fingerprint& fp) const {
    std::array<std::uint32_t, 2> span{};
    const std::uint64_t slot = directory_slot(fp, header_.directory_bits);
    GATE_CHECK(read_exact_at(fd_.get(), std::as_writable_bytes(std::span(span)),
                             header_.directory_offset + slot * sizeof(std::uint32_t)));
    std::uint64_t low = span[0];
    std::uint64_t end = std::uint64_t{span[1]} + 1;
    if (low >= end || end > header_.page_count)
        return fail(Errc::damaged, "keyring is damaged: the directory points outside the index");
    Page page{};
    while (low < end) {
        const std::uint64_t middle = low + (end - low) / 2;
        GATE_CHECK(load_page(middle, page));
        const PageHead& head = page.head;
        if (middle != 0 && fp <= head.after) {
            end = middle;
        } else if (middle != header_.page_count - 1 && fp > head.upto) {
            low = middle + 1;
        } else {
            const auto first = page.entries.begin();
            const auto last = first + head.count;
            const auto hit = std::lower_bound(
                first, last, fp, [](const Entry& e, const Fingerprint& f) { return e.fingerprint < f; });
            if (hit == last || hit->fingerprint != fp)
                return std::nullopt;
            GATE_TRY(KeyRecord record, load_record(*hit));
            return record;
        }
    }
    return fail(Errc::damaged, "keyring is damaged: the directory leads to the wrong page");
}

Result<Policy> Reader::policy() const {
    GATE_TRY(const std::string bytes,
             read_section(fd_.get(), header_.policy_offset, header_.policy_size, header_.generation));
    return decode_policy(std::string_view(bytes).substr(k_checksum_size));
}

} // namespace gate::keyring
