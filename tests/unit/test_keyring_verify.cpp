// lib/keyring/verify: what it shows is what is in the keyring, whatever the order in the file; and what it
// accepts holds no surprise for a login: no flipped bit, no cut, no forged page with a right checksum.
#include "tests/unit/support_keyring.h"

#include "lib/keyring/builder.h"

#include <algorithm>
#include <functional>
#include <map>

using namespace gate;
using namespace gate::keyring;
using test::Sample;
using test::TempDir;
using test::write_file;

namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr int k_random_flips = 1'000; // the same code, watched
#else
constexpr int k_random_flips = 10'000;
#endif

using Shown = std::map<Fingerprint, KeyRecord>;

[[nodiscard]] Result<Reader> open(const std::string& path) {
    return Reader::open(path.c_str(), ::geteuid());
}

[[nodiscard]] Shown as_shown(const std::vector<KeyRecord>& keys) {
    Shown out;
    for (const KeyRecord& key : keys)
        out[key.fingerprint] = key;
    return out;
}

// What verify() shows, if all is well in the end.
[[nodiscard]] Result<Shown> verify(const std::string& path) {
    GATE_TRY(const Reader reader, open(path));
    Shown out;
    GATE_CHECK(reader.verify(
        [](void* to, const KeyRecord& key) { (*static_cast<Shown*>(to))[key.fingerprint] = key; }, &out));
    return out;
}

struct Outcomes {
    int right = 0;
    int refused = 0;
};

[[nodiscard]] bool finds_all(const std::string& path, const Shown& expected) {
    const auto reader = open(path);
    return reader && std::all_of(expected.begin(), expected.end(), [&reader](const auto& each) {
               const auto got = reader->find(each.first);
               return got && got->has_value() && **got == each.second;
           });
}

// Accepted with exactly the keys that are in it, and a login finds each of them; or refused as damaged.
void verify_with_flip(const Sample& s, const Shown& expected, std::size_t bit, Outcomes& outcomes) {
    s.flip(bit);
    const auto shown = verify(s.path);
    const bool surprise = shown && !finds_all(s.path, expected);
    s.restore(bit);
    const std::string where = "bit " + std::to_string(bit);
    if (shown) {
        CHECK_MSG(*shown == expected && !surprise, where);
        ++outcomes.right;
    } else {
        CHECK_MSG(shown.error().code == Errc::damaged || shown.error().code == Errc::truncated ||
                      shown.error().code == Errc::version,
                  where + ": " + test::show_error(shown.error()));
        ++outcomes.refused;
    }
}

void every_flipped_bit_of_header_directory_and_index_is_refused() {
    const Sample s(300, 2);
    const Shown expected = as_shown(s.keys);
    const Header h = s.header();
    CHECK(h.directory_bits >= 2 && h.page_count >= 2);
    const auto flip_all = [&](std::size_t offset, std::size_t size) {
        Outcomes outcomes;
        for (std::size_t bit = offset * 8; bit < (offset + size) * 8; ++bit)
            verify_with_flip(s, expected, bit, outcomes);
        return outcomes;
    };
    const std::size_t slots = (std::size_t{1} << h.directory_bits) + 1;
    const Outcomes parts[] = {flip_all(0, k_header_size),
                              flip_all(h.directory_offset, slots * sizeof(std::uint32_t)),
                              flip_all(h.index_offset, sizeof(PageHead) + sizeof(Entry)),
                              flip_all(h.index_offset + (h.page_count - 1) * k_page_size, sizeof(PageHead))};
    for (const Outcomes& part : parts) {
        CHECK_EQ(part.right, 0);
        CHECK(part.refused > 0);
        print_message("%d flips, all refused\n", part.refused);
    }
    CHECK(verify(s.path).value() == expected); // and it was the flips
}

