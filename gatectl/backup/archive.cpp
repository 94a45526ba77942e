#include "gatectl/backup/archive.h"

#include "gatectl/problem.h"
#include "lib/base/text.h"

#include <archive.h>
#include <archive_entry.h>
#include <array>
#include <sys/stat.h>
#include <utility>

namespace gate::ctl::backup {

namespace {

constexpr std::size_t k_block = 64 * 1024;
constexpr long k_second_ns = 1'000'000'000;

struct FreeEntry {
    void operator()(archive_entry* p) const { archive_entry_free(p); }
};

[[nodiscard]] std::string words_of(archive* a) {
    const char* words = archive_error_string(a);
    return words == nullptr ? "no reason given" : escape_visible(words);
}

} // namespace

void ArchiveWriter::Free::operator()(archive* p) const {
    archive_write_free(p);
}

ArchiveWriter::ArchiveWriter(int fd, bool compressed, std::string shown)
    : shown_(std::move(shown)), archive_(archive_write_new()) {
    if (!archive_)
        throw std::bad_alloc();
    demand(archive_write_set_format_pax_restricted(archive_.get()), "cannot be begun");
    if (compressed)
        demand(archive_write_add_filter_gzip(archive_.get()), "cannot be compressed");
    demand(archive_write_open_fd(archive_.get(), fd), "cannot be begun");
}

void ArchiveWriter::demand(int status, const char* doing) {
    if (status != ARCHIVE_OK)
        stop(Status::io, "the backup {} {}, is the disk full? ({})", shown_, doing, words_of(archive_.get()));
}

void ArchiveWriter::begin(const Member& member) {
    const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
    if (!entry)
        throw std::bad_alloc();
    archive_entry_set_pathname(entry.get(), member.name.c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), static_cast<mode_t>(member.mode));
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(member.size));
    archive_entry_set_mtime(entry.get(), member.mtime_ns / k_second_ns, 0);
    demand(archive_write_header(archive_.get(), entry.get()), "cannot be written");
}

void ArchiveWriter::write(Bytes bytes) {
    while (!bytes.empty()) {
        const la_ssize_t n = archive_write_data(archive_.get(), bytes.data(), bytes.size());
        if (n <= 0)
            demand(ARCHIVE_FATAL, "cannot be written");
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
}

void ArchiveWriter::finish() {
    demand(archive_write_close(archive_.get()), "cannot be finished");
}

void ArchiveReader::Free::operator()(archive* p) const {
    archive_read_free(p);
}

ArchiveReader::ArchiveReader(int fd, std::string shown)
    : shown_(std::move(shown)), archive_(archive_read_new()) {
    if (!archive_)
        throw std::bad_alloc();
    if (archive_read_support_format_tar(archive_.get()) != ARCHIVE_OK ||
        archive_read_support_filter_gzip(archive_.get()) != ARCHIVE_OK)
        stop(Status::internal, "libarchive cannot read compressed tar archives: {}",
             words_of(archive_.get()));
    if (archive_read_open_fd(archive_.get(), fd, k_block) != ARCHIVE_OK)
        damaged("cannot be read");
}

// Whatever libarchive complains of, a warning included: this program's own archives give it no cause.
void ArchiveReader::damaged(const char* doing) {
    if (!any_)
        stop(Status::bad_data, "{} is not a backup of pandora-gate ({})", shown_, words_of(archive_.get()));
    stop(Status::bad_data, "{} is damaged or cut short, nothing was changed: it {} ({})", shown_, doing,
         words_of(archive_.get()));
}

bool ArchiveReader::next() {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(archive_.get(), &entry);
    if (status == ARCHIVE_EOF)
        return false;
    if (status != ARCHIVE_OK)
        damaged("cannot be read to its end");
    any_ = true;
    const char* name = archive_entry_pathname(entry);
    name_ = name == nullptr ? "" : name;
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr ||
        archive_entry_symlink(entry) != nullptr || archive_entry_sparse_count(entry) != 0)
        stop(Status::bad_data, "{} is not a backup of pandora-gate: \"{}\" in it is not a plain file", shown_,
             escape_visible(name_));
    const la_int64_t size = archive_entry_size_is_set(entry) != 0 ? archive_entry_size(entry) : -1;
    if (size < 0)
        stop(Status::bad_data, "{} is damaged, nothing was changed: the member {} has no size", shown_,
             escape_visible(name_));
    size_ = static_cast<std::uint64_t>(size);
    return true;
}

void ArchiveReader::read(const std::function<void(Bytes)>& take) {
    std::array<std::uint8_t, k_block> block{};
    std::uint64_t left = size_;
    for (;;) {
        const la_ssize_t n = archive_read_data(archive_.get(), block.data(), block.size());
        if (n < 0)
            damaged("cannot be read to its end");
        if (n == 0)
            break;
        if (static_cast<std::uint64_t>(n) > left)
            stop(Status::bad_data, "{} is damaged, nothing was changed: the member {} is larger than it says",
                 shown_, escape_visible(name_));
        left -= static_cast<std::uint64_t>(n);
        take(Bytes(block).first(static_cast<std::size_t>(n)));
    }
    if (left != 0)
        damaged("ends before its members do");
}

} // namespace gate::ctl::backup
