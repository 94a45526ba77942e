#include "gatectl/keys/ftp_user.h"

#include "gatectl/keys/names.h"
#include "gatectl/problem.h"
#include "lib/base/text.h"
#include "lib/keyring/ftp_sender.h"

#include <algorithm>

namespace gate::ctl {

namespace {

constexpr std::size_t k_max_user = 32; // what useradd takes, and utmp holds

// Takes one string of RFC 4251 off the front.
[[nodiscard]] bool take_string(std::string_view& rest, std::string_view& out) {
    constexpr std::size_t k_prefix = 4;
    if (rest.size() < k_prefix)
        return false;
    std::size_t length = 0;
    for (std::size_t i = 0; i < k_prefix; ++i)
        length = (length << 8) | static_cast<unsigned char>(rest[i]);
    if (length > rest.size() - k_prefix)
        return false;
    out = rest.substr(k_prefix, length);
    rest.remove_prefix(k_prefix + length);
    return true;
}

} // namespace

const char* wrong_with_ftp_user(std::string_view name) {
    const auto plain = [](char c) {
        return c > ' ' && c < 0x7f && c != '/' && c != ':' && c != ',' && c != '"' && c != '\'';
    };
    if (name.empty())
        return "it is empty";
    if (name.size() > k_max_user)
        return "it is longer than 32 bytes";
    if (name.front() == '-' || name.front() == '.')
        return "it begins with '.' or '-'";
    if (!std::all_of(name.begin(), name.end(), plain))
        return "it contains a blank, a quote, '/', ':', ',' or what is not ASCII";
    return nullptr;
}

bool is_ftp_type(std::string_view type) {
    return type == keyring::k_ftp_type;
}

std::string_view user_in_name(std::string_view name) {
    return name.starts_with(keyring::k_ftp_prefix) ? name.substr(keyring::k_ftp_prefix.size())
                                                   : std::string_view();
}

PublicKey ftp_user_row(const std::string& user) {
    if (const char* wrong = wrong_with_ftp_user(user); wrong != nullptr)
        stop(Status::usage, "\"{}\" cannot be the name of a user: {}", escape_visible(user), wrong);
    keyring::KeyRecord record = keyring::ftp_sender(user);
    return {.type = std::move(record.type),
            .blob = std::move(record.blob),
            .comment = {},
            .fingerprint = record.fingerprint};
}

std::string_view user_in_blob(std::string_view blob) {
    std::string_view type;
    std::string_view user;
    if (!take_string(blob, type) || !is_ftp_type(type) || !take_string(blob, user) || !blob.empty() ||
        wrong_with_ftp_user(user) != nullptr)
        stop(Status::bad_data, "it names no user");
    return user;
}

std::string user_of(const StoredKey& key) {
    const auto blob = is_ftp_type(key.type) ? base64_decode(key.blob) : std::nullopt;
    try {
        return blob ? std::string(user_in_blob(*blob)) : std::string();
    } catch (const Problem&) {
        return {};
    }
}

bool is_row_id(std::string_view id, std::string_view type, std::string_view blob) {
    return is_key_id(id) || (is_ftp_type(type) && !blob.empty() && user_in_name(id) == user_in_blob(blob));
}

} // namespace gate::ctl
