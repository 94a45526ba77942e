// lib/keyring: everything that is in a keyring is found, everything else is a proven miss; and a damaged
// keyring gives the right answer or an error, never a wrong one.
#include "tests/unit/support_keyring.h"

#include <algorithm>
#include <optional>

using namespace gate;
using namespace gate::keyring;
using test::Sample;
using test::TempDir;
using test::write_file;

namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr int k_random_flips = 1'000; // the same code, watched: slower, and the order is the same
#else
constexpr int k_random_flips = 10'000;
#endif

[[nodiscard]] Result<Reader> open(const Sample& s) {
    return Reader::open(s.path.c_str(), ::geteuid());
}

void all_found_and_nothing_else(std::size_t count, std::size_t misses) {
    const Sample s(count, misses);
    const auto reader = open(s);
    CHECK_OK(reader);
    CHECK_EQ(reader->header().key_count, count);
    CHECK_EQ(reader->header().generation, 42U);
    CHECK_OK(reader->verify());
    const auto policy = reader->policy();
    CHECK_OK(policy);
    CHECK(*policy == Policy{});
    for (const KeyRecord& key : s.keys) {
        const auto got = reader->find(key.fingerprint);
        CHECK_OK(got);
        CHECK(got->has_value());
        CHECK(**got == key);
    }
    for (const Fingerprint& fp : s.absent) {
        const auto got = reader->find(fp);
        CHECK_OK(got);
        CHECK(!got->has_value());
    }
}

void sizes_around_a_page_work() {
    for (const std::size_t count :
         {0U, 1U, 2U, 83U, 84U, 85U, 86U, 127U, 128U, 129U, 168U, 169U, 252U, 253U, 1000U})
        all_found_and_nothing_else(count, 500);
}
static_assert(k_entries_per_page == 83, "the sizes above stand around a page");

void ten_thousand_keys_and_ten_thousand_strangers() {
    all_found_and_nothing_else(10'000, 10'000);
}