void random_flips_elsewhere_are_refused_or_harmless() {
    const Sample s(130, 2);
    const Shown expected = as_shown(s.keys);
    auto random = test::seeded();
    Outcomes outcomes;
    std::uniform_int_distribution<std::size_t> any(k_header_size * 8, s.bytes.size() * 8 - 1);
    for (int i = 0; i < k_random_flips; ++i)
        verify_with_flip(s, expected, any(random), outcomes);
    CHECK(outcomes.right > 0); // between the records and the index lie bytes that nobody reads
    CHECK(outcomes.refused > outcomes.right);
    print_message("%d flips: %d right, %d refused\n", k_random_flips, outcomes.right, outcomes.refused);
}

void a_keyring_cut_at_any_length_is_refused() {
    const Sample s(90, 2);
    const auto reader = open(s.path);
    CHECK_OK(reader);
    CHECK_OK(reader->verify());
    for (std::size_t length = s.bytes.size(); length-- > 0;) {
        CHECK(::truncate(s.path.c_str(), static_cast<off_t>(length)) == 0);
        CHECK_ERR(reader->verify(), Errc::truncated); // the one that was open already
        if (length % 64 == 0)
            CHECK_ERR(verify(s.path), Errc::truncated);
    }
}

// More than one read of pages, of records, and more than the sort does in one piece.
void the_order_in_the_file_does_not_matter() {
    constexpr std::size_t k_keys = 20'000;
    auto random = test::seeded();
    Contents contents = test::make_contents(k_keys, random);
    const Shown expected = as_shown(contents.keys);
    const auto before = [](const KeyRecord& a, const KeyRecord& b) { return a.fingerprint < b.fingerprint; };
    for (int order = 0; order < 4; ++order) {
        if (order == 1)
            std::sort(contents.keys.begin(), contents.keys.end(), before);
        if (order == 2)
            std::reverse(contents.keys.begin(), contents.keys.end());
        if (order == 3) { // two sorted halves, the greater one first
            std::sort(contents.keys.begin(), contents.keys.end(), before);
            std::rotate(contents.keys.begin(), contents.keys.begin() + k_keys / 2, contents.keys.end());
        }
        const TempDir dir;
        CHECK_OK(publish(dir / "keyring", contents, ::geteuid()));
        CHECK(verify(dir / "keyring").value() == expected);
        const auto reader = open(dir / "keyring");
        std::vector<Fingerprint> shown;
        CHECK_OK(reader->each([&](const Reader::Stored& stored) { shown.push_back(stored.fingerprint); }));
        CHECK_EQ(shown.size(), k_keys);
        for (std::size_t i = 0; i < k_keys; ++i)
            CHECK(shown[i] == contents.keys[i].fingerprint); // as they were added
        for (std::size_t i = 0; i < k_keys; i += 7)
            CHECK(**reader->find(contents.keys[i].fingerprint) == contents.keys[i]);
    }
}

