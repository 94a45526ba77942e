#include "ftpsweep/options.h"

#include <algorithm>
#include <string_view>

namespace gate::sweep {

namespace {

// Files are called after senders, with something before and behind (NAME_MAX is 255).
constexpr std::size_t k_max_name = 200;

} // namespace

bool is_sender_name(std::string_view name) {
    return !name.empty() && name.size() <= k_max_name && name.front() != '.' && name.front() != '-' &&
           std::ranges::none_of(name, [](char c) {
               const auto u = static_cast<unsigned char>(c);
               return u < 0x20 || u == 0x7F || c == '/' || c == ':';
           });
}

std::expected<Options, std::string> parse_options(std::span<char* const> words) {
    Options out;
    OtherInbox other;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string_view word = words[i];
        std::string* const value = word == "--inbox"    ? &other.directory
                                   : word == "--owner"  ? &other.owner
                                   : word == "--sender" ? &other.sender
                                                        : nullptr;
        if (word == "--once") {
            out.once = true;
        } else if (value == nullptr) {
            return std::unexpected("unknown option: " + std::string(word));
        } else if (!value->empty() || ++i == words.size() || *words[i] == '\0') {
            return std::unexpected(std::string(word) + " needs one value, once");
        } else {
            *value = words[i];
        }
    }
    const int given = !other.directory.empty() + !other.owner.empty() + !other.sender.empty();
    if (given != 0 && given != 3)
        return std::unexpected("--inbox, --owner and --sender go together");
    if (given == 0)
        return out;
    if (other.directory.front() != '/')
        return std::unexpected("--inbox needs an absolute path");
    if (!is_sender_name(other.sender))
        return std::unexpected("--sender: not a possible name");
    while (other.directory.size() > 1 && other.directory.back() == '/')
        other.directory.pop_back(); // one directory, one spelling: its journal is called after it
    out.inbox = std::move(other);
    return out;
}

} // namespace gate::sweep
