#include "gatectl/setup/manifest.h"

#include "gatectl/problem.h"
#include "lib/base/sha256.h"
#include "lib/base/text.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gate::ctl::setup {

namespace {

using Json = nlohmann::ordered_json;

constexpr int k_version = 1;
const std::string k_file = std::string(k_setup_state) + "/manifest.json";
const std::string k_files = std::string(k_setup_state) + "/files/";

// JSON wants UTF-8; a path or a field of passwd may be anything.
[[nodiscard]] std::string wire(const std::string& text) {
    return base64_encode(as_bytes(text));
}
[[nodiscard]] std::string unwire(const Json& value) {
    const auto text = base64_decode(value.get<std::string>());
    if (!text)
        throw std::runtime_error("not base64");
    return *text;
}

[[nodiscard]] Json state_json(const PathState& state) {
    Json out = {
        {"kind", static_cast<int>(state.kind)}, {"mode", state.mode}, {"uid", state.uid}, {"gid", state.gid}};
    if (state.kind == PathState::Kind::link)
        out["target"] = wire(state.content);
    return out;
}

[[nodiscard]] PathState state_of(const Json& json) {
    return {.kind = static_cast<PathState::Kind>(json.at("kind").get<int>()),
            .content = json.contains("target") ? unwire(json.at("target")) : std::string(),
            .mode = json.at("mode").get<mode_t>(),
            .uid = json.at("uid").get<uid_t>(),
            .gid = json.at("gid").get<gid_t>()};
}

[[nodiscard]] Json user_json(const UserState& user) {
    return {{"exists", user.exists},
            {"group", wire(user.group)},
            {"home", wire(user.home)},
            {"shell", wire(user.shell)},
            {"password", wire(user.password)},
            {"last_change", wire(user.last_change)},
            {"member", user.member}};
}

[[nodiscard]] UserState user_of(const Json& json) {
    return {.exists = json.at("exists").get<bool>(),
            .group = unwire(json.at("group")),
            .home = unwire(json.at("home")),
            .shell = unwire(json.at("shell")),
            .password = unwire(json.at("password")),
            .last_change = unwire(json.at("last_change")),
            .member = json.at("member").get<bool>()};
}

[[nodiscard]] Json entry_json(const Entry& entry) {
    const Step& step = entry.step;
    Json out = {{"kind", static_cast<int>(step.kind)}, {"part", step.part}, {"name", wire(step.name)}};
    if (step.kind == Step::Kind::user) {
        out["member_of"] = wire(step.member_of);
        out["was"] = user_json(step.user_from);
        out["now"] = user_json(step.user_to);
    } else if (step.kind == Step::Kind::path) {
        out["data"] = step.data;
        out["owner"] = wire(step.owner);
        out["group"] = wire(step.group);
        out["was"] = state_json(step.from);
        out["now"] = state_json(step.to);
        out["sum"] = entry.sum;
        out["backup"] = entry.backup;
        out["edited"] = entry.edited;
    }
    return out;
}

[[nodiscard]] Entry entry_of(const Place& place, const Json& json) {
    Entry out;
    Step& step = out.step;
    step.kind = static_cast<Step::Kind>(json.at("kind").get<int>());
    step.part = json.at("part").get<std::string>();
    step.name = unwire(json.at("name"));
    if (step.kind == Step::Kind::group)
        step.group_after = true;
    if (step.kind == Step::Kind::user) {
        step.member_of = unwire(json.at("member_of"));
        step.user_from = user_of(json.at("was"));
        step.user_to = user_of(json.at("now"));
    }
    if (step.kind != Step::Kind::path)
        return out;
    step.data = json.at("data").get<bool>();
    step.owner = unwire(json.at("owner"));
    step.group = unwire(json.at("group"));
    step.from = state_of(json.at("was"));
    step.to = state_of(json.at("now"));
    out.sum = json.at("sum").get<std::string>();
    out.backup = json.at("backup").get<std::string>();
    out.edited = json.value("edited", false);
    if (step.from.kind == PathState::Kind::file) {
        const auto content = place.text(k_files + out.backup);
        if (!content)
            throw std::runtime_error("the copy of " + step.name + " is missing");
        step.from.content = *content;
    }
    return out;
}

[[nodiscard]] Json wishes_json(const SshWishes& wishes) {
    return {{"own_port", wishes.own_port},
            {"legacy_clients", wishes.legacy_clients},
            {"enrolment", wishes.enrolment},
            {"agents", wishes.sizes.agents},
            {"interval", wishes.sizes.interval}};
}

[[nodiscard]] SshWishes wishes_of(const Json& json) {
    return {.own_port = json.at("own_port").get<std::uint64_t>(),
            .legacy_clients = json.at("legacy_clients").get<bool>(),
            .enrolment = json.at("enrolment").get<bool>(),
            .sizes = {.agents = json.at("agents").get<std::uint64_t>(),
                      .interval = json.at("interval").get<std::uint64_t>()}};
}

// Is what stands there now neither what setup wrote there nor (it was ended before it wrote) what was there
// before?
[[nodiscard]] bool changed_since(const Entry& known, const Step& step) {
    const PathState& now = step.from;
    const PathState& wrote = known.step.to;
    const bool same = now.kind == wrote.kind && now.mode == wrote.mode && step.owner == known.step.owner &&
                      step.group == known.step.group && sum_of(now.content) == known.sum;
    return !same && now != known.step.from;
}

// What somebody has changed since, and setup lets stand, is not setup's.
void keep_as_his(std::string UserState::*field, const Step& known, Step& step) {
    if (step.user_from.*field != known.user_to.*field && step.user_to.*field == step.user_from.*field)
        step.user_to.*field = known.user_to.*field;
}

} // namespace

