#include "gatectl/enrol/code_table.h"

#include "gatectl/keys/csv.h"
#include "gatectl/keys/json.h"
#include "gatectl/problem.h"
#include "lib/base/file.h"
#include "lib/base/text.h"
#include "lib/enrol/codes.h"

#include <fcntl.h>
#include <unistd.h>

namespace gate::ctl {

namespace {

constexpr std::size_t k_max_table = std::size_t{16} * 1024 * 1024; // 20,000 lines of 800 bytes

[[nodiscard]] std::string read_table(const std::string& file) {
    Fd owned;
    int fd = STDIN_FILENO;
    if (file != "-") {
        owned.reset(::open(file.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
        if (!owned.valid())
            stop(Status::no_input, "{}: {}", escape_visible(file),
                 describe(fail_errno("cannot open the file").error()));
        fd = owned.get();
    }
    auto text = read_all(fd, k_max_table);
    if (!text)
        stop(text.error().code == Errc::too_large ? Status::bad_data : Status::io, "{}: {}",
             escape_visible(file), describe(text.error()));
    return std::move(*text);
}

} // namespace

std::vector<CodeRow> read_code_table(const std::string& file) {
    const std::string text = read_table(file);
    CsvReader reader(text, CsvReader::Of::codes);
    std::vector<CodeRow> out;
    for (CsvRow row; reader.next(row);) {
        out.push_back({row.line, row.agents, row.from, row.expires, row.note});
        if (out.size() > enrol::k_max_codes)
            stop(Status::bad_data, "more than {} codes at once", enrol::k_max_codes);
    }
    return out;
}

const char* standing_word(const StoredCode& code, std::int64_t now) {
    if (code.state == StoredCode::State::open && now >= code.expires_at)
        return "expired";
    return word_of(code.state);
}

Json to_json(const StoredCode& code, std::int64_t now) {
    Json agents = Json::array();
    for (const std::string& agent : code.agents)
        agents.push_back(latin1(agent));
    return {
        {"id", code.id},
        {"state", standing_word(code, now)},
        {"agents", std::move(agents)},
        {"from", code.from},
        {"until", time_text(code.expires_at)},
        {"key_expires", time_json(code.key_expires_at)},
        {"replace", code.replaces},
        {"note", latin1(code.note)},
        {"made_at", time_text(code.made_at)},
        {"made_by", latin1(code.made_by)},
        {"state_at", time_json(code.state_at)},
        {"state_by", latin1(code.state_by)},
        {"used_key", code.used_key.empty() ? Json() : Json(code.used_key)},
    };
}

} // namespace gate::ctl
