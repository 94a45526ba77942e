// lib/spool under faults: the 1st, 2nd, ... call of a drop fails until a run is clean, for both staging
// methods and every kind of error. Whatever fails: data_in holds the whole file or nothing, what was there
// stays as it was, and staging holds nothing that outlives the drop.
#include "tests/unit/support.h"

#include "lib/spool/name.h"
#include "lib/spool/spool.h"
#include "tests/unit/fake_fs.h"

#include <map>

using namespace gate;
using namespace gate::spool;
using test::FakeFs;
using Op = test::FakeFs::Op;

namespace {

constexpr std::string_view k_name = "web1.17.data";
constexpr std::string_view k_other = "what lay there before";

enum class Method { tmpfile, fallback, named, rename };

struct Setup {
    Method method;
    bool declared;  // the size was known
    bool collision; // the name is taken
    bool own_group; // a group is set
    bool durable;
    std::string content;
    std::size_t max_write;
};

struct Counts {
    unsigned injected = 0;
    unsigned absent = 0;
    unsigned whole = 0;
    std::map<Op, unsigned> by_call;
};

std::map<std::string, std::string> files_in(const std::string& directory) {
    std::map<std::string, std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(directory))
        out[entry.path().filename()] = test::read_file(entry.path());
    return out;
}

class World {
  public:
    explicit World(const Setup& setup) : setup_(setup) {
        policy_.spool_directory = dir_ / "data_in";
        policy_.spool_staging = dir_ / "staging";
        policy_.spool_mode = 0640;
        policy_.spool_gid = setup.own_group ? ::getgid() : keyring::k_inherit_group;
        policy_.spool_durability = setup.durable ? keyring::Durability::full : keyring::Durability::none;
        policy_.spool_staging_method = setup.method == Method::tmpfile || setup.method == Method::fallback
                                           ? keyring::StagingMethod::automatic
                                           : keyring::StagingMethod::named;
        std::filesystem::create_directory(policy_.spool_directory);
        std::filesystem::create_directory(policy_.spool_staging);
    }

    // One drop with the n-th call failing; false when there was no n-th call.
    bool run(unsigned n, int error, bool after, Counts& counts) {
        FakeFs fs;
        fs.no_tmpfile = setup_.method == Method::fallback;
        fs.no_link = setup_.method == Method::rename;
        fs.max_write = setup_.max_write;
        fs.fail_at = n;
        fs.error = error;
        fs.after = after;
        clear();
        if (setup_.collision)
            test::write_file(policy_.spool_directory + '/' + std::string(k_name), k_other);
        const Result<Published> published = drop(fs);
        where_ = "call " + std::to_string(n) + ", errno " + std::to_string(error) + (after ? ", after" : "");
        if (!fs.injected)
            CHECK_OK(published);
        check_data_in(published, counts, fs.injected);
        check_staging(fs);
        if (!fs.injected)
            return false;
        ++counts.injected;
        ++counts.by_call[fs.injected_op];
        if (!published)
            CHECK_MSG(published.error().code == (error == EIO ? Errc::system : Errc::no_space) ||
                          published.error().code == Errc::system,
                      where_);
        return true;
    }

