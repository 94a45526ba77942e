// A whole keyring, looked through before it is put in place: what Reader::find() relies on is proved for
// every fingerprint, by the pages' bounds, instead of asking for each. Reads in large pieces, in the file's
// order.
#include "lib/base/file.h"
#include "lib/keyring/order.h"
#include "lib/keyring/reader.h"
#include "lib/keyring/tlv.h"

#include <algorithm>
#include <cstring>
#include <future>

namespace gate::keyring {

namespace {

constexpr std::uint64_t k_block = 256 * 1024; // bytes a read: they stay in the cache until they were checked
constexpr std::uint64_t k_pages_at_once = k_block / k_page_size;
constexpr std::size_t k_worth_a_thread = 20'000; // keys: some milliseconds

// Checks one page after the other, and the directory along with them.
class IndexCheck {
  public:
    IndexCheck(const Header& header, const std::vector<std::uint32_t>& directory)
        : header_(header), directory_(directory) {}

    [[nodiscard]] Result<void> take(const Page& page, std::uint64_t number, Entries& entries) {
        const PageHead& head = page.head;
        const bool last = number + 1 == header_.page_count;
        if (head.number != number || head.count > k_entries_per_page ||
            head.checksum != page_checksum(page, header_.generation))
            return fail(Errc::damaged, "keyring is damaged: an index page's checksum is wrong");
        if (number != 0 && head.after != previous_)
            return fail(Errc::damaged, "keyring is damaged: pages do not follow each other");
        if (head.count == 0 && header_.page_count != 1)
            return fail(Errc::damaged, "keyring is damaged: an index page is empty");
        for (std::size_t i = 0; i < head.count; ++i) {
            const Entry& entry = page.entries[i];
            if (!entries.empty() &&
                std::memcmp(entry.fingerprint.data(), previous_.data(), previous_.size()) <= 0)
                return fail(Errc::damaged, "keyring is damaged: keys are not in order");
            previous_ = entry.fingerprint;
            entries.push_back(entry);
        }
        if (!last && head.upto != previous_)
            return fail(Errc::damaged, "keyring is damaged: a page does not say where it ends");
        // A slot's page is the first one that does not end before the slot begins.
        const std::uint64_t slots = directory_.size() - 1;
        for (;
             slot_ < slots && (last || slot_top(slot_, header_.directory_bits) <= fingerprint_top(head.upto));
             ++slot_)
            if (directory_[slot_] != number)
                return fail(Errc::damaged, "keyring is damaged: the directory leads to the wrong page");
        if (last && directory_[slots] != number)
            return fail(Errc::damaged, "keyring is damaged: the directory does not end with the index");
        return {};
    }

  private:
    const Header& header_;
    const std::vector<std::uint32_t>& directory_;
    std::uint64_t slot_ = 0;
    Fingerprint previous_{};
};

// The entries in the order in which their records lie in the file.
class ByOffset {
  public:
    explicit ByOffset(const Entries& entries) : entries_(entries) {
        const auto before = [](const Entry& a, const Entry& b) { return a.offset < b.offset; };
        if (std::is_sorted(entries.begin(), entries.end(), before))
            return;
        order_.reserve(entries.size());
        for (std::uint32_t i = 0; i < entries.size(); ++i)
            order_.push_back({entries[i].offset, i});
        sort_items(order_, std::less<>{});
    }
    [[nodiscard]] const Entry& operator[](std::size_t i) const {
        if (order_.empty())
            return entries_[i];
        if (i + k_ahead < order_.size())
            prefetch(entries_[order_[i + k_ahead].index]);
        return entries_[order_[i].index];
    }

  private:
    const Entries& entries_;
    OrderItems order_;
};

// The records, through a window that moves forward.
class Window {
  public:
    Window(int fd, const Header& header) : fd_(fd), header_(header) {}

    // `entry` lies inside the records, and none before it in the file is asked for again.
    [[nodiscard]] Result<std::string_view> at(const Entry& entry) {
        if (entry.offset < start_ || entry.offset - start_ > bytes_.size() ||
            entry.length > bytes_.size() - (entry.offset - start_)) {
            start_ = entry.offset;
            bytes_.resize(std::min(std::max(k_block, entry.length), header_.records_size - start_));
            GATE_CHECK(read_exact_at(fd_, std::as_writable_bytes(std::span(bytes_)),
                                     header_.records_offset + start_));
        }
        return std::string_view(bytes_).substr(entry.offset - start_, entry.length);
    }