// Fingerprints that share their top bits all lie in one slot of the directory, over several pages.
void keys_that_crowd_one_slot_are_found() {
    auto random = test::seeded();
    Contents contents = test::make_contents(1'000, random);
    for (KeyRecord& key : contents.keys)
        std::fill_n(key.fingerprint.begin(), 8, std::uint8_t{0xab});
    const auto keys = contents.keys;
    const TempDir dir;
    CHECK_OK(publish(dir / "keyring", std::move(contents), ::geteuid()));
    const auto reader = Reader::open((dir / "keyring").c_str(), ::geteuid());
    CHECK_OK(reader);
    for (const KeyRecord& key : keys) {
        const auto got = reader->find(key.fingerprint);
        CHECK_OK(got);
        CHECK(got->has_value() && **got == key);
    }
    for (int i = 0; i < 1'000; ++i) {
        Fingerprint fp = test::random_fingerprint(random);
        if (i % 2 == 0)
            std::fill_n(fp.begin(), 8, std::uint8_t{0xab});
        const auto got = reader->find(fp);
        CHECK_OK(got);
        CHECK(!got->has_value());
    }
}

struct Outcomes {
    std::uint64_t right = 0;
    std::uint64_t errors = 0;
};

// Every question that can be asked of the file as it lies there now.
void ask_everything(const Sample& s, Outcomes& outcomes) {
    const auto reader = open(s);
    if (!reader) {
        CHECK(reader.error().code == Errc::damaged || reader.error().code == Errc::truncated ||
              reader.error().code == Errc::version);
        outcomes.errors += s.keys.size() + s.absent.size() + 1;
        return;
    }
    const auto policy = reader->policy();
    CHECK(!policy || *policy == Policy{});
    ++(policy ? outcomes.right : outcomes.errors);
    for (const KeyRecord& key : s.keys) {
        const auto got = reader->find(key.fingerprint);
        if (got) {
            CHECK_MSG(got->has_value(), "a key that is there was called unknown");
            CHECK_MSG(**got == key, "a key came back as another");
        }
        ++(got ? outcomes.right : outcomes.errors);
    }
    for (const Fingerprint& fp : s.absent) {
        const auto got = reader->find(fp);
        CHECK_MSG(!got || !got->has_value(), "a key that is not there was found");
        ++(got ? outcomes.right : outcomes.errors);
    }
}

void ask_with_flip(const Sample& s, std::size_t bit, Outcomes& outcomes) {
    s.flip(bit);
    try {
        ask_everything(s, outcomes);
    } catch (test::Failure& failure) {
        failure.text += " (bit " + std::to_string(bit) + ")";
        throw;
    }
    s.restore(bit);
}

// Each bit of it in turn, with every question.
[[nodiscard]] Outcomes flip_each_bit_of(const Sample& s, std::size_t offset, std::size_t size) {
    Outcomes outcomes;
    for (std::size_t bit = offset * 8; bit < (offset + size) * 8; ++bit)
        ask_with_flip(s, bit, outcomes);
    return outcomes;
}

void every_flipped_bit_of_header_and_directory_is_noticed_or_harmless() {
    const Sample s(400, 200);
    const auto reader = open(s);
    CHECK_OK(reader);
    const Header& h = reader->header();
    CHECK(h.directory_bits >= 2);
    const Outcomes header = flip_each_bit_of(s, 0, k_header_size);
    CHECK_EQ(header.right, 0U);
    CHECK_EQ(header.errors, k_header_size * 8 * (s.keys.size() + s.absent.size() + 1));
    const std::size_t slots = (std::size_t{1} << h.directory_bits) + 1;
    const Outcomes directory = flip_each_bit_of(s, h.directory_offset, slots * sizeof(std::uint32_t));
    CHECK(directory.right > 0);
    CHECK(directory.errors > 0);
    print_message("directory: %llu right, %llu errors\n", static_cast<unsigned long long>(directory.right),
                  static_cast<unsigned long long>(directory.errors));
    const Outcomes index = flip_each_bit_of(s, h.index_offset, sizeof(PageHead));
    CHECK(index.right > 0); // questions that another page answers
    CHECK(index.errors > 0);
    print_message("head of the index: %llu right, %llu errors\n",
                  static_cast<unsigned long long>(index.right),
                  static_cast<unsigned long long>(index.errors));
}

void random_flips_elsewhere_are_noticed_or_harmless() {
    const Sample s(130, 60);
    auto random = test::seeded();
    Outcomes outcomes;
    std::uniform_int_distribution<std::size_t> any(k_header_size * 8, s.bytes.size() * 8 - 1);
    for (int i = 0; i < k_random_flips; ++i)
        ask_with_flip(s, any(random), outcomes);
    CHECK(outcomes.right > 0);
    CHECK(outcomes.errors > 0);
    print_message("%d flips: %llu right, %llu errors\n", k_random_flips,
                  static_cast<unsigned long long>(outcomes.right),
                  static_cast<unsigned long long>(outcomes.errors));
}

// Whole pages and records, exchanged: each is sound, but not where it belongs.
void exchanged_and_stale_pages_are_noticed() {
    const Sample s(300, 100);
    const auto reader = open(s);
    CHECK_OK(reader);
    const std::size_t index = reader->header().index_offset;
    std::string swapped = s.bytes;
    std::swap_ranges(swapped.begin() + static_cast<std::ptrdiff_t>(index),
                     swapped.begin() + static_cast<std::ptrdiff_t>(index + k_page_size),
                     swapped.begin() + static_cast<std::ptrdiff_t>(index + k_page_size));
    write_file(s.path, swapped);
    Outcomes outcomes;
    ask_everything(s, outcomes);
    CHECK(outcomes.right > 0);
    CHECK(outcomes.errors > 0);

    // A page of another generation of the same keys: what a lost write leaves.
    Contents other;
    other.generation = 43;
    other.keys = s.keys;
    const std::string newer = test::keyring_bytes(other);
    CHECK_EQ(newer.size(), s.bytes.size());
    std::string mixed = s.bytes;
    mixed.replace(index, k_page_size, newer, index, k_page_size);
    write_file(s.path, mixed);
    Outcomes stale;
    ask_everything(s, stale);
    CHECK(stale.right > 0);
    CHECK(stale.errors > 0);
}

// Two records of one length, exchanged: each has its right checksum.
void a_record_that_its_index_does_not_name_is_damaged() {
    const Sample s(2, 1);
    const auto reader = open(s);
    CHECK_OK(reader);
    const std::size_t start = reader->header().records_offset;
    const std::size_t length = reader->header().records_size / 2;
    std::string swapped = s.bytes;
    swapped.replace(start, length, s.bytes, start + length, length);
    swapped.replace(start + length, length, s.bytes, start, length);
    write_file(s.path, swapped);
    for (const KeyRecord& key : s.keys)
        CHECK_ERR(open(s)->find(key.fingerprint), Errc::damaged);
}

void a_keyring_cut_at_any_length_is_refused() {
    const Sample s(3, 2);
    for (std::size_t length = 0; length < s.bytes.size(); ++length) {
        CHECK(::truncate(s.path.c_str(), static_cast<off_t>(s.bytes.size())) == 0);
        write_file(s.path, std::string_view(s.bytes).substr(0, length));
        CHECK_ERR(open(s), Errc::truncated);
    }
    write_file(s.path, s.bytes + 'x');
    CHECK_ERR(open(s), Errc::truncated);
    write_file(s.path, s.bytes);
    CHECK_OK(open(s));
}

void a_keyring_cut_under_an_open_reader_gives_right_answers_or_errors() {
    const Sample s(3, 2);
    Outcomes outcomes;
    const auto reader = open(s);
    CHECK_OK(reader);
    for (std::size_t length = s.bytes.size(); length-- > 0;) {
        CHECK(::truncate(s.path.c_str(), static_cast<off_t>(length)) == 0);
        for (const KeyRecord& key : s.keys) {
            const auto got = reader->find(key.fingerprint);
            CHECK(!got || (got->has_value() && **got == key));
            ++(got ? outcomes.right : outcomes.errors);
        }
        for (const Fingerprint& fp : s.absent) {
            const auto got = reader->find(fp);
            CHECK(!got || !got->has_value());
            ++(got ? outcomes.right : outcomes.errors);
        }
    }
    CHECK(outcomes.right > 0);
    CHECK(outcomes.errors > 0);
}

void another_magic_or_version_has_its_own_error() {
    const Sample s(1, 2);
    Header header{};
    std::memcpy(&header, s.bytes.data(), sizeof header);
    const auto with = [&s](const Header& h) {
        std::string bytes = s.bytes;
        std::memcpy(bytes.data(), &h, sizeof h);
        write_file(s.path, bytes);
        return open(s);
    };
    header.version = k_version + 1;
    header.checksum = header_checksum(header);
    CHECK_ERR(with(header), Errc::version);
    header.version = k_version;
    header.magic[0] = 'Q';
    header.checksum = header_checksum(header);
    CHECK_ERR(with(header), Errc::damaged);
}

// A header with a right checksum that lies (a hostile file cannot come from root; a bug could).
void a_header_that_lies_cannot_lead_outside() {
    const Sample s(100, 20);
    Header honest{};
    std::memcpy(&honest, s.bytes.data(), sizeof honest);
    const std::uint64_t lies[] = {0,
                                  1,
                                  7,
                                  s.bytes.size() - 1,
                                  s.bytes.size(),
                                  s.bytes.size() + 1,
                                  UINT32_MAX,
                                  UINT64_MAX / k_page_size,
                                  UINT64_MAX - 7,
                                  UINT64_MAX};
    std::uint64_t Header::*const fields[] = {
        &Header::key_count,      &Header::page_count,   &Header::directory_offset, &Header::index_offset,
        &Header::records_offset, &Header::records_size, &Header::policy_offset,    &Header::policy_size,
        &Header::file_size,      &Header::active_count};
    int refused = 0;
    for (const auto field : fields) {
        for (const std::uint64_t lie : lies) {
            Header header = honest;
            header.*field = lie;
            header.checksum = header_checksum(header);
            std::string bytes = s.bytes;
            std::memcpy(bytes.data(), &header, sizeof header);
            write_file(s.path, bytes);
            Outcomes outcomes;
            ask_everything(s, outcomes);
            const auto reader = open(s);
            refused += !reader || !reader->verify() ? 1 : 0;
        }
    }
    CHECK(refused > 0);
    for (std::uint32_t bits = 0; bits < 40; ++bits) {
        Header header = honest;
        header.directory_bits = bits;
        header.checksum = header_checksum(header);
        std::string bytes = s.bytes;
        std::memcpy(bytes.data(), &header, sizeof header);
        write_file(s.path, bytes);
        Outcomes outcomes;
        ask_everything(s, outcomes);
    }
}

void only_a_trusted_regular_file_is_read() {
    const Sample s(1, 2);
    CHECK_ERR(Reader::open(s.path.c_str(), ::geteuid() + 1), Errc::wrong_owner);
    CHECK(::chmod(s.path.c_str(), 0664) == 0);
    CHECK_ERR(open(s), Errc::writable);
    CHECK(::chmod(s.path.c_str(), 0646) == 0);
    CHECK_ERR(open(s), Errc::writable);
    CHECK(::chmod(s.path.c_str(), 0644) == 0);
    CHECK(::symlink("keyring", (s.dir / "link").c_str()) == 0);
    CHECK_ERR(Reader::open((s.dir / "link").c_str(), ::geteuid()), Errc::not_regular);
    CHECK(::mkfifo((s.dir / "fifo").c_str(), 0644) == 0);
    CHECK_ERR(Reader::open((s.dir / "fifo").c_str(), ::geteuid()), Errc::not_regular);
    CHECK_ERR(Reader::open((s.dir / "none").c_str(), ::geteuid()), Errc::missing);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(sizes_around_a_page_work),
        GATE_TEST(ten_thousand_keys_and_ten_thousand_strangers),
        GATE_TEST(keys_that_crowd_one_slot_are_found),
        GATE_TEST(every_flipped_bit_of_header_and_directory_is_noticed_or_harmless),
        GATE_TEST(random_flips_elsewhere_are_noticed_or_harmless),
        GATE_TEST(exchanged_and_stale_pages_are_noticed),
        GATE_TEST(a_record_that_its_index_does_not_name_is_damaged),
        GATE_TEST(a_keyring_cut_at_any_length_is_refused),
        GATE_TEST(a_keyring_cut_under_an_open_reader_gives_right_answers_or_errors),
        GATE_TEST(another_magic_or_version_has_its_own_error),
        GATE_TEST(a_header_that_lies_cannot_lead_outside),
        GATE_TEST(only_a_trusted_regular_file_is_read),
    };
    return cmocka_run_group_tests_name("keyring_find", tests, nullptr, nullptr);
}