  private:
    Result<Published> drop(Fs& fs) {
        GATE_TRY(Spool spool, Spool::open(policy_, fs));
        GATE_TRY(Reservation reservation,
                 // More than comes, so that the rest is given back.
                 spool.reserve(setup_.declared ? std::optional<std::uint64_t>(setup_.content.size() + 10'000)
                                               : std::nullopt));
        return spool.publish(std::move(reservation), k_name, std::as_bytes(std::span(setup_.content)));
    }

    void check_data_in(const Result<Published>& published, Counts& counts, bool injected) {
        auto files = files_in(policy_.spool_directory);
        if (setup_.collision) {
            CHECK_MSG(files[std::string(k_name)] == k_other, where_ + ": what was there was changed");
            files.erase(std::string(k_name));
        }
        for (const auto& [name, bytes] : files) {
            CHECK_MSG(bytes == setup_.content, where_ + ": " + name + " is not whole");
            FileName parsed;
            CHECK_MSG(parse_file_name(name, parsed) == Reason::none && parsed.agent == "web1", name);
            struct stat st {};
            CHECK(::stat((policy_.spool_directory + '/' + name).c_str(), &st) == 0);
            CHECK_MSG((st.st_mode & 07777) == 0640, where_ + ": the mode is wrong");
        }
        if (published)
            CHECK_MSG(files.contains(published->name), where_ + ": said to be there, but is not");
        if (injected)
            ++(files.empty() ? counts.absent : counts.whole);
    }

    void check_staging(const FakeFs& fs) {
        const std::size_t left = files_in(policy_.spool_staging).size();
        const bool may_stay = fs.injected && (fs.injected_op == Op::unlink || fs.injected_op == Op::create);
        CHECK_MSG(left == 0 || may_stay, where_ + ": staging is not empty");
        FakeFs next;
        auto spool = Spool::open(policy_, next);
        CHECK_OK(spool);
        CHECK_EQ(spool->leftovers_removed() + spool->remove_leftovers(), left);
        CHECK(files_in(policy_.spool_staging).empty());
    }

    void clear() {
        for (const std::string& directory : {policy_.spool_directory, policy_.spool_staging}) {
            for (const auto& entry : std::filesystem::directory_iterator(directory))
                std::filesystem::remove(entry.path());
        }
    }

    test::TempDir dir_;
    const Setup& setup_;
    keyring::Policy policy_;
    std::string where_;
};

void try_every_call(const Setup& setup, Counts& counts) {
    World world(setup);
    constexpr unsigned k_more_than_a_drop_needs = 400;
    for (const int error : {EIO, ENOSPC, EDQUOT}) {
        for (const bool after : {false, true}) {
            unsigned n = 1;
            while (world.run(n, error, after, counts))
                CHECK(++n < k_more_than_a_drop_needs);
            CHECK(n > 4);
        }
    }
}

Counts try_method(Method method) {
    Counts counts;
    for (const bool declared : {false, true}) {
        for (const bool collision : {false, true}) {
            for (const bool plain : {false, true}) {
                try_every_call({method, declared, collision, plain, !plain, "", SIZE_MAX}, counts);
                try_every_call({method, declared, collision, !plain, true, "<agent_data/>", SIZE_MAX},
                               counts);
                try_every_call({method, declared, collision, plain, true, std::string(7000, 'x'), 1000},
                               counts);
            }
        }
    }
    print_message("faults injected %u, ended absent %u, ended whole %u\n", counts.injected, counts.absent,
                  counts.whole);
    CHECK(counts.injected > 500 && counts.absent > 0 && counts.whole > 0);
    CHECK_EQ(counts.absent + counts.whole, counts.injected);
    for (const Op op : {Op::write, Op::reserve, Op::truncate, Op::set_mode, Op::set_group, Op::sync_data,
                        Op::sync_directory})
        CHECK_MSG(counts.by_call[op] > 0, "call never failed: " + test::show(op));
    return counts;
}

void unnamed_files_are_whole_or_absent() {
    Counts counts = try_method(Method::tmpfile);
    CHECK(counts.by_call[Op::open_tmpfile] > 0 && counts.by_call[Op::link_fd] > 0);
    CHECK_EQ(counts.by_call[Op::create], 0U);
}

void files_of_the_automatic_fallback_are_whole_or_absent() {
    Counts counts = try_method(Method::fallback);
    CHECK(counts.by_call[Op::create] > 0 && counts.by_call[Op::link_name] > 0);
}

void named_files_are_whole_or_absent() {
    Counts counts = try_method(Method::named);
    CHECK(counts.by_call[Op::create] > 0 && counts.by_call[Op::link_name] > 0);
    CHECK(counts.by_call[Op::unlink] > 0);
    CHECK_EQ(counts.by_call[Op::open_tmpfile], 0U);
}

void renamed_files_are_whole_or_absent() {
    Counts counts = try_method(Method::rename);
    CHECK(counts.by_call[Op::rename_new] > 0);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(unnamed_files_are_whole_or_absent),
        GATE_TEST(files_of_the_automatic_fallback_are_whole_or_absent),
        GATE_TEST(named_files_are_whole_or_absent),
        GATE_TEST(renamed_files_are_whole_or_absent),
    };
    return cmocka_run_group_tests_name("spool_faults", tests, nullptr, nullptr);
}