  private:
    int fd_;
    const Header& header_;
    std::uint64_t start_ = 0; // from records_offset
    std::string bytes_;
};

} // namespace

Result<Entries> Reader::load_index() const {
    std::vector<std::uint32_t> directory(directory_last() + 1);
    GATE_CHECK(
        read_exact_at(fd_.get(), std::as_writable_bytes(std::span(directory)), header_.directory_offset));
    if (header_.key_count > UINT32_MAX) // an OrderItem's index
        return fail(Errc::too_large, "keyring has more keys than can be checked");
    Entries entries;
    entries.reserve(header_.key_count);
    IndexCheck check(header_, directory);
    std::vector<Page> pages(std::min(k_pages_at_once, header_.page_count));
    for (std::uint64_t first = 0; first < header_.page_count; first += pages.size()) {
        pages.resize(std::min<std::uint64_t>(pages.size(), header_.page_count - first));
        GATE_CHECK(read_exact_at(fd_.get(), std::as_writable_bytes(std::span(pages)),
                                 header_.index_offset + first * k_page_size));
        for (std::size_t i = 0; i < pages.size(); ++i)
            GATE_CHECK(check.take(pages[i], first + i, entries));
    }
    if (entries.size() != header_.key_count)
        return fail(Errc::damaged, "keyring is damaged: the number of keys is not the one it says");
    return entries;
}

Result<void> Reader::walk(void (*show)(void* context, const Stored& stored), void* context) const {
    GATE_CHECK(policy());
    GATE_TRY(const Entries entries, load_index());
    const ByOffset ordered(entries);
    // The records from one to before another, none of which may begin before the last one's end; how many are
    // active.
    const auto look_through = [&](std::size_t first, std::size_t last) -> Result<std::uint64_t> {
        Window window(fd_.get(), header_);
        std::uint64_t end = first == 0 ? 0 : ordered[first - 1].offset + ordered[first - 1].length;
        std::uint64_t active = 0;
        for (std::size_t i = first; i < last; ++i) {
            const Entry& entry = ordered[i];
            GATE_CHECK(check_place(entry));
            if (entry.offset < end)
                return fail(Errc::damaged, "keyring is damaged: two records overlap");
            end = entry.offset + entry.length;
            GATE_TRY(const std::string_view bytes, window.at(entry));
            const std::string_view body = bytes.substr(k_checksum_size);
            if (get_int<std::uint64_t>(bytes.data()) !=
                section_checksum(body.data(), body.size(), header_.generation))
                return fail(Errc::damaged, "keyring is damaged: a record's checksum is wrong");
            if (std::memcmp(body.data(), entry.fingerprint.data(), entry.fingerprint.size()) != 0)
                return fail(Errc::damaged, "keyring is damaged: a record is not the one its index names");
            const std::string_view payload = bytes.substr(k_record_head);
            GATE_TRY(const RecordView view, check_record(payload));
            active += view.state == KeyState::active ? 1 : 0;
            if (show != nullptr)
                show(context, {entry.fingerprint, payload, view.state});
        }
        return active;
    };
    // Who is shown the records wants them one after the other.
    const std::size_t half = show == nullptr && entries.size() >= k_worth_a_thread ? entries.size() / 2 : 0;
    std::future<Result<std::uint64_t>> other;
    if (half != 0)
        other = std::async(std::launch::async, look_through, std::size_t{0}, half);
    Result<std::uint64_t> active = look_through(half, entries.size());
    if (half != 0) {
        GATE_TRY(const std::uint64_t more, other.get());
        if (active)
            *active += more;
    }
    GATE_CHECK(active);
    if (*active != header_.active_count)
        return fail(Errc::damaged, "keyring is damaged: the number of keys is not the one it says");
    return {};
}

Result<void> Reader::verify(Visitor visitor, void* context) const {
    if (visitor == nullptr)
        return walk(nullptr, nullptr);
    Result<void> taken;
    const auto walked = each([&](const Stored& stored) {
        auto record = decode_record(stored.payload);
        if (!record) {
            taken = std::unexpected(record.error());
            return;
        }
        record->fingerprint = stored.fingerprint;
        visitor(context, *record);
    });
    return walked ? taken : walked;
}

Result<void> Reader::sync() const {
    if (::fsync(fd_.get()) != 0)
        return fail_errno("cannot sync the keyring");
    return {};
}

} // namespace gate::keyring
