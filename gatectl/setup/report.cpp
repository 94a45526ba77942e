#include "gatectl/setup/report.h"

#include "gatectl/setup/runner.h"
#include "lib/base/text.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gate::ctl::setup {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t k_columns = 80;

// Broken between words; the following lines are indented.
[[nodiscard]] std::string wrapped(const std::string& text, const std::string& indent) {
    std::string out;
    std::string line;
    for (const std::string& word : words(text)) {
        if (!line.empty() && line.size() + 1 + word.size() > k_columns) {
            out += line + '\n';
            line = indent + word;
        } else {
            line += (line.empty() || line == indent ? "" : " ") + word;
        }
    }
    return out + line + '\n';
}

[[nodiscard]] std::string lives_text(const Report& report) {
    std::string out;
    for (const Life& life : report.lives) {
        if (out.empty())
            out = "What else lives as the account:\n";
        const char* mark = !life.breaks ? "" : is_accepted(report, life) ? "BREAKS (accepted): " : "BREAKS: ";
        out += wrapped(fmt::format("  {} ({}): {}{}", life.name, life.what, mark, life.effect), "    ");
    }
    return out;
}

[[nodiscard]] std::string service_text(const Report& report) {
    std::string out;
    for (const Command& command : report.services) {
        Command argv = {"systemctl"};
        argv.insert(argv.end(), command.begin(), command.end());
        const char* before = report.systemd ? (report.dry_run ? "would run: " : "run: ")
                                            : "systemd does not run here; to be done: ";
        out += before + words_of(argv) + '\n';
    }
    return out;
}

[[nodiscard]] std::string last_line(const Report& report) {
    const std::size_t count = report.steps.size();
    const std::string things = fmt::format("{} {}", count, count == 1 ? "change" : "changes");
    const bool removing = std::string_view(report.action) == "remove";
    if (report.dry_run)
        return fmt::format("dry run: nothing was changed; {} would be {} by `--{}`\n", things,
                           removing ? "taken back" : "made", report.action);
    if (removing)
        return report.left.empty() ? fmt::format("{} taken back\n", things)
                                   : fmt::format("{} taken back, {} left\n", things, report.left.size());
    return things + " made; `pandora-gate setup --remove` takes them back\n";
}

} // namespace

bool is_accepted(const Report& report, const Life& life) {
    return std::find(report.accepted.begin(), report.accepted.end(), life.name) != report.accepted.end();
}

std::string for_people(const Report& report, const Accounts& accounts) {
    std::string out;
    for (const Step& step : report.steps)
        out += describe_step(step, accounts, report.dry_run);
    out += lives_text(report);
    for (const std::string& line : report.left)
        out += wrapped("left as it is: " + line, "  ");
    out += service_text(report);
    for (const std::string& line : report.remarks)
        out += wrapped("note: " + line, "  ");
    if (!report.password.empty())
        out += fmt::format("the password of {}, shown this once: {}\n", report.user, report.password);
    if (report.steps.empty() && report.left.empty())
        return out + (std::string_view(report.action) == "remove"
                          ? "nothing to do: setup has changed nothing here\n"
                          : "nothing to do: everything is as it should be\n");
    return out + last_line(report);
}

std::string for_programs(const Report& report, const Accounts& accounts) {
    Json changes = Json::array();
    for (const Step& step : report.steps)
        changes.push_back({{"part", step.part},
                           {"kind", step.kind == Step::Kind::path    ? "path"
                                    : step.kind == Step::Kind::group ? "group"
                                                                     : "user"},
                           {"name", escape_visible(step.name)},
                           {"change", verb_of(step)},
                           {"text", describe_step(step, accounts, report.dry_run)}});
    Json lives = Json::array();
    for (const Life& life : report.lives)
        lives.push_back({{"name", life.name},
                         {"what", life.what},
                         {"effect", life.effect},
                         {"breaks", life.breaks},
                         {"accepted", is_accepted(report, life)}});
    Json services = Json::array();
    for (const Command& command : report.services) {
        std::string line = "systemctl";
        for (const std::string& word : command)
            line += ' ' + word;
        services.push_back(line);
    }
    const Json out = {{"action", report.action},
                      {"dry_run", report.dry_run},
                      {"form", report.form},
                      {"changes", changes},
                      {"lives", lives},
                      {"left", report.left},
                      {"services", services},
                      {"systemd", report.systemd},
                      {"remarks", report.remarks},
                      {"password", report.password.empty() ? Json() : Json(report.password)}};
    return out.dump(2, ' ', true) + '\n';
}

} // namespace gate::ctl::setup
