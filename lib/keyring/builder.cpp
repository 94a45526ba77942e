#include "lib/keyring/builder.h"

#include "lib/base/file.h"
#include "lib/keyring/order.h"
#include "lib/keyring/tlv.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gate::keyring {

namespace {

constexpr std::size_t k_block = 256 * 1024;             // bytes a write: they are still in the cache
constexpr std::uint64_t k_push_every = 8 * 1024 * 1024; // bytes: few and large requests to the disk
constexpr std::uint64_t k_max_keys = UINT32_MAX;        // an OrderItem's index; the entries would be 200 GB

[[nodiscard]] std::string_view view_of(const void* data, std::size_t size) {
    return {static_cast<const char*>(data), size};
}

[[nodiscard]] std::uint32_t choose_directory_bits(std::uint64_t keys) {
    const std::uint64_t slots = keys / k_entries_per_slot;
    return slots < 2 ? 0
                     : std::min<std::uint32_t>(static_cast<std::uint32_t>(std::bit_width(slots)) - 1,
                                               k_max_directory_bits);
}

// The entries in the order of their fingerprints, through `order` unless they lie in it already.
class Sorted {
  public:
    Sorted(const Entries& entries, bool sorted) : entries_(entries) {
        if (sorted)
            return;
        order_.reserve(entries.size());
        for (std::uint32_t i = 0; i < entries.size(); ++i)
            order_.push_back({fingerprint_top(entries[i].fingerprint), i});
        sort_items(order_, [&entries](std::uint32_t a, std::uint32_t b) {
            return entries[a].fingerprint < entries[b].fingerprint;
        });
    }
    [[nodiscard]] const Entry& operator[](std::size_t i) const {
        if (order_.empty())
            return entries_[i];
        if (i + k_ahead < order_.size())
            prefetch(entries_[order_[i + k_ahead].index]);
        return entries_[order_[i].index];
    }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

  private:
    const Entries& entries_;
    OrderItems order_;
};

} // namespace

Result<NewFile> NewFile::create(const std::string& path) {
    ::unlink(path.c_str());
    Fd fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)};
    if (!fd.valid())
        return fail_errno("cannot create the new keyring");
    NewFile file(std::move(fd), path);
    if (::fchmod(file.fd_.get(), 0644) != 0)
        return fail_errno("cannot set the new keyring's mode");
    return file;
}

NewFile::NewFile(NewFile&& other) noexcept
    : fd_(std::move(other.fd_)), path_(std::exchange(other.path_, {})), size_(other.size_),
      pushed_(other.pushed_) {}

NewFile& NewFile::operator=(NewFile&& other) noexcept {
    if (this != &other) {
        remove();
        fd_ = std::move(other.fd_);
        path_ = std::exchange(other.path_, {});
        size_ = other.size_;
        pushed_ = other.pushed_;
    }
    return *this;
}

void NewFile::remove() noexcept {
    if (!path_.empty())
        ::unlink(path_.c_str());
}

Result<void> NewFile::append(std::string_view bytes) {
    GATE_CHECK(write_all(fd_.get(), std::as_bytes(std::span(bytes))));
    size_ += bytes.size();
    if (size_ - pushed_ >= k_push_every)
        push();
    return {};
}

Result<void> NewFile::write_at(std::string_view bytes, std::uint64_t offset) {
    if (::lseek(fd_.get(), static_cast<off_t>(offset), SEEK_SET) < 0)
        return fail_errno("cannot write the new keyring");
    return write_all(fd_.get(), std::as_bytes(std::span(bytes)));
}

void NewFile::push() {
    // Only a hint: where a file system cannot, the sync does all the work.
    static_cast<void>(::sync_file_range(fd_.get(), static_cast<off_t>(pushed_),
                                        static_cast<off_t>(size_ - pushed_), SYNC_FILE_RANGE_WRITE));
    pushed_ = size_;
}

Result<void> NewFile::sync() {
    if (::fsync(fd_.get()) != 0)
        return fail_errno("cannot sync the new keyring");
    return {};
}

Builder::Builder(NewFile file, std::uint64_t generation, std::int64_t created)
    : file_(std::move(file)), generation_(generation), created_(created) {
    buffer_.reserve(k_block + k_page_size);
    buffer_.assign(k_header_size, '\0'); // the header's place
}

Result<Builder> Builder::create(const std::string& path, std::uint64_t generation, std::int64_t created) {
    GATE_TRY(NewFile file, NewFile::create(path));
    return Builder(std::move(file), generation, created);
}

Result<void> Builder::flush(std::size_t most) {
    if (!outcome_ || buffer_.size() < most)
        return outcome_;
    outcome_ = file_.append(buffer_);
    buffer_.clear();
    return outcome_;
}

std::size_t Builder::begin_record(const Fingerprint& fingerprint) {
    const std::size_t start = buffer_.size();
    buffer_.append(k_checksum_size, '\0');
    buffer_ += view_of(fingerprint.data(), fingerprint.size());
    return start;
}

