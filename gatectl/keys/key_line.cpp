#include "gatectl/keys/key_line.h"

#include "gatectl/keys/network.h"
#include "gatectl/keys/when.h"
#include "gatectl/problem.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl {

namespace {

constexpr std::string_view k_blank = " \t";
constexpr std::size_t k_shown = 64; // of what stands in the line, in a message

[[noreturn]] void bad(std::string text) {
    throw Problem(Status::bad_data, std::move(text));
}

[[nodiscard]] std::string_view without_leading_blanks(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(k_blank), text.size()));
    return text;
}

[[nodiscard]] char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

// --- what there is (OpenSSH's auth-options.c) ---------------------------------------------------------

enum class Option : std::uint8_t {
    restrict_all,
    cert_authority,
    verify_required,
    from,
    expiry_time,
    ignored
};

struct KnownOption {
    std::string_view name;
    bool has_value;
    bool may_be_negated; // with "no-"
    bool once;           // a second one makes sshd refuse the line
    Option meaning;
};

constexpr KnownOption k_options[] = {
    {"restrict", false, false, false, Option::restrict_all},
    {"cert-authority", false, false, false, Option::cert_authority},
    {"port-forwarding", false, true, false, Option::ignored},
    {"agent-forwarding", false, true, false, Option::ignored},
    {"x11-forwarding", false, true, false, Option::ignored},
    {"touch-required", false, true, false, Option::ignored},
    {"verify-required", false, true, false, Option::verify_required},
    {"pty", false, true, false, Option::ignored},
    {"user-rc", false, true, false, Option::ignored},
    {"command", true, false, true, Option::ignored},
    {"principals", true, false, true, Option::ignored},
    {"from", true, false, true, Option::from},
    {"expiry-time", true, false, false, Option::expiry_time},
    {"environment", true, false, false, Option::ignored},
    {"permitopen", true, false, false, Option::ignored},
    {"permitlisten", true, false, false, Option::ignored},
    {"tunnel", true, false, false, Option::ignored},
};

[[nodiscard]] const KnownOption* find_option(std::string_view name) {
    const bool negated = name.starts_with("no-");
    const auto found = std::find_if(std::begin(k_options), std::end(k_options), [&](const KnownOption& o) {
        return o.name == name || (negated && o.may_be_negated && o.name == name.substr(3));
    });
    return found == std::end(k_options) ? nullptr : found;
}

// --- how it is written --------------------------------------------------------------------------------

struct Written {
    std::string name; // in lower case
    bool has_value = false;
    std::string value; // without the quotes
};

// A value in quotes; \" inside stands for a quote, every other backslash for itself. Takes it off the text.
[[nodiscard]] std::string take_quoted(std::string_view& rest, std::string_view name) {
    if (!rest.starts_with('"'))
        bad(fmt::format("the value of the option {} is not in quotes", escape_visible(name, k_shown)));
    std::string value;
    for (std::size_t i = 1; i < rest.size(); ++i) {
        if (rest[i] == '"') {
            rest.remove_prefix(i + 1);
            return value;
        }
        if (rest[i] == '\\' && rest.substr(i + 1).starts_with('"'))
            ++i;
        value += rest[i];
    }
    bad(fmt::format("the quote after {}= is not closed", escape_visible(name, k_shown)));
}

// The next option, taken off the text.
[[nodiscard]] Written take_option(std::string_view& rest) {
    Written option;
    const std::string_view name = rest.substr(0, rest.find_first_of(" \t,=\""));
    option.name.resize(name.size());
    std::transform(name.begin(), name.end(), option.name.begin(), to_lower);
    rest.remove_prefix(name.size());
    if (rest.starts_with('=')) {
        rest.remove_prefix(1);
        option.has_value = true;
        option.value = take_quoted(rest, name);
    }
    return option;
}

// --- what it means ------------------------------------------------------------------------------------

void take_from(const std::string& list, KeyLine& out) {
    if (list.empty())
        bad("from=\"\" lets nobody in: write networks, or leave it away");
    std::vector<std::string> items;
    for (std::string_view rest = list;;) {
        const std::size_t comma = rest.find(',');
        items.emplace_back(rest.substr(0, comma));
        if (comma == rest.npos)
            break;
        rest.remove_prefix(comma + 1);
    }
    try {
        out.from = check_networks(items);
    } catch (const Problem& problem) {
        bad(fmt::format("from=: {}", problem.what()));
    }
}