void fingerprints_that_begin_alike_are_sorted() {
    auto random = test::seeded();
    Contents contents = test::make_contents(10'000, random);
    for (KeyRecord& key : contents.keys)
        std::fill_n(key.fingerprint.begin(), 8, std::uint8_t{0xab});
    const TempDir dir;
    CHECK_OK(publish(dir / "keyring", contents, ::geteuid()));
    CHECK(verify(dir / "keyring").value() == as_shown(contents.keys));
}

// The keyring with its parts changed and every checksum made right: what only a bug can write.
class Forgery {
  public:
    explicit Forgery(const Sample& s) : bytes_(s.bytes), header_(s.header()), path_(s.path) {}

    void page(std::uint64_t number, const std::function<void(Page&)>& change) {
        const std::size_t at = header_.index_offset + number * k_page_size;
        Page page{};
        std::memcpy(&page, bytes_.data() + at, sizeof page);
        change(page);
        page.head.checksum = page_checksum(page, header_.generation);
        std::memcpy(bytes_.data() + at, &page, sizeof page);
    }
    void header(const std::function<void(Header&)>& change) {
        change(header_);
        header_.checksum = header_checksum(header_);
        std::memcpy(bytes_.data(), &header_, sizeof header_);
    }
    [[nodiscard]] Result<void> verified() const {
        write_file(path_, bytes_);
        GATE_TRY(const Reader reader, open(path_));
        return reader.verify();
    }

  private:
    std::string bytes_;
    Header header_;
    std::string path_;
};

void a_forged_index_is_refused() {
    const Sample s(300, 2);
    const auto unchanged = [](Page&) {};
    Forgery honest(s);
    honest.page(1, unchanged);
    CHECK_OK(honest.verified());

    const std::pair<const char*, std::function<void(Page&)>> lies[] = {
        {"begins elsewhere", [](Page& page) { page.head.after.back() ^= 1; }},
        {"ends elsewhere", [](Page& page) { page.head.upto.back() ^= 1; }},
        {"is another", [](Page& page) { ++page.head.number; }},
        {"is too full", [](Page& page) { page.head.count = k_entries_per_page + 1; }},
        {"lacks its last", [](Page& page) { --page.head.count; }},
        {"is empty",
         [](Page& page) {
             page.head.count = 0;
             page.head.upto = page.head.after;
         }},
        {"is out of order", [](Page& page) { std::swap(page.entries[3], page.entries[4]); }},
        {"has one twice", [](Page& page) { page.entries[3] = page.entries[4]; }},
        {"names another's record",
         [](Page& page) {
             std::swap(page.entries[3].offset, page.entries[4].offset);
             std::swap(page.entries[3].length, page.entries[4].length);
         }},
        {"leads outside", [](Page& page) { page.entries[3].offset = UINT64_MAX - 7; }},
        {"is too long", [](Page& page) { page.entries[3].length = UINT64_MAX; }},
        {"is too short", [](Page& page) { page.entries[3].length = k_checksum_size; }},
        {"overlaps", [](Page& page) { ++page.entries[3].length; }},
    };
    for (const auto& [what, lie] : lies) {
        Forgery forgery(s);
        forgery.page(1, lie);
        const auto verified = forgery.verified();
        CHECK_MSG(!verified && verified.error().code == Errc::damaged, what);
    }
}

void forged_counts_are_refused() {
    const Sample s(300, 2);
    std::uint64_t Header::*const counts[] = {&Header::key_count, &Header::active_count};
    for (const auto count : counts) {
        for (const std::uint64_t by : {std::uint64_t{1}, UINT64_MAX}) {
            Forgery forgery(s);
            forgery.header([&](Header& header) { header.*count += by; });
            CHECK_ERR(forgery.verified(), Errc::damaged);
        }
    }
}

// One that is looked through by two threads: each finds what is wrong in its half, and the records on both
// sides of the middle may not overlap.
void a_large_keyring_is_refused_for_any_record() {
    const Sample s(25'000, 2);
    const auto look = [&s]() -> Result<void> {
        GATE_TRY(const Reader reader, open(s.path));
        return reader.verify();
    };
    CHECK_OK(look());
    const Header header = open(s.path)->header();
    constexpr std::uint64_t k_places = 64;
    for (std::uint64_t i = 0; i <= k_places; ++i) {
        const std::uint64_t byte =
            header.records_offset + std::min(header.records_size / k_places * i, header.records_size - 1);
        s.flip(byte * 8);
        CHECK_ERR(look(), Errc::damaged);
        s.restore(byte * 8);
    }
    CHECK_OK(look());
    Forgery counted(s);
    counted.header([](Header& forged) { --forged.active_count; });
    CHECK_ERR(counted.verified(), Errc::damaged);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(every_flipped_bit_of_header_directory_and_index_is_refused),
        GATE_TEST(random_flips_elsewhere_are_refused_or_harmless),
        GATE_TEST(a_keyring_cut_at_any_length_is_refused),
        GATE_TEST(the_order_in_the_file_does_not_matter),
        GATE_TEST(fingerprints_that_begin_alike_are_sorted),
        GATE_TEST(a_forged_index_is_refused),
        GATE_TEST(forged_counts_are_refused),
        GATE_TEST(a_large_keyring_is_refused_for_any_record),
    };
    return cmocka_run_group_tests_name("keyring_verify", tests, nullptr, nullptr);
}
