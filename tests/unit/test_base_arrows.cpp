// The arrows of the tree: who may include whom. lib/ points one way (base <- keyring <- audit <- spool,
// sandbox beside them); a program includes lib/ and itself, never another program. Reads the sources, so it
// runs in the top directory of the tree.
#include "tests/unit/support.h"

#include <algorithm>
#include <vector>

using namespace gate;

namespace {

namespace fs = std::filesystem;

struct Rule {
    std::string_view folder;
    std::vector<std::string_view> may; // folders, besides its own
};

[[nodiscard]] const std::vector<Rule>& rules() {
    static const std::vector<Rule> all = {
        {"lib/base", {}},
        {"lib/keyring", {"lib/base"}},
        {"lib/audit", {"lib/base", "lib/keyring"}},
        {"lib/enrol", {"lib/base", "lib/keyring", "lib/audit"}},
        {"lib/spool", {"lib/base", "lib/keyring", "lib/audit"}},
        {"lib/sandbox", {"lib/base"}},
        {"authkeys_cmd", {"lib/base", "lib/keyring", "lib/audit"}},
        {"pam_pandora", {"lib/base", "lib/keyring", "lib/audit", "lib/enrol"}},
        {"forcecmd", {"lib/base", "lib/keyring", "lib/audit", "lib/enrol", "lib/spool", "lib/sandbox"}},
        {"ftpsweep", {"lib/base", "lib/keyring", "lib/audit", "lib/spool", "lib/sandbox"}},
        {"gatectl", {"lib/base", "lib/keyring", "lib/audit", "lib/enrol", "lib/spool", "lib/sandbox"}},
    };
    return all;
}

struct Include {
    std::string file;
    std::string target; // what stands between the quotes or brackets
    bool quoted;
};

[[nodiscard]] std::vector<Include> includes_of(const std::string& file) {
    const std::string text = test::read_file(file);
    std::vector<Include> out;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = std::min(text.find('\n', at), text.size());
        std::string line = text.substr(at, end - at);
        at = end + 1;
        std::erase_if(line, [](char c) { return c == ' ' || c == '\t'; });
        if (!line.starts_with("#include") || line.size() < 10)
            continue;
        const bool quoted = line[8] == '"';
        const std::size_t close = line.find(quoted ? '"' : '>', 9);
        CHECK_MSG(close != std::string::npos, file + ": " + line);
        out.push_back({file, line.substr(9, close - 9), quoted});
    }
    return out;
}

[[nodiscard]] std::vector<Include> includes_below(std::string_view folder) {
    std::vector<Include> out;
    if (!fs::exists(folder))
        return out; // not there yet
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        const std::string extension = entry.path().extension();
        if (extension != ".cpp" && extension != ".h")
            continue;
        for (Include& include : includes_of(entry.path().string()))
            out.push_back(std::move(include));
    }
    return out;
}

[[nodiscard]] bool below(std::string_view path, std::string_view folder) {
    return path.starts_with(folder) && path.substr(folder.size()).starts_with('/');
}

void sources_are_found() {
    for (const std::string_view folder : {"lib/base", "lib/keyring", "lib/audit", "authkeys_cmd"})
        CHECK_MSG(includes_below(folder).size() > 5, std::string(folder));
}

void every_include_follows_the_arrows() {
    std::string wrong;
    for (const Rule& rule : rules()) {
        for (const Include& include : includes_below(rule.folder)) {
            if (!include.quoted)
                continue;
            const bool allowed = below(include.target, rule.folder) ||
                                 std::any_of(rule.may.begin(), rule.may.end(),
                                             [&](std::string_view f) { return below(include.target, f); });
            if (!allowed)
                wrong += include.file + " includes " + include.target + "\n";
        }
    }
    CHECK_MSG(wrong.empty(), wrong);
}

void every_folder_of_sources_has_a_rule() {
    for (const auto& entry : fs::directory_iterator("lib")) {
        const std::string folder = "lib/" + entry.path().filename().string();
        CHECK_MSG(!entry.is_directory() || std::any_of(rules().begin(), rules().end(),
                                                       [&](const Rule& r) { return r.folder == folder; }),
                  folder);
    }
}

// What the login path must not load, whatever the linker would say to it.
void the_login_path_stays_lean() {
    std::string wrong;
    const auto forbid = [&wrong](std::string_view folder, const std::vector<std::string_view>& words) {
        for (const Include& include : includes_below(folder)) {
            for (const std::string_view word : words) {
                // Apart from the rest, and linked only where libcrypto is anyway.
                if (include.file.ends_with("lib/keyring/ftp_sender.cpp") && word == "sha256.h")
                    continue;
                if (include.target.find(word) != std::string::npos)
                    wrong += include.file + " includes " + include.target + "\n";
            }
        }
    };
    const std::vector<std::string_view> never = {"iostream", "sstream",  "fstream",  "<regex",   "sqlite",
                                                 "soci",     "fmt/",     "CLI/",     "nlohmann", "toml",
                                                 "systemd",  "writer.h", "builder.h"};
    for (const std::string_view folder : {"lib/base", "lib/audit", "authkeys_cmd", "pam_pandora", "forcecmd"})
        forbid(folder, never);
    forbid("authkeys_cmd", {"openssl", "sha256.h", "ftp_sender.h", "security/"});
    forbid("lib/keyring", {"openssl", "sha256.h", "iostream"});
    forbid("lib/audit", {"openssl", "sha256.h"});
    CHECK_MSG(wrong.empty(), wrong);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(sources_are_found),
        GATE_TEST(every_include_follows_the_arrows),
        GATE_TEST(every_folder_of_sources_has_a_rule),
        GATE_TEST(the_login_path_stays_lean),
    };
    return cmocka_run_group_tests_name("base_arrows", tests, nullptr, nullptr);
}
