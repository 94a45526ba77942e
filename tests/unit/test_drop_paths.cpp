// forcecmd/front/paths and extents: the tree that a client sees, and which bytes of a file have arrived.
#include "tests/unit/support.h"

#include "forcecmd/front/extents.h"
#include "lib/spool/paths.h"

using namespace gate;
using drop::Extents;
using spool::VirtualTree;
using Place = spool::VirtualTree::Place;

namespace {

constexpr std::string_view k_home = "/var/spool/pandora/data_in";

std::string show_place(std::string_view path, std::string_view home = k_home) {
    const auto at = VirtualTree(std::string(home)).locate(path);
    switch (at.place) {
    case Place::home:
        return "home " + at.path;
    case Place::directory:
        return "directory " + at.path;
    case Place::file:
        return "file " + at.name + " " + at.path;
    case Place::outside:
        return "outside";
    }
    return "?";
}

constexpr std::string_view k_homes[] = {
    "",
    ".",
    "./",
    "./.",
    "~",
    "~/",
    "~/.",
    "/var/spool/pandora/data_in",
    "/var/spool/pandora/data_in/",
    "/var/spool/pandora/data_in/.",
    "//var//spool/./pandora/data_in",
    "/var/spool/pandora/x/../data_in",
    "../data_in",
    "x/..",
    "conf/..",
    "~/../data_in",
    "/../var/spool/pandora/data_in",
};

void home_has_many_spellings() {
    for (const std::string_view path : k_homes)
        CHECK_MSG(show_place(path) == "home /var/spool/pandora/data_in", std::string(path));
    // The root as a client in a chroot would see it: a drop belongs into data_in all the same.
    for (const std::string_view path : {"/", "//", "/.", "/..", "/../..", "../../../..", "/x/.."})
        CHECK_MSG(show_place(path) == "home /", std::string(path));
}

void directories_above_are_directories() {
    for (const std::string_view path : {"/var", "/var/", "/var/.", "../../..", "/x/../var"})
        CHECK_MSG(show_place(path) == "directory /var", std::string(path));
    CHECK_EQ(show_place("/var/spool"), "directory /var/spool");
    CHECK_EQ(show_place(".."), "directory /var/spool/pandora");
    CHECK_EQ(show_place("~/.."), "directory /var/spool/pandora");
}

void names_in_data_in_are_files() {
    const std::string in_home = "file x.1.data /var/spool/pandora/data_in/x.1.data";
    for (const std::string_view path :
         {"x.1.data", "./x.1.data", "~/x.1.data", "~//x.1.data", "/var/spool/pandora/data_in/x.1.data",
          "/var/spool/pandora/data_in//x.1.data", "conf/../x.1.data", "../data_in/x.1.data",
          "/../../var/spool/pandora/data_in/x.1.data"})
        CHECK_MSG(show_place(path) == in_home, std::string(path));
    CHECK_EQ(show_place("/x.1.data"), "file x.1.data /x.1.data");
    CHECK_EQ(show_place("/../x.1.data"), "file x.1.data /x.1.data");
    CHECK_EQ(show_place("../../../../../x.1.data"), "file x.1.data /x.1.data");
    CHECK_EQ(show_place("~x"), "file ~x /var/spool/pandora/data_in/~x");
    CHECK_EQ(show_place("..."), "file ... /var/spool/pandora/data_in/...");
    CHECK_EQ(show_place(" "), "file   /var/spool/pandora/data_in/ ");
}

void everything_else_is_outside() {
    for (const std::string_view path : {"/etc/passwd",
                                        "/var/x",
                                        "../x.1.data",
                                        "../../x.1.data",
                                        "conf/x",
                                        "data_in/x",
                                        "/var/spool/pandora/data_in/conf/x",
                                        "/var/spool/pandora/data_in2/x.1.data",
                                        "/var/spool/pandora/data_i/x.1.data",
                                        "/var/spool/pandora/data_in2",
                                        "/var/spool/pandora/data_i",
                                        "/var/spool/pandora/DATA_IN/x",
                                        "/va",
                                        "/varx/y",
                                        "x.1.data/",
                                        "x.1.data/.",
                                        "/x.1.data/",
                                        "/x/.",
                                        "/var/spool/pandora/data_in/x/",
                                        "../data_in2/x",
                                        "~/conf/x",
                                        "~/../x"})
        CHECK_MSG(show_place(path) == "outside" || show_place(path).starts_with("file va "),
                  std::string(path) + " is " + show_place(path));
    CHECK_EQ(show_place("/va"), "file va /va"); // a name in `/`, and no directory for being a prefix of one
}

void another_data_in_is_as_good() {
    CHECK_EQ(show_place("x", "/d"), "file x /d/x");
    CHECK_EQ(show_place("/d", "/d"), "home /d");
    CHECK_EQ(show_place("/d/x", "/d"), "file x /d/x");
    CHECK_EQ(show_place("..", "/d"), "home /");
    CHECK_EQ(show_place("/d2/x", "/d"), "outside");
}

// Whatever the path: the result is canonical and clean, and a file's name is one component.
void no_path_escapes() {
    constexpr std::string_view k_pieces[] = {"..",  "..",       ".",     "/",       "/",       "//",
                                             "~",   "var",      "spool", "pandora", "data_in", "x",
                                             "etc", "data_in2", "",      "\\"};
    const VirtualTree tree{std::string(k_home)};
    auto random = test::seeded();
    for (int i = 0; i < 100'000; ++i) {
        std::string path;
        for (auto n = random() % 12; n > 0; --n)
            path += k_pieces[random() % std::size(k_pieces)];
        const auto at = tree.locate(path);
        CHECK_MSG(at.path.starts_with('/') && (at.path == "/" || !at.path.ends_with('/')), path);
        CHECK_MSG(at.path.find("//") == std::string::npos, path);
        for (const std::string_view bad : {"/../", "/./"})
            CHECK_MSG((at.path + "/").find(bad) == std::string::npos, path);
        if (at.place == Place::file) {
            CHECK_MSG(!at.name.empty() && at.name.find('/') == std::string::npos, path);
            CHECK_MSG(at.path == "/" + at.name || at.path == tree.home() + "/" + at.name, path);
        } else {
            CHECK_MSG(at.name.empty(), path);
        }
        // A canonical path stands for itself.
        CHECK_MSG(tree.locate(at.path).path == at.path, path);
    }
}

// Random writes and cuts against one flag a byte.
void extents_agree_with_a_map_of_bytes() {
    constexpr std::uint64_t k_size = 64;
    auto random = test::seeded();
    unsigned whole = 0;
    for (int round = 0; round < 3000; ++round) {
        Extents extents;
        std::vector<bool> bytes(k_size, false);
        for (int step = 0; step < 20; ++step) {
            if (random() % 5 == 0) {
                const std::uint64_t size = random() % (k_size + 1);
                extents.cut(size);
                std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(size), bytes.end(), false);
            } else {
                const std::uint64_t begin = random() % k_size;
                const std::uint64_t end = begin + random() % (k_size - begin + 1);
                CHECK(extents.add(begin, end));
                std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                          bytes.begin() + static_cast<std::ptrdiff_t>(end), true);
            }
            const auto last = std::find(bytes.rbegin(), bytes.rend(), true);
            const auto size = static_cast<std::uint64_t>(bytes.rend() - last);
            CHECK_EQ(extents.size(), size);
            const auto hole = std::find(bytes.begin(), bytes.end(), false) - bytes.begin();
            CHECK_EQ(extents.whole(), static_cast<std::uint64_t>(hole) >= size);
            whole += extents.whole() && size > 0 ? 1U : 0U;
        }
    }
    CHECK(whole > 1000);
}