Result<void> Builder::seal(std::size_t start, const Fingerprint& fingerprint, KeyState state) {
    const std::size_t length = buffer_.size() - start;
    if (length > k_max_record || entries_.size() == k_max_keys) {
        buffer_.resize(start);
        return fail(Errc::too_large, "a key's record is too large");
    }
    char* const record = buffer_.data() + start;
    const std::uint64_t checksum =
        section_checksum(record + k_checksum_size, length - k_checksum_size, generation_);
    std::memcpy(record, &checksum, sizeof checksum);
    sorted_ = sorted_ && (entries_.empty() || entries_.back().fingerprint < fingerprint);
    entries_.push_back({fingerprint, file_.size() + start - k_header_size, length});
    active_ += state == KeyState::active ? 1 : 0;
    return flush(k_block);
}

Result<void> Builder::add(const KeyRecord& key) {
    if (key.id.empty() || key.type.empty() || key.blob.empty())
        return fail(Errc::bad_input, "a key is incomplete");
    if (key.blob.size() > k_max_blob)
        return fail(Errc::too_large, "a key's record is too large");
    const std::size_t start = begin_record(key.fingerprint);
    append_record(buffer_, key);
    return seal(start, key.fingerprint, key.state);
}

Result<void> Builder::copy(const Fingerprint& fingerprint, std::string_view payload, KeyState state) {
    const std::size_t start = begin_record(fingerprint);
    buffer_ += payload;
    return seal(start, fingerprint, state);
}

// Directory and pages. A page is made in the buffer; the directory's place is kept free until all pages are
// known.
Result<void> Builder::write_index(Header& header) {
    const Sorted entries(entries_, sorted_);
    const std::uint64_t pages =
        std::max<std::uint64_t>(1, (entries.size() + k_entries_per_page - 1) / k_entries_per_page);
    const std::uint64_t slots = std::uint64_t{1} << header.directory_bits;
    header.page_count = pages;
    header.index_offset = (written() + k_page_size - 1) / k_page_size * k_page_size;
    buffer_.resize(buffer_.size() + (header.index_offset - written()), '\0');

    std::vector<std::uint32_t> directory(slots + 1);
    std::uint64_t slot = 0;
    Page page{};
    for (std::uint32_t p = 0; p < pages; ++p) {
        const std::size_t first = std::size_t{p} * k_entries_per_page;
        const std::size_t here = std::min(k_entries_per_page, entries.size() - first);
        const bool last = p + 1 == pages;
        const Fingerprint after = page.head.upto;
        page = Page{};
        page.head.number = p;
        page.head.count = static_cast<std::uint32_t>(here);
        page.head.after = after;
        for (std::size_t i = 0; i < here; ++i)
            page.entries[i] = entries[first + i];
        for (std::size_t i = 0; i < here; ++i)
            if ((i != 0 || p != 0) &&
                page.entries[i].fingerprint <= (i == 0 ? after : page.entries[i - 1].fingerprint))
                return fail(Errc::bad_input, "two keys have the same fingerprint");
        if (!last)
            page.head.upto = page.entries[here - 1].fingerprint;
        page.head.checksum = page_checksum(page, generation_);
        buffer_ += view_of(&page, sizeof page);
        GATE_CHECK(flush(k_block));
        // A slot's page is the first one that does not end before the slot begins.
        while (slot < slots &&
               (last || slot_top(slot, header.directory_bits) <= fingerprint_top(page.head.upto)))
            directory[slot++] = p;
    }
    directory[slots] = static_cast<std::uint32_t>(pages - 1);
    header.directory_offset = written();
    buffer_ += view_of(directory.data(), directory.size() * sizeof directory[0]);
    return flush(k_block);
}

Result<void> Builder::write_rest(const Policy& policy) {
    Header header{};
    header.magic = k_magic;
    header.version = k_version;
    header.directory_bits = choose_directory_bits(keys());
    header.generation = generation_;
    header.created = static_cast<std::uint64_t>(created_);
    header.key_count = keys();
    header.active_count = active_;
    header.records_offset = k_header_size;
    header.records_size = written() - k_header_size;
    GATE_CHECK(write_index(header));
    const std::string encoded = encode_policy(policy);
    header.policy_offset = written();
    header.policy_size = k_checksum_size + encoded.size();
    put_int(buffer_, section_checksum(encoded.data(), encoded.size(), generation_));
    buffer_ += encoded;
    header.file_size = written();
    GATE_CHECK(flush(0));
    header.checksum = header_checksum(header);
    file_.push();
    return file_.write_at(view_of(&header, sizeof header), 0);
}

Result<void> Builder::finish(const Policy& policy, Sync sync) {
    if (outcome_)
        outcome_ = write_rest(policy);
    if (outcome_ && sync == Sync::now)
        outcome_ = file_.sync();
    return outcome_;
}

} // namespace gate::keyring
