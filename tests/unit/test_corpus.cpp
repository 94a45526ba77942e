// The fuzz targets over their corpora, as every compiler builds them: what was once found, or once had to be
// thought of, stays tried. GATE_CORPUS names another directory than tests/fuzz/corpus of the working
// directory.
#include "tests/fuzz/check_content.h"
#include "tests/fuzz/check_csv.h"
#include "tests/fuzz/check_enrol.h"
#include "tests/fuzz/check_key_line.h"
#include "tests/fuzz/check_keyring.h"
#include "tests/fuzz/check_names.h"
#include "tests/fuzz/check_network.h"
#include "tests/fuzz/check_paths.h"
#include "tests/fuzz/check_request.h"
#include "tests/fuzz/check_scp.h"
#include "tests/fuzz/check_sftp.h"
#include "tests/fuzz/check_toml.h"
#include "tests/fuzz/check_user_auth.h"
#include "tests/fuzz/check_words.h"
#include "tests/fuzz/memory.h"
#include "tests/unit/support.h"

#include <algorithm>
#include <filesystem>

using namespace gate;
using namespace gate::test;

namespace {

constexpr std::size_t k_least_seeds = 8;

[[nodiscard]] std::filesystem::path corpus_directory() {
    const char* named = std::getenv("GATE_CORPUS");
    if (named != nullptr)
        return named;
    // Beside this file, wherever the test was started; else in the working directory.
    const auto beside = std::filesystem::path(__FILE__).parent_path().parent_path() / "fuzz" / "corpus";
    return std::filesystem::exists(beside) ? beside : std::filesystem::path("tests/fuzz/corpus");
}

void run_over(std::string_view name, void (*check)(std::string_view)) {
    const auto directory = corpus_directory() / name;
    CHECK_MSG(std::filesystem::is_directory(directory), directory.string());
    std::size_t seeds = 0;
    for (const auto& file : std::filesystem::directory_iterator(directory)) {
        const std::string bytes = read_file(file.path());
        try {
            check(bytes);
            // Cut at any length it is an input as well.
            for (std::size_t size = 0; size < std::min<std::size_t>(bytes.size(), 64); ++size)
                check(std::string_view(bytes).substr(0, size));
        } catch (const fuzz::Finding& finding) {
            raise(__FILE__, __LINE__, file.path().string() + ": " + finding.text);
        }
        ++seeds;
    }
    CHECK_MSG(seeds >= k_least_seeds, directory.string() + " holds " + std::to_string(seeds));
}

#define GATE_CORPUS_TEST(name)                                                                               \
    void replays_##name() {                                                                                  \
        run_over(#name, fuzz::check_##name);                                                                 \
    }
GATE_CORPUS_TEST(content)
GATE_CORPUS_TEST(csv)
GATE_CORPUS_TEST(enrol)
GATE_CORPUS_TEST(key_line)
GATE_CORPUS_TEST(keyring)
GATE_CORPUS_TEST(names)
GATE_CORPUS_TEST(network)
GATE_CORPUS_TEST(paths)
GATE_CORPUS_TEST(request)
GATE_CORPUS_TEST(scp)
GATE_CORPUS_TEST(sftp)
GATE_CORPUS_TEST(toml)
GATE_CORPUS_TEST(user_auth)
GATE_CORPUS_TEST(words)

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(replays_content), GATE_TEST(replays_csv),     GATE_TEST(replays_key_line),
        GATE_TEST(replays_network), GATE_TEST(replays_keyring), GATE_TEST(replays_names),
        GATE_TEST(replays_paths),   GATE_TEST(replays_request), GATE_TEST(replays_scp),
        GATE_TEST(replays_sftp),    GATE_TEST(replays_toml),    GATE_TEST(replays_user_auth),
        GATE_TEST(replays_words),   GATE_TEST(replays_enrol),
    };
    return cmocka_run_group_tests_name("corpus", tests, nullptr, nullptr);
}
