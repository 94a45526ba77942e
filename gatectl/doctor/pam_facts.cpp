#include "gatectl/doctor/pam_facts.h"

#include "gatectl/doctor/sshd_facts.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl::doctor {

namespace {

constexpr int k_max_depth = 16; // libpam's own limit is 32; real ones have 2

// The next word; one that begins with '[' ends with the ']'.
[[nodiscard]] std::string_view take_word(std::string_view& rest) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    const bool bracket = rest.starts_with('[');
    std::size_t end = bracket ? rest.find(']') : rest.find_first_of(" \t");
    end = std::min(end == rest.npos ? rest.size() : end + (bracket ? 1 : 0), rest.size());
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(end);
    return word;
}

class PamReader {
  public:
    PamReader(const Machine& machine, PamFacts& into) : machine_(machine), into_(into) {}

    // `only`: the kind that is taken; empty: all.
    [[nodiscard]] bool read(const std::string& file, const std::string& only, int depth) {
        const auto text = machine_.read(file);
        if (!text || depth > k_max_depth)
            return false;
        std::string joined;
        std::size_t begun = 1, number = 1;
        for (std::string_view rest = *text; !rest.empty(); ++number) {
            std::string_view line = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(std::min(rest.size(), rest.find('\n') + 1));
            if (joined.empty())
                begun = number;
            joined += line;
            if (joined.ends_with('\\') && !rest.empty()) {
                joined.back() = ' ';
                continue;
            }
            take(file, begun, joined, only, depth);
            joined.clear();
        }
        return true;
    }

  private:
    void take(const std::string& file, std::size_t number, std::string_view line, const std::string& only,
              int depth) {
        line = line.substr(0, line.find('#'));
        std::string_view rest = line;
        std::string kind = lower(take_word(rest));
        if (kind == "@include") {
            static_cast<void>(read(path_of(take_word(rest)), only, depth + 1));
            return;
        }
        if (kind.starts_with('-'))
            kind.erase(0, 1);
        const std::string_view control = take_word(rest);
        const std::string_view module = take_word(rest);
        if (module.empty() || (!only.empty() && kind != only))
            return;
        if (control == "include" || control == "substack") {
            static_cast<void>(read(path_of(module), kind, depth + 1));
            return;
        }
        into_.lines.push_back(
            {file, number, kind, std::string(control), std::string(module), words_of(rest), depth});
    }

    [[nodiscard]] static std::string path_of(std::string_view name) {
        return name.starts_with('/') ? std::string(name) : "/etc/pam.d/" + std::string(name);
    }

    const Machine& machine_;
    PamFacts& into_;
};

} // namespace

bool PamLine::has(std::string_view wanted) const {
    return std::find(arguments.begin(), arguments.end(), wanted) != arguments.end();
}

std::string PamLine::argument(std::string_view name) const {
    for (const std::string& word : arguments)
        if (word.starts_with(name) && word.size() > name.size() && word[name.size()] == '=')
            return word.substr(name.size() + 1);
    return {};
}

bool PamLine::is_gate() const {
    return module.substr(module.rfind('/') + 1) == "pam_pandora.so" && argument("services").empty();
}

std::vector<const PamLine*> PamFacts::of_kind(std::string_view kind) const {
    std::vector<const PamLine*> out;
    for (const PamLine& line : lines)
        if (line.kind == kind)
            out.push_back(&line);
    return out;
}

const PamLine* PamFacts::gate_line(std::string_view kind) const {
    for (const PamLine* line : of_kind(kind))
        if (line->is_gate())
            return line;
    return nullptr;
}

bool PamFacts::enrols() const {
    const auto auth = of_kind("auth");
    return std::any_of(auth.begin(), auth.end(),
                       [](const PamLine* line) { return line->is_gate() && line->has("enrol"); });
}

PamFacts look_at_pam(const Machine& machine, const std::string& service) {
    PamFacts out;
    out.service = service;
    out.exists = PamReader(machine, out).read("/etc/pam.d/" + service, {}, 0);
    for (const char* pattern : {"/lib/*/security", "/lib/security", "/lib64/security", "/usr/lib/*/security",
                                "/usr/lib/security", "/usr/lib64/security"})
        for (const std::string& found : machine.glob(pattern))
            out.module_directories.push_back(found);
    return out;
}

bool may_end_or_jump(const PamLine& line, std::size_t distance) {
    const std::string control = lower(line.control);
    if (control == "sufficient")
        return true;
    if (!control.starts_with('['))
        return false;
    for (const std::string& word : words_of(std::string_view(control).substr(1, control.size() - 2))) {
        const std::string_view action = std::string_view(word).substr(word.find('=') + 1);
        const auto jump = parse_u64(action);
        if (action == "done" || (jump && *jump >= distance))
            return true;
    }
    return false;
}

} // namespace gate::ctl::doctor
