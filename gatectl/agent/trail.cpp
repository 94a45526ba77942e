#include "gatectl/agent/trail.h"

#include "gatectl/keys/json.h"
#include "gatectl/problem.h"
#include "lib/base/file.h"
#include "lib/base/text.h"
#include "lib/spool/name.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>

namespace gate::ctl {

namespace {

constexpr std::size_t k_block = 1U << 20;
constexpr std::size_t k_max_event = 64 * 1024; // an event has 2 kB; a longer line is none

[[nodiscard]] std::string text(const nlohmann::json& event, const char* field) {
    const auto found = event.find(field);
    return found != event.end() && found->is_string() ? from_latin1(found->get<std::string>())
                                                      : std::string();
}

class Reading {
  public:
    explicit Reading(const AgentIdentity& agent) : agent_(agent) {}

    // False: nothing more is wanted.
    bool take(std::string_view line) {
        if (!may_be_ours(line))
            return true;
        const auto event = nlohmann::json::parse(line, nullptr, false);
        if (!event.is_object())
            return true;
        const std::string code = text(event, "event");
        if (code == "session.opened" && is_key(event))
            keep(trail.login, event, code);
        else if ((code == "drop.accepted" || code == "drop.resent") && is_file(event))
            keep(trail.drop, event, code);
        else if (is_refusal(code) && (is_file(event) || is_whole_key(event)))
            keep(trail.refusal, event, code);
        else if (code == "agent.mismatch" &&
                 (is_whole_key(event) || text(event, "packet_agent") == agent_.name))
            ++trail.mismatches;
        return true;
    }

    AgentTrail trail;

  private:
    [[nodiscard]] static bool is_refusal(std::string_view code) {
        return code == "drop.refused" || code == "session.refused" || code == "login.refused" ||
               code == "key.refused" || code == "request.refused" || code == "upload.refused";
    }
    // Before a line is taken apart: most are of others.
    [[nodiscard]] bool may_be_ours(std::string_view line) const {
        const auto holds = [line](const std::string& name) {
            return line.find(name) != std::string_view::npos;
        };
        return holds(agent_.md5) || holds(escaped_) || std::ranges::any_of(agent_.keys, holds);
    }
    [[nodiscard]] bool is_key(const nlohmann::json& event) const {
        return agent_.keys.contains(text(event, "key"));
    }
    // The key is this agent's alone; of a broker's key the file says whose it was.
    [[nodiscard]] bool is_whole_key(const nlohmann::json& event) const {
        return agent_.alone.contains(text(event, "key"));
    }
    // By a key of the agent: what others send in its name is no news of it.
    [[nodiscard]] bool is_file(const nlohmann::json& event) const {
        if (!is_key(event))
            return false;
        const std::string file = text(event, "file");
        spool::FileName name;
        return spool::parse_file_name(file, name) == spool::Reason::none &&
               (name.agent == agent_.name || name.agent == agent_.md5);
    }
    // The last one, that is the first to be met.
    static void keep(LastEvent& last, const nlohmann::json& event, const std::string& code) {
        if (!last.time.empty())
            return;
        last.time = text(event, "time");
        last.what = code;
        last.address = text(event, event.contains("peer") ? "peer" : "rhost");
        last.key = text(event, "key");
        // drop has a code in `reason` and words in `why`; the others a code in `rule` and words in `reason`.
        const bool coded = event.contains("why");
        last.rule = text(event, coded ? "reason" : "rule");
        last.reason = text(event, coded ? "why" : "reason");
        last.remedy = text(event, "remedy");
        last.file = text(event, "file");
    }

    const AgentIdentity& agent_;
    // A name as it stands in a line. (What JSON escapes by a backslash is in few names; such a one is found
    // by its keys.)
    const std::string escaped_ = agent_.name;
};

} // namespace

bool each_line_backwards(const std::string& file, std::uint64_t& budget,
                         const std::function<bool(std::string_view)>& visit) {
    const auto fd = open_regular(file.c_str());
    if (!fd && fd.error().code == Errc::missing)
        return true;
    if (!fd)
        stop(status_of_errno(fd.error().sys_errno), "{}: {}", escape_visible(file), describe(fd.error()));
    struct stat st {};
    if (::fstat(fd->get(), &st) != 0)
        stop(Status::io, "{}: {}", escape_visible(file), describe(fail_errno("cannot stat it").error()));
    std::uint64_t at = static_cast<std::uint64_t>(st.st_size);
    std::string rest; // the beginning of a line whose end has been read
    while (at > 0 && budget > 0) {
        const std::uint64_t size = std::min({at, budget, std::uint64_t{k_block}});
        at -= size;
        budget -= size;
        std::string block(size, '\0');
        if (const auto read = read_exact_at(fd->get(), std::as_writable_bytes(std::span(block)), at); !read)
            stop(Status::io, "{}: {}", escape_visible(file), describe(read.error()));
        block += rest;
        std::string_view lines = block;
        for (std::size_t end = 0; (end = lines.rfind('\n')) != std::string_view::npos;) {
            const std::string_view line = lines.substr(end + 1);
            lines = lines.substr(0, end);
            if (!line.empty() && !visit(line))
                return true;
        }
        rest = lines.size() > k_max_event ? std::string() : std::string(lines);
    }
    if (at == 0 && !rest.empty())
        static_cast<void>(visit(rest));
    return at == 0;
}

AgentTrail read_trail(const std::string& file, const AgentIdentity& agent) {
    Reading reading(agent);
    std::uint64_t budget = k_most_read;
    const auto take = [&](std::string_view line) { return reading.take(line); };
    const bool all =
        each_line_backwards(file, budget, take) && each_line_backwards(file + ".1", budget, take);
    reading.trail.read_all = all;
    return std::move(reading.trail);
}

} // namespace gate::ctl
