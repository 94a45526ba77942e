#include "gatectl/doctor/sshd_facts.h"

#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl::doctor {

namespace {

constexpr int k_max_depth = 16; // sshd's own limit of nested Includes

[[nodiscard]] bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

[[nodiscard]] std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back()))
        text.remove_suffix(1);
    return text;
}

[[nodiscard]] std::string unquoted(std::string_view text) {
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
        text = text.substr(1, text.size() - 2);
    return std::string(text);
}

class ConfigReader {
  public:
    ConfigReader(const Machine& machine, SshdConfig& into) : machine_(machine), into_(into) {}

    void read(const std::string& file, std::string match, int depth) {
        const auto text = machine_.read(file);
        if (!text || depth > k_max_depth)
            return;
        into_.files.push_back(file);
        std::string_view rest = *text;
        for (std::size_t number = 1; !rest.empty(); ++number) {
            const std::string_view line = trimmed(rest.substr(0, rest.find('\n')));
            rest.remove_prefix(std::min(rest.size(), rest.find('\n') + 1));
            take(file, number, line, match, depth);
        }
    }

  private:
    void take(const std::string& file, std::size_t number, std::string_view line, std::string& match,
              int depth) {
        if (line.empty() || line.front() == '#')
            return;
        const std::size_t end = std::min(line.find_first_of(" \t="), line.size());
        const std::string keyword = lower(line.substr(0, end));
        std::string_view value = trimmed(line.substr(end));
        if (!value.empty() && value.front() == '=')
            value = trimmed(value.substr(1));
        if (keyword == "match") {
            match = same_value(value, "all") ? std::string() : std::string(value);
        } else if (keyword == "include") {
            for (const std::string& word : words_of(value))
                include(unquoted(word), match, depth);
        } else {
            into_.lines.push_back({file, number, keyword, unquoted(value), match});
        }
    }

    void include(const std::string& pattern, const std::string& match, int depth) {
        for (const std::string& file :
             machine_.glob(pattern.starts_with('/') ? pattern : "/etc/ssh/" + pattern))
            read(file, match, depth + 1);
    }

    const Machine& machine_;
    SshdConfig& into_;
};

void read_effective(const std::string& text, SshdConfig& into) {
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::string_view line = trimmed(rest.substr(0, rest.find('\n')));
        rest.remove_prefix(std::min(rest.size(), rest.find('\n') + 1));
        const std::size_t end = std::min(line.find(' '), line.size());
        if (!line.empty())
            into.effective[lower(line.substr(0, end))].emplace_back(trimmed(line.substr(end)));
    }
}

[[nodiscard]] SshdConfig load(const Machine& machine, const std::string& file, const std::string& account) {
    SshdConfig out;
    ConfigReader(machine, out).read(file, {}, 0);
    const Ran ran =
        machine.run({k_sshd, "-T", "-f", file, "-C", "user=" + account + ",host=x,addr=127.0.0.1"});
    if (ran.status == 0) {
        read_effective(ran.out, out);
        return out;
    }
    const std::string_view said = trimmed(std::string_view(ran.err).substr(0, ran.err.find('\n')));
    out.wrong = said.empty() ? "sshd -T ended without a word" : escape_visible(said);
    return out;
}

// "OpenSSH_9.2p1 Debian-2": where, depends on the version.
void read_version(const Machine& machine, SshdFacts& into) {
    const Ran ran = machine.run({k_sshd, "-V"});
    const std::string said = ran.out + ran.err;
    constexpr std::string_view k_name = "OpenSSH_";
    const std::size_t at = said.find(k_name);
    if (at == std::string::npos)
        return;
    const std::string_view rest = std::string_view(said).substr(at + k_name.size());
    const std::size_t dot = rest.find('.');
    const std::size_t end =
        std::min(rest.find_first_not_of("0123456789", dot == rest.npos ? 0 : dot + 1), rest.size());
    if (dot == rest.npos)
        return;
    into.major = static_cast<unsigned>(parse_u64(rest.substr(0, dot)).value_or(0));
    into.minor = static_cast<unsigned>(parse_u64(rest.substr(dot + 1, end - dot - 1)).value_or(0));
}

[[nodiscard]] bool names_the_gate(const ConfigLine& line) {
    return line.value.find("/pandora-gate/drop") != std::string::npos ||
           line.value.find("/pandora-gate/authkeys") != std::string::npos;
}

} // namespace

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t begin = std::min(text.find_first_not_of(" \t", i), text.size());
        i = std::min(text.find_first_of(" \t", begin), text.size());
        if (i != begin)
            out.emplace_back(text.substr(begin, i - begin));
    }
    return out;
}

bool same_value(std::string_view a, std::string_view b) {
    return words_of(lower(a)) == words_of(lower(b));
}

std::string SshdConfig::value(const std::string& keyword) const {
    const auto found = effective.find(keyword);
    return found == effective.end() ? std::string() : found->second.front();
}

bool SshdConfig::reads(std::string_view file) const {
    return std::find(files.begin(), files.end(), file) != files.end();
}

const ConfigLine* SshdConfig::line_of(std::string_view keyword, std::string_view value) const {
    const auto found = std::find_if(lines.begin(), lines.end(), [&](const ConfigLine& line) {
        return line.keyword == keyword && same_value(line.value, value);
    });
    return found == lines.end() ? nullptr : &*found;
}

SshdFacts look_at_sshd(const Machine& machine, const std::string& account) {
    SshdFacts out;
    out.installed = machine.exists(k_sshd);
    if (out.installed)
        read_version(machine, out);
    out.main = load(machine, k_main_config, account);
    const auto& lines = out.main.lines;
    if (machine.exists(k_own_config)) {
        out.form = Form::own_gate;
        out.gate = load(machine, k_own_config, account);
        return out;
    }
    if (machine.exists(k_drop_in) || std::any_of(lines.begin(), lines.end(), names_the_gate))
        out.form = Form::drop_in;
    out.gate = out.main;
    return out;
}

} // namespace gate::ctl::doctor
