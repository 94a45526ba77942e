#include "forcecmd/front/sftp/packet.h"

#include <cstddef>

namespace gate::drop::sftp {

namespace {

enum AttributeFlag : std::uint32_t {
    k_attr_size = 0x1,
    k_attr_uidgid = 0x2,
    k_attr_permissions = 0x4,
    k_attr_acmodtime = 0x8,
    k_attr_extended = 0x80000000,
};

template<class T>
[[nodiscard]] T big_endian(std::string_view bytes) {
    T value = 0;
    for (const char c : bytes.substr(0, sizeof(T)))
        value = static_cast<T>((value << 8) | static_cast<unsigned char>(c));
    return value;
}

template<class T>
void append_big_endian(std::string& out, T value) {
    for (std::size_t i = sizeof(T); i-- > 0;)
        out += static_cast<char>(static_cast<unsigned char>((value >> (8 * i)) & 0xff));
}

} // namespace

std::optional<std::uint8_t> PacketReader::u8() {
    if (rest_.empty())
        return std::nullopt;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
}

std::optional<std::uint32_t> PacketReader::u32() {
    if (rest_.size() < sizeof(std::uint32_t))
        return std::nullopt;
    const auto value = big_endian<std::uint32_t>(rest_);
    rest_.remove_prefix(sizeof value);
    return value;
}

std::optional<std::uint64_t> PacketReader::u64() {
    if (rest_.size() < sizeof(std::uint64_t))
        return std::nullopt;
    const auto value = big_endian<std::uint64_t>(rest_);
    rest_.remove_prefix(sizeof value);
    return value;
}

std::optional<std::string_view> PacketReader::string() {
    const auto size = u32();
    if (!size || *size > rest_.size())
        return std::nullopt;
    const std::string_view value = rest_.substr(0, *size);
    rest_.remove_prefix(*size);
    return value;
}

std::optional<Attributes> PacketReader::attributes() {
    Attributes out;
    const auto flags = u32();
    if (!flags)
        return std::nullopt;
    if ((*flags & k_attr_size) != 0 && !(out.size = u64()))
        return std::nullopt;
    if ((*flags & k_attr_uidgid) != 0 && !u64())
        return std::nullopt;
    if ((*flags & k_attr_permissions) != 0 && !u32())
        return std::nullopt;
    if ((*flags & k_attr_acmodtime) != 0 && !u64())
        return std::nullopt;
    if ((*flags & k_attr_extended) != 0) {
        const auto count = u32();
        if (!count)
            return std::nullopt;
        for (std::uint32_t i = 0; i < *count; ++i) { // ends at the end of the packet, whatever the count says
            if (!string() || !string())
                return std::nullopt;
        }
    }
    return out;
}

PacketWriter::PacketWriter(std::string& out, Type type) : out_(out), start_(out.size()) {
    out_.append(sizeof(std::uint32_t), '\0');
    out_ += static_cast<char>(type);
}

PacketWriter::~PacketWriter() {
    const auto length = static_cast<std::uint32_t>(out_.size() - start_ - sizeof(std::uint32_t));
    for (std::size_t i = 0; i < sizeof length; ++i)
        out_[start_ + i] = static_cast<char>(static_cast<unsigned char>((length >> (24 - 8 * i)) & 0xff));
}

PacketWriter& PacketWriter::u32(std::uint32_t value) {
    append_big_endian(out_, value);
    return *this;
}

PacketWriter& PacketWriter::u64(std::uint64_t value) {
    append_big_endian(out_, value);
    return *this;
}

PacketWriter& PacketWriter::string(std::string_view value) {
    append_big_endian(out_, static_cast<std::uint32_t>(value.size()));
    out_ += value;
    return *this;
}

PacketWriter& PacketWriter::attributes(std::uint32_t mode, std::uint64_t size) {
    return u32(k_attr_size | k_attr_permissions).u64(size).u32(mode);
}

} // namespace gate::drop::sftp