std::string sum_of(const std::string& content) {
    const Sha256 digest = sha256(as_bytes(content));
    return hex_encode(digest);
}

Manifest Manifest::read(const Place& place) {
    Manifest out;
    const PathState state = place.look(k_file);
    if (state.kind == PathState::Kind::absent)
        return out;
    try {
        const Json json = Json::parse(state.content);
        if (json.at("version").get<int>() != k_version)
            throw std::runtime_error("it is of another version");
        for (const Json& entry : json.at("entries"))
            out.entries.push_back(entry_of(place, entry));
        for (const Json& name : json.at("accepted"))
            out.accepted.push_back(unwire(name));
        if (json.contains("wishes"))
            out.wishes = wishes_of(json.at("wishes"));
    } catch (const std::exception& error) {
        stop(Status::bad_data, "{} cannot be used, so nothing can be taken back: {}", k_file,
             escape_visible(error.what()));
    }
    return out;
}

void Manifest::write(Place& place) {
    place.make_private_directory(k_setup_state);
    Json list = Json::array();
    for (Entry& entry : entries) {
        const PathState& was = entry.step.from;
        if (entry.step.kind == Step::Kind::path && was.kind == PathState::Kind::file &&
            entry.backup.empty()) {
            entry.backup = sum_of(entry.step.name).substr(0, 16);
            place.put_private(k_files + entry.backup, was.content);
        }
        list.push_back(entry_json(entry));
    }
    Json names = Json::array();
    for (const std::string& name : accepted)
        names.push_back(wire(name));
    Json out = {{"version", k_version}, {"entries", list}, {"accepted", names}};
    if (wishes)
        out["wishes"] = wishes_json(*wishes);
    place.put_private(k_file, out.dump(1) + '\n');
}

void Manifest::erase(Place& place) const {
    place.remove_tree(k_setup_state);
}

const Entry* Manifest::find(Step::Kind kind, const std::string& name) const {
    for (const Entry& entry : entries)
        if (entry.step.kind == kind && entry.step.name == name)
            return &entry;
    return nullptr;
}

void Manifest::note(const Step& step) {
    Entry entry{.step = step};
    if (step.kind == Step::Kind::path && step.to.kind == PathState::Kind::file)
        entry.sum = sum_of(step.to.content);
    for (Entry& known : entries)
        if (known.step.kind == step.kind && known.step.name == step.name) {
            for (const auto field : {&UserState::home, &UserState::shell, &UserState::password})
                keep_as_his(field, known.step, entry.step);
            entry.step.from = known.step.from;
            entry.step.user_from = known.step.user_from;
            entry.step.group_before = known.step.group_before;
            entry.backup = known.backup;
            entry.edited = known.edited || (step.merged && changed_since(known, step));
            known = std::move(entry);
            return;
        }
    entries.push_back(std::move(entry));
}

void Manifest::forget(Step::Kind kind, const std::string& name) {
    std::erase_if(entries, [&](const Entry& e) { return e.step.kind == kind && e.step.name == name; });
}

} // namespace gate::ctl::setup
