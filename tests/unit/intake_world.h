// The publisher's intake over real directories, with a front that may say anything, and the audit in memory.
// Include it in one file of a test program: it stands in front of the C library's sendto().
#pragma once

#include "tests/unit/support.h"

#include "forcecmd/publisher/intake.h"
#include "lib/base/md5.h"
#include "tests/unit/fake_fs.h"

#include <sys/socket.h>

namespace gate::test {
inline std::vector<std::string> g_events; // what would have gone to the machine's logger
inline bool g_logger_is_away = false;
} // namespace gate::test

// In front of the C library's, for lib/audit.
extern "C" ssize_t sendto(int, const void* data, size_t size, int, const sockaddr*, socklen_t) {
    if (gate::test::g_logger_is_away) {
        errno = ECONNREFUSED;
        return -1;
    }
    gate::test::g_events.emplace_back(static_cast<const char*>(data), size);
    return static_cast<ssize_t>(size);
}

namespace gate::test {

class IntakeWorld {
  public:
    IntakeWorld() {
        g_events.clear();
        g_logger_is_away = false;
        policy.spool_directory = dir_ / "data_in";
        policy.spool_staging = dir_ / "staging";
        policy.spool_quarantine = dir_ / "quarantine";
        policy.spool_min_free = 0;
        policy.spool_min_free_percent = 0;
        policy.drop_max_file_size = 1000;
        for (const std::string& directory :
             {policy.spool_directory, policy.spool_staging, policy.spool_quarantine, state.directory})
            std::filesystem::create_directory(directory);
        key.fingerprint.fill(7);
        key.id = "a-070707";
        key.agents = {agent("a")};
    }

    [[nodiscard]] static keyring::Agent agent(const std::string& name) {
        const bool pattern = name.find('*') != std::string::npos;
        return {name, pattern ? std::string(32, '0') : md5_name(name)};
    }

    // A session of the key, with the policy as it is now.
    [[nodiscard]] drop::Intake& session() {
        intake_.reset();
        trail_.reset();
        login_.policy = policy;
        login_.key = key;
        trail_.emplace(login_);
        intake_.emplace(login_.policy, login_.key, fs, *trail_, state);
        return *intake_;
    }
    [[nodiscard]] drop::Intake& same() { return *intake_; }
    void end() {
        intake_->close();
        trail_->summary(0, false);
    }

    [[nodiscard]] static drop::Request request(drop::Op op, std::string_view name, std::uint64_t size,
                                               std::uint64_t declared = drop::k_unknown_size) {
        drop::Request out;
        out.op = op;
        out.file = 0;
        out.size = size;
        out.declared = declared;
        out.set_text(name);
        return out;
    }
    [[nodiscard]] static drop::Received with(std::string_view content, const spool::Verdict& verdict) {
        drop::Received out;
        out.content = std::as_bytes(std::span(content));
        out.request.set_verdict(verdict);
        return out;
    }
    [[nodiscard]] static spool::Verdict packet_of(std::string_view agent) {
        return {spool::Content::well_formed, std::string(agent)};
    }
    // A file as the front delivers it under a grant.
    spool::Reason deliver(std::string_view name, std::string_view content, const spool::Verdict& verdict,
                          std::uint64_t declared = drop::k_unknown_size) {
        const auto reason = intake_->deliver(request(drop::Op::deliver, name, content.size(), declared),
                                             with(content, verdict));
        intake_->report();
        return reason;
    }
    spool::Reason deliver(std::string_view name, std::string_view content, std::string_view agent = "a") {
        return deliver(name, content, packet_of(agent));
    }

    // The names in a directory, sorted, each with a blank behind it.
    [[nodiscard]] static std::string names_in(const std::string& directory) {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(directory))
            names.push_back(entry.path().filename().string());
        std::ranges::sort(names);
        std::string out;
        for (const std::string& name : names)
            out += name + " ";
        return out;
    }
    [[nodiscard]] std::string published() const { return names_in(policy.spool_directory); }
    [[nodiscard]] bool is_staging_empty() const { return names_in(policy.spool_staging).empty(); }
    [[nodiscard]] std::string memory_file() const {
        return state.directory + '/' + spool::memory_name(key.fingerprint);
    }

    // How many events of this code were told, and the text of the last one.
    [[nodiscard]] static std::size_t told(std::string_view event) {
        return static_cast<std::size_t>(
            std::ranges::count_if(g_events, [&](const std::string& e) { return is(e, event); }));
    }
    [[nodiscard]] static std::string last(std::string_view event) {
        const auto found = std::find_if(g_events.rbegin(), g_events.rend(),
                                        [&](const std::string& e) { return is(e, event); });
        return found == g_events.rend() ? std::string() : *found;
    }

  private:
    TempDir dir_;

  public:
    keyring::Policy policy;
    keyring::KeyRecord key;
    spool::StatePaths state{dir_ / "state", dir_ / "pause"};
    FakeFs fs;

  private:
    [[nodiscard]] static bool is(const std::string& text, std::string_view event) {
        return text.find("\"event\":\"" + std::string(event) + '"') != std::string::npos;
    }

    drop::Login login_;
    std::optional<drop::Trail> trail_;
    std::optional<drop::Intake> intake_;
};

} // namespace gate::test
