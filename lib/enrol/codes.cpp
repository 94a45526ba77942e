#include "lib/enrol/codes.h"

#include "lib/base/sha256.h"
#include "lib/enrol/private_file.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>

namespace gate::enrol {

namespace {

constexpr std::string_view k_magic = "pgCODES\n";
constexpr std::uint32_t k_version = 1;
constexpr std::size_t k_sum_at = k_codes_header - sizeof(std::uint64_t);
constexpr std::size_t k_max_file = k_codes_header + k_max_codes * k_codes_record;
// Crockford's: no I, L, O, U.
constexpr std::string_view k_alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t k_max_typed = 256; // a code with a blank around each symbol, and more

template<class T>
void put(std::string& out, T value) {
    for (std::size_t i = 0; i < sizeof value; ++i)
        out += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xff);
}

template<class T>
[[nodiscard]] T get(std::string_view bytes, std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
        value |= std::uint64_t{static_cast<std::uint8_t>(bytes[at + i])} << (8 * i);
    return static_cast<T>(value);
}

// Of the whole file but for the sum itself.
[[nodiscard]] std::uint64_t sum_of(std::string_view file) {
    std::string rest{file.substr(0, k_sum_at)};
    rest += file.substr(k_codes_header);
    return checksum_of(rest);
}

[[nodiscard]] bool is_id(std::string_view id) {
    return !id.empty() && id.size() <= k_max_code_id &&
           std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// 1 if they are the same; the time it takes does not tell where they are not.
[[nodiscard]] unsigned same(const CodeHash& a, const CodeHash& b) {
    unsigned difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        difference |= static_cast<unsigned>(a[i] ^ b[i]);
    return ((difference - 1U) >> 8) & 1U;
}

[[nodiscard]] char canonical_symbol(char c) {
    if (c >= 'a' && c <= 'z')
        c = static_cast<char>(c - 'a' + 'A');
    return c == 'O' ? '0' : c == 'I' || c == 'L' ? '1' : c;
}

} // namespace

std::string format_code(const std::array<std::uint8_t, k_code_symbols * 5 / 8>& random) {
    std::string out;
    unsigned bits = 0;
    unsigned held = 0;
    std::size_t symbols = 0;
    for (const std::uint8_t byte : random) {
        bits = (bits << 8 | byte) & 0xffffU;
        for (held += 8; held >= 5; held -= 5) {
            if (symbols != 0 && symbols % k_code_group == 0)
                out += '-';
            out += k_alphabet[bits >> (held - 5) & 31U];
            ++symbols;
        }
    }
    return out;
}

std::optional<std::string> canonical_code(std::string_view typed) {
    std::string out;
    if (typed.size() > k_max_typed)
        return std::nullopt;
    for (const char c : typed) {
        if (c == '-' || c == ' ' || c == '\t')
            continue;
        const char symbol = canonical_symbol(c);
        if (k_alphabet.find(symbol) == std::string_view::npos)
            return std::nullopt;
        out += symbol;
    }
    if (out.size() != k_code_symbols)
        return std::nullopt;
    return out;
}

CodeHash hash_code(const Salt& salt, std::string_view canonical) {
    std::string text(reinterpret_cast<const char*>(salt.data()), salt.size());
    text += canonical;
    return sha256({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

bool holds_at(std::int64_t from, std::int64_t until, std::int64_t now) {
    return now < until && now >= from - k_clock_slack;
}

std::optional<std::string> find_code(const Codes& codes, std::string_view typed, std::int64_t now) {
    const auto canonical = canonical_code(typed);
    // What cannot be a code takes as long as what could.
    const CodeHash hash = hash_code(codes.salt, canonical ? *canonical : std::string(k_code_symbols, '?'));
    std::size_t found = 0; // one more than its place
    for (std::size_t i = 0; i < codes.codes.size(); ++i) {
        const Code& code = codes.codes[i];
        const std::size_t good =
            std::size_t{same(hash, code.hash)} & std::size_t{holds_at(code.made_at, code.expires_at, now)};
        found |= (i + 1) * good;
    }
    if (!canonical || found == 0)
        return std::nullopt;
    return codes.codes[found - 1].id;
}

Result<std::string> encode_codes(const Codes& codes) {
    if (codes.codes.size() > k_max_codes)
        return fail(Errc::too_large, "too many codes at once");
    std::string out{k_magic};
    put(out, k_version);
    put(out, static_cast<std::uint32_t>(codes.codes.size()));
    out.append(reinterpret_cast<const char*>(codes.salt.data()), codes.salt.size());
    put(out, codes.window.from);
    put(out, codes.window.until);
    out.resize(k_codes_header);
    for (const Code& code : codes.codes) {
        if (!is_id(code.id))
            return fail(Errc::bad_input, "not the id of a code");
        out.append(reinterpret_cast<const char*>(code.hash.data()), code.hash.size());
        out += code.id;
        out.append(k_max_code_id - code.id.size(), '\0');
        put(out, code.made_at);
        put(out, code.expires_at);
    }
    std::string sum;
    put(sum, sum_of(out));
    return out.replace(k_sum_at, sum.size(), sum);
}

Result<Codes> decode_codes(std::string_view bytes) {
    const auto damaged = [] { return fail(Errc::damaged, "the file of codes is damaged"); };
    if (bytes.size() < k_codes_header || !bytes.starts_with(k_magic) ||
        sum_of(bytes) != get<std::uint64_t>(bytes, k_sum_at))
        return damaged();
    std::size_t at = k_magic.size();
    if (get<std::uint32_t>(bytes, at) != k_version)
        return fail(Errc::version, "the file of codes is of another version");
    const std::size_t count = get<std::uint32_t>(bytes, at + 4);
    if (count > k_max_codes || bytes.size() - k_codes_header != count * k_codes_record)
        return damaged();
    at += 8;
    Codes out;
    std::memcpy(out.salt.data(), bytes.data() + at, out.salt.size());
    at += out.salt.size();
    out.window = {get<std::int64_t>(bytes, at), get<std::int64_t>(bytes, at + 8)};
    out.codes.reserve(count);
    for (at = k_codes_header; at < bytes.size(); at += k_codes_record) {
        Code code;
        std::memcpy(code.hash.data(), bytes.data() + at, code.hash.size());
        const std::string_view id = bytes.substr(at + code.hash.size(), k_max_code_id);
        code.id = id.substr(0, id.find('\0'));
        code.made_at = get<std::int64_t>(bytes, at + k_codes_record - 16);
        code.expires_at = get<std::int64_t>(bytes, at + k_codes_record - 8);
        if (!is_id(code.id))
            return damaged();
        out.codes.push_back(std::move(code));
    }
    return out;
}

Result<Codes> read_codes(const std::string& directory, uid_t owner) {
    GATE_TRY(const Fd dir, open_private_directory(directory, owner));
    GATE_TRY(const std::string bytes, read_private(dir.get(), k_codes_name, owner, k_max_file));
    return decode_codes(bytes);
}

Result<void> write_codes(const std::string& directory, const Codes& codes, uid_t owner) {
    GATE_TRY(const std::string bytes, encode_codes(codes));
    GATE_TRY(const Fd dir, open_private_directory(directory, owner));
    return replace_private(dir.get(), k_codes_name, bytes, true);
}

} // namespace gate::enrol