void take_ignored(std::string name, KeyLine& out) {
    if (std::find(out.ignored.begin(), out.ignored.end(), name) == out.ignored.end())
        out.ignored.push_back(std::move(name));
}

void apply(const KnownOption& known, Written written, KeyLine& out) {
    switch (known.meaning) {
    case Option::restrict_all:
        out.restricted = true;
        return;
    case Option::cert_authority:
        bad("this is the key of a certificate authority (cert-authority): certificates are not accepted");
    case Option::verify_required:
        if (!written.name.starts_with("no-"))
            bad("verify-required wants a PIN at each login, which cannot be kept here: take the option away "
                "first");
        return take_ignored(std::move(written.name), out);
    case Option::from:
        return take_from(written.value, out);
    case Option::expiry_time: {
        const std::int64_t then = parse_expiry_time(written.value);
        if (out.expires_at == 0 || then < out.expires_at)
            out.expires_at = then;
        return;
    }
    case Option::ignored:
        return take_ignored(std::move(written.name), out);
    }
}

void read_option(std::string_view& rest, std::uint32_t& seen, KeyLine& out) {
    Written written = take_option(rest);
    const KnownOption* const known = find_option(written.name);
    if (known == nullptr || known->has_value != written.has_value) {
        const std::string shown = escape_visible(written.name, k_shown);
        if (known != nullptr)
            bad(fmt::format("the option {} {}", shown,
                            known->has_value ? "has no value: write it as NAME=\"VALUE\""
                                             : "takes no value"));
        bad(shown.empty() ? "there is an empty option before the key, so that sshd refuses the line"
                          : fmt::format("sshd knows no option {} and refuses the line", shown));
    }
    const std::uint32_t bit = 1U << (known - k_options);
    if (known->once && (seen & bit) != 0)
        bad(fmt::format("there is more than one {}, so that sshd refuses the line", known->name));
    seen |= bit;
    apply(*known, std::move(written), out);
}

// Takes the list of options off the line: no blank outside of quotes belongs to it.
void read_options(std::string_view& rest, KeyLine& out) {
    std::uint32_t seen = 0; // a bit for each of k_options
    static_assert(std::size(k_options) <= 32);
    for (;;) {
        read_option(rest, seen, out);
        if (rest.empty())
            bad("there is no key behind the options");
        const char next = rest.front();
        if (next == ' ' || next == '\t')
            return;
        if (next != ',')
            bad("there is no comma between two options");
        rest.remove_prefix(1);
    }
}

// Options are there if the line does not begin with a key. Something else that does not is told as such.
[[nodiscard]] bool begins_with_options(std::string_view line) {
    if (is_key_type(line.substr(0, line.find(' '))))
        return false; // most lines
    const std::string_view word = line.substr(0, line.find_first_of(" \t,=\""));
    std::string name(word.substr(0, k_shown));
    std::transform(name.begin(), name.end(), name.begin(), to_lower);
    if (find_option(name) != nullptr)
        return true;
    const std::string_view behind = line.substr(word.size());
    const std::string_view next = without_leading_blanks(behind);
    return behind.starts_with(',') || behind.starts_with('=') ||
           (!is_key_type(word) && is_key_type(next.substr(0, next.find_first_of(k_blank))));
}

} // namespace

bool is_blank_or_comment(std::string_view line) {
    line = without_leading_blanks(line);
    return line.empty() || line.front() == '#' || line == "\r";
}

KeyLine parse_key_line(std::string_view line) {
    if (line.ends_with('\r'))
        line.remove_suffix(1);
    if (line.size() > k_max_line)
        bad(fmt::format("the line is longer than {} bytes", k_max_line));
    KeyLine out;
    std::string_view rest = without_leading_blanks(line);
    try {
        if (begins_with_options(rest)) {
            read_options(rest, out);
            rest = without_leading_blanks(rest);
            if (rest.empty())
                bad("there is no key behind the options");
        }
        out.key = read_key_on_line(rest);
    } catch (const Problem&) {
        refuse_foreign_format(line); // a private key comes first
        throw;
    }
    return out;
}

} // namespace gate::ctl