void extents_remember_a_bounded_number_of_runs() {
    Extents extents;
    for (std::uint64_t i = 0; i < Extents::k_max_runs; ++i)
        CHECK(extents.add(i * 2, i * 2 + 1));
    CHECK(!extents.add(1'000'000, 1'000'001));
    CHECK(!extents.whole());
    // What joins runs is always taken.
    for (std::uint64_t i = 0; i < Extents::k_max_runs; ++i)
        CHECK(extents.add(i * 2 + 1, i * 2 + 2));
    CHECK(extents.whole());
    CHECK_EQ(extents.size(), Extents::k_max_runs * 2);
    CHECK(extents.add(1'000'000, 1'000'001));
    CHECK(!extents.whole());
}

void extents_take_the_ends_of_the_range() {
    Extents extents;
    CHECK(extents.add(UINT64_MAX - 1, UINT64_MAX));
    CHECK(extents.add(5, 5)); // nothing
    CHECK_EQ(extents.size(), UINT64_MAX);
    CHECK(!extents.whole());
    extents.cut(0);
    CHECK_EQ(extents.size(), 0U);
    CHECK(extents.whole());
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(home_has_many_spellings),
        GATE_TEST(directories_above_are_directories),
        GATE_TEST(names_in_data_in_are_files),
        GATE_TEST(everything_else_is_outside),
        GATE_TEST(another_data_in_is_as_good),
        GATE_TEST(no_path_escapes),
        GATE_TEST(extents_agree_with_a_map_of_bytes),
        GATE_TEST(extents_remember_a_bounded_number_of_runs),
        GATE_TEST(extents_take_the_ends_of_the_range),
    };
    return cmocka_run_group_tests_name("drop_paths", tests, nullptr, nullptr);
}
