// doc/json.md and what the commands print have the same fields, of the same types; and the command line takes
// --json, and --dry-run where something changes, for all of them.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_keys.h"
#include "tests/unit/test_ctl_place.h"
#include "tests/unit/test_ctl_setup.h"

#include "gatectl/agent/health.h"
#include "gatectl/command_line.h"
#include "gatectl/doctor/commands.h"
#include "gatectl/doctor/machine.h"
#include "gatectl/enrol/hand_over.h"
#include "gatectl/explain/steps.h"
#include "gatectl/probe/tries.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <pwd.h>
#include <set>

using namespace gate;
using namespace gate::test;
using Json = nlohmann::json;

namespace {

using Fields = std::map<std::string, std::string>; // field -> type

// heading -> its table.
std::map<std::string, Fields> read_page() {
    std::map<std::string, Fields> out;
    std::string text = read_file("doc/json.md");
    std::string heading;
    while (!text.empty()) {
        const std::string line = text.substr(0, text.find('\n'));
        text.erase(0, line.size() + 1);
        if (line.starts_with("## "))
            heading = line.substr(3);
        if (heading.empty() || !line.starts_with("| `"))
            continue;
        const std::size_t end = line.find("` | ");
        const std::size_t type = end + 4;
        out[heading][line.substr(3, end - 3)] = line.substr(type, line.find(" | ", type) - type);
    }
    return out;
}

class Page {
  public:
    // All that was printed of this kind is checked against the page.
    void see(const std::string& kind, const Json& object) {
        CHECK_MSG(page_.contains(kind), "no section " + kind);
        CHECK_MSG(object.is_object(), kind + " is no object: " + object.dump());
        for (const auto& [field, value] : object.items()) {
            CHECK_MSG(page_[kind].contains(field), kind + " does not name " + field);
            check(kind + '.' + field, page_[kind][field], value);
            seen_[kind].insert(field);
        }
    }
    void see_all(const std::string& kind, const Json& array) {
        CHECK(array.is_array());
        for (const Json& item : array)
            see(kind, item);
    }
    void nothing_is_left() const {
        for (const auto& [kind, fields] : page_)
            for (const auto& [field, type] : fields) {
                const auto seen = seen_.find(kind);
                CHECK_MSG(seen != seen_.end() && seen->second.contains(field),
                          "nothing printed " + kind + '.' + field);
            }
    }

  private:
    void check(const std::string& where, std::string type, const Json& value) {
        constexpr std::string_view k_or_null = " or null";
        if (type.ends_with(k_or_null)) {
            if (value.is_null())
                return;
            type.resize(type.size() - k_or_null.size());
        }
        const std::string wrong = where + " is no " + type + ": " + value.dump();
        if (type.starts_with("array of ")) {
            CHECK_MSG(value.is_array(), wrong);
            for (const Json& item : value)
                check(where, type.substr(9, type.size() - 10), item); // without the plural
            return;
        }
        const std::map<std::string, std::string> objects = {{"agent", "An agent"},
                                                            {"history entrie", "A history entry"},
                                                            {"value", "Values"},
                                                            {"values", "Values"},
                                                            {"key", "A key"},
                                                            {"publication", "A publication"},
                                                            {"setup step", "A setup step"},
                                                            {"live", "A life"},
                                                            {"finding", "A finding"},
                                                            {"left out", "A left out"},
                                                            {"pending key", "A pending key"},
                                                            {"code", "A code"},
                                                            {"step", "A step"},
                                                            {"trie", "A try"},
                                                            {"health finding", "A health finding"},
                                                            {"health key", "A health key"},
                                                            {"last event", "A last event"},
                                                            {"key changes", "Key changes"}};
        if (const auto object = objects.find(type); object != objects.end())
            return see(object->second, value);
        if (type == "time")
            CHECK_MSG(value.is_string() && value.get<std::string>().size() == 20 &&
                          value.get<std::string>().ends_with('Z'),
                      wrong);
        else if (type == "string")
            CHECK_MSG(value.is_string(), wrong);
        else if (type == "counts")
            CHECK_MSG(value.is_object() &&
                          std::all_of(value.begin(), value.end(),
                                      [](const Json& item) { return item.is_number_unsigned(); }),
                      wrong);
        else if (type == "number")
            CHECK_MSG(value.is_number_unsigned(), wrong);
        else if (type == "boolean")
            CHECK_MSG(value.is_boolean(), wrong);
        else
            CHECK_MSG(false, where + " has the unknown type " + type);
    }

