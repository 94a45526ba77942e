// A sidecar: one line, the audit event drop.quarantined, in which each code point of a string is one byte.
#include "gatectl/quarantine/shelf.h"

#include <nlohmann/json.hpp>

namespace gate::ctl {

namespace {

using Json = nlohmann::json;

// False: it is there, and is no text.
[[nodiscard]] bool take(const Json& json, const char* name, std::string& target) {
    const auto field = json.find(name);
    if (field == json.end())
        return true;
    if (!field->is_string())
        return false;
    auto bytes = bytes_of_latin1(field->get_ref<const std::string&>());
    if (!bytes)
        return false;
    target = std::move(*bytes);
    return true;
}

} // namespace

std::optional<std::string> bytes_of_latin1(std::string_view utf8) {
    std::string out;
    for (std::size_t i = 0; i < utf8.size(); ++i) {
        const auto u = static_cast<unsigned char>(utf8[i]);
        if (u < 0x80) {
            out += utf8[i];
            continue;
        }
        // Two bytes, U+0080 to U+00FF: C2 or C3, and a continuation.
        const auto next = i + 1 < utf8.size() ? static_cast<unsigned char>(utf8[i + 1]) : 0U;
        if ((u != 0xc2 && u != 0xc3) || (next & 0xc0) != 0x80)
            return std::nullopt;
        out += static_cast<char>(static_cast<unsigned char>(((u & 0x03) << 6) | (next & 0x3f)));
        ++i;
    }
    return out;
}

std::optional<Facts> parse_sidecar(std::string_view text) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object() || json.value("event", Json()) != "drop.quarantined")
        return std::nullopt;
    Facts out;
    const std::pair<const char*, std::string*> fields[] = {
        {"time", &out.time},
        {"session", &out.session},
        {"key", &out.key},
        {"fingerprint", &out.fingerprint},
        {"peer", &out.peer},
        {"file", &out.file},
        {"sha256", &out.sha256},
        {"reason", &out.reason},
        {"why", &out.why},
        {"remedy", &out.remedy},
        {"packet_agent", &out.packet_agent},
    };
    for (const auto& [name, target] : fields)
        if (!take(json, name, *target))
            return std::nullopt;
    const auto bytes = json.find("bytes");
    if (bytes != json.end() && bytes->is_number_unsigned())
        out.bytes = bytes->get<std::uint64_t>();
    return out;
}

} // namespace gate::ctl