    std::map<std::string, Fields> page_ = read_page();
    std::map<std::string, std::set<std::string>> seen_;
};

// The real command line, from words to text.
class Cli {
  public:
    explicit Cli(Place& place) : place_(place) {}

    std::string text(std::vector<std::string> words) {
        ctl::CommandLine line;
        std::vector<const char*> argv = {"pandora-gate"};
        for (const std::string& word : words)
            argv.push_back(word.c_str());
        line.context = place_.context;
        line.app.parse(static_cast<int>(argv.size()), argv.data());
        return line.command();
    }
    Json json(std::vector<std::string> words) {
        words.emplace_back("--json");
        return Json::parse(text(std::move(words)));
    }

  private:
    Place& place_;
};

Result<spool::Learned> one_packet(const std::string&, uid_t) {
    return spool::Learned{.packets = 1, .names = {"x", "", ""}};
}

struct JsonPlace : Place {
    Cli cli{*this};
    JsonPlace() {
        // Of an account that is there, whoever runs this.
        write_file(context.config, fmt::format("[account]\nuser = \"{}\"\n", "daemon"));
        context.read_learned = one_packet;
        write_file(dir / "a.pub", k_ed25519.line);
        write_file(dir / "b.pub", k_rsa2048.line);
        write_file(dir / "c.pub", k_ecdsa256.line);
        write_file(dir / "d.pub", k_ecdsa384.line);
    }
};

void see_publications(JsonPlace& p, Page& page) {
    const std::string file = p.dir / "elsewhere";
    write_file(p.dir / "e.pub", std::string("command=\"x\" ") + k_ecdsa521.line);
    page.see("An import", p.cli.json({"keys", "import", p.dir / "e.pub", "--dry-run"}));
    page.see("An import", p.cli.json({"keys", "import", p.dir / "e.pub"}));
    write_file(p.context.config, "[account]\nuser = \"daemon\"\n[drop]\nsession_files = 5\n");
    for (const std::vector<std::string>& words : {std::vector<std::string>{"publish", "--dry-run"},
                                                  {"publish"},
                                                  {"publish", "--rollback", "--dry-run"},
                                                  {"publish", "--rollback"},
                                                  {"publish", "--to", file, "--dry-run"},
                                                  {"publish", "--to", file},
                                                  {"keyring", "install", file}})
        page.see("A publication", p.cli.json(words));
    page.see("A keyring", p.cli.json({"publish", "--check", file}));
    page.see("A keyring", p.cli.json({"keyring", "install", "--rollback", "--dry-run", file}));
}

void see_setups(Page& page) {
    FakeMachine m;
    m.context.json = true;
    m.file("/etc/init.d/x", "su pandora\n");
    setup::Request request = to_apply(2222);
    page.see("A setup", Json::parse(m.run(to_show())));
    request.yes_break = {"script:/etc/init.d/x"};
    page.see("A setup", Json::parse(m.run(request)));
    request = to_apply();
    request.part = "ftp";
    request.ftp_user = "site1";
    m.file("/etc/pandora-gate/ftp.pem", "");
    page.see("A setup", Json::parse(m.run(request)));
    m.append("/etc/pam.d/pandora-sshd", "# mine\n");
    page.see("A setup", Json::parse(m.run(to_remove())));
}

void see_diagnoses(JsonPlace& p, Page& page) {
    const TempDir empty; // a machine without anything
    page.see("A diagnosis",
             Json::parse(ctl::doctor_command(p.context, {.json = true}, ctl::doctor::Machine(empty.path()))));
    page.see_all("A check", p.cli.json({"doctor", "--list"}));
}

void see_enrolment(JsonPlace& p, Page& page) {
    static constexpr ctl::Passwords k_none{[](const std::string&) { return ctl::PasswordState::locked; },
                                           [](const std::string&, const std::string&) {},
                                           [](const std::string&) {}};
    p.context.passwords = &k_none;
    page.see("Codes made", p.cli.json({"enrol", "code", "--agent", "n1", "--dry-run"}));
    const Json made = p.cli.json({"enrol", "code", "--agent", "n1", "--from", "::1", "--expires", "90d"});
    page.see("Codes made", made);
    page.see_all("A code", p.cli.json({"enrol", "codes"}));
    const std::string id = made["codes"][0]["id"];
    page.see("A cancellation", p.cli.json({"enrol", "cancel", id, "--dry-run"}));
    page.see("A cancellation", p.cli.json({"enrol", "cancel", id}));
    page.see("A window", p.cli.json({"enrol", "on", "--dry-run"}));
    page.see("A window", p.cli.json({"enrol", "on", "--for", "1h"}));
    page.see("A window", p.cli.json({"enrol", "status"}));
    ctl::Context service = p.context;
    const ctl::HandedOver login{.ticket = {enrol::Ticket::Kind::password, "", "192.0.2.1"}};
    CHECK(ctl::hand_over(service, login, k_ecdsa521.line).answer == enrol::Answer::pending);
    page.see_all("A pending key", p.cli.json({"keys", "pending"}));
    page.see("A result", p.cli.json({"keys", "approve", "--agent", "n2", "--dry-run"}));
    page.see("A rejection", p.cli.json({"keys", "reject", "p-", "--dry-run"}));
    page.see("A rejection", p.cli.json({"keys", "reject", "p-"}));
    page.see("A closing", p.cli.json({"enrol", "off", "--dry-run"}));
    page.see("A closing", p.cli.json({"enrol", "off"}));
}

// What asks programs, a server or the audit: as it is printed, whoever asked.
void see_looks(Page& page) {
    ctl::Walk walk{.user = "u", .key = "k", .fingerprint = "f", .address = "::1", .service = "sshd"};
    walk.pass("authkeys", "x");
    page.see("An explanation", Json::parse(to_json(walk).dump()));
    walk.refuse(spool::Reason::shell, "y");
    page.see("An explanation", Json::parse(to_json(walk).dump()));
    ctl::ProbeReport probe{.target = "h", .tries = {{.name = "n", .what = "w"}}, .left_behind = {"x"}};
    probe.tries.push_back({.name = "n", .what = "w", .result = ctl::TryResult::untried, .note = "why"});
    page.see("A probe", Json::parse(to_json(probe).dump()));
    ctl::AgentState state{.name = "web01", .keys = {{.id = "k"}}, .last_drop = 1, .waiting = {"q"}};
    page.see("An agent's health", Json::parse(to_json(state).dump()));
    state.trail.login.time = state.trail.drop.time = state.trail.refusal.time = "2026-11-24T06:01:02.123Z";
    state.findings.push_back({ctl::Health::broken, "x", "y"});
    page.see("An agent's health", Json::parse(to_json(state).dump()));
}

// What a dry run publishes is nothing, whatever it counts.
void a_dry_run_publishes_nothing() {
    JsonPlace p;
    CHECK(p.cli.json({"keys", "add", p.dir / "a.pub", "--agent", "a", "--dry-run"})["published"].is_null());
    CHECK(p.cli.json({"keys", "import", p.dir / "a.pub", "--dry-run"})["published"].is_null());
    CHECK(p.cli.json({"keys", "add", p.dir / "a.pub", "--agent", "a"})["published"].is_object());
    CHECK(p.cli.json({"keys", "import", p.dir / "b.pub"})["published"].is_object());
}

void every_field_is_documented_and_every_documented_field_comes() {
    JsonPlace p;
    Page page;
    const auto change = [&](std::vector<std::string> words) {
        page.see("A result", p.cli.json(std::move(words)));
    };
    change({"keys", "add", p.dir / "a.pub", "--agent", "web01", "--id", "web", "--dry-run"});
    change({"keys",
            "add",
            p.dir / "a.pub",
            "--agent",
            "web01",
            "--agent",
            "w*",
            "--id",
            "web",
            "--expires",
            "90d",
            "--not-before",
            "1d",
            "--from",
            "10.0.0.0/8",
            "--from",
            "::1",
            "--quota-files",
            "5",
            "--quota-bytes",
            "64MB",
            "--max-file-size",
            "1MB",
            "--approver",
            "ann",
            "--note",
            "x"});
    change({"keys", "add", p.dir / "a.pub", "--agent", "web01", "--agent", "w*"});
    change({"keys", "add", p.dir / "c.pub", "--id", "unbound"});
    change({"keys", "add", p.dir / "d.pub", "--id", "unbound2", "--binding", "observe"});
    change({"keys", "add", "--ftp", "web02", "--agent", "web02", "--dry-run"});
    change({"keys", "add", "--ftp", "web02", "--agent", "web02"});
    page.see("A key", p.cli.json({"keys", "show", "ftp:web02"}));
    page.see_all("A learner", p.cli.json({"keys", "learned"}));
    change({"keys", "set", "web", "--no-expires", "--no-not-before", "--no-from", "--binding", "off"});
    change({"keys", "set", "web", "--from", "127.0.0.1", "--note", ""});
    change({"keys", "bind", "web", "--agent", "db"});
    change({"keys", "disable", "web", "--reason", "x"});
    change({"keys", "enable", "web"});
    change({"keys", "rotate", "db", p.dir / "b.pub", "--overlap", "1d", "--id", "next"});
    change({"keys", "revoke", "web", "--reason", "x"});
    page.see_all("A key", p.cli.json({"keys", "list"}));
    page.see("A key", p.cli.json({"keys", "show", "web"}));
    change({"keys", "remove", "web", "--reason", "x"});
    page.see_all("A key", p.cli.json({"keys", "list", "--state", "removed"}));
    page.see_all("A key", p.cli.json({"keys", "list", "--at", "2099-01-01", "--expiring-within", "30d"}));
    page.see_all("A key", p.cli.json({"keys", "review", "--csv"}));
    for (const char* format : {"json", "revoked", "authorized_keys"})
        page.see_all("A key", p.cli.json({"keys", "export", "--format", format}));
    page.see("A key's history", p.cli.json({"keys", "history", "web"}));
    see_enrolment(p, page);
    see_publications(p, page);
    see_setups(page);
    see_diagnoses(p, page);
    see_looks(page);
    page.nothing_is_left();
}

void every_changing_command_has_a_dry_run() {
    JsonPlace p;
    static_cast<void>(p.add(k_ed25519, {"web01"}, "web"));
    const auto before = p.stored();
    const std::vector<std::vector<std::string>> commands = {
        {"keys", "add", p.dir / "b.pub"},
        {"keys", "add", "--ftp", "web02"},
        {"keys", "set", "web", "--note", "y"},
        {"keys", "bind", "web", "--agent", "z"},
        {"keys", "disable", "web", "--reason", "x"},
        {"keys", "revoke", "web", "--reason", "x"},
        {"keys", "remove", "web", "--reason", "x", "--force"},
        {"keys", "rotate", "web01", p.dir / "b.pub"},
        {"keys", "import", p.dir / "b.pub"},
    };
    for (auto words : commands) {
        words.emplace_back("--dry-run");
        CHECK(contains(p.cli.text(words), "dry run: nothing was changed"));
        CHECK(p.stored() == before);
    }
}

// "" takes a note away, "-" is standard input, one value follows a repeatable option.
void words_of_the_command_line() {
    JsonPlace p;
    static_cast<void>(
        p.cli.text({"keys", "add", "--agent", "web01", "--from", "::1", p.dir / "a.pub", "--id", "web"}));
    CHECK(p.stored()[0].from == std::vector<std::string>{"::1"});
    static_cast<void>(
        p.cli.text({"keys", "set", "--agent", "x", "--from", "10.0.0.0/8", "web", "--note", ""}));
    CHECK(p.stored()[0].note.empty());
    CHECK(p.stored()[0].agents == std::vector<std::string>{"x"});
    static_cast<void>(p.cli.text({"keys", "set", "web", "--no-agents", "--no-from"}));
    CHECK(p.stored()[0].agents.empty() && p.stored()[0].from.empty());
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"keys", "set", "web", "--no-from", "--from", "::1"},
          {"keys", "set", "web", "--expires", "1d", "--no-expires"},
          {"keys", "disable", "web"},
          {"keys", "remove", "web"},
          {"keys", "rotate", "web01"},
          {"keys", "list", "--dry-run"}}) {
        bool refused = false;
        try {
            static_cast<void>(p.cli.text(words));
        } catch (const CLI::ParseError&) {
            refused = true;
        }
        CHECK_MSG(refused, words[1]);
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(every_field_is_documented_and_every_documented_field_comes),
        GATE_TEST(a_dry_run_publishes_nothing),
        GATE_TEST(every_changing_command_has_a_dry_run),
        GATE_TEST(words_of_the_command_line),
    };
    return cmocka_run_group_tests_name("ctl_json_doc", tests, nullptr, nullptr);
}
