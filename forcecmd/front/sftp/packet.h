// SFTP version 3 packets (draft-ietf-secsh-filexfer-02): numbers, strings, attributes. Lengths are checked by
// subtraction before anything is used; strings are views into the packet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gate::drop::sftp {

enum class Type : std::uint8_t {
    init = 1,
    version = 2,
    open = 3,
    close = 4,
    read = 5,
    write = 6,
    lstat = 7,
    fstat = 8,
    setstat = 9,
    fsetstat = 10,
    opendir = 11,
    readdir = 12,
    remove = 13,
    mkdir = 14,
    rmdir = 15,
    realpath = 16,
    stat = 17,
    rename = 18,
    readlink = 19,
    symlink = 20,
    status = 101,
    handle = 102,
    name = 104,
    attrs = 105,
    extended = 200,
    extended_reply = 201,
};

enum class Status : std::uint32_t {
    ok = 0,
    eof = 1,
    no_such_file = 2,
    permission_denied = 3,
    failure = 4,
    bad_message = 5,
    op_unsupported = 8,
};

inline constexpr std::uint32_t k_protocol_version = 3;
inline constexpr std::uint32_t k_open_write = 0x02;     // pflags: SSH_FXF_WRITE
inline constexpr std::uint32_t k_open_truncate = 0x10;  // SSH_FXF_TRUNC
inline constexpr std::uint32_t k_open_exclusive = 0x20; // SSH_FXF_EXCL

// What is used of ATTRS.
struct Attributes {
    std::optional<std::uint64_t> size;
};

class PacketReader {
  public:
    explicit PacketReader(std::string_view bytes) : rest_(bytes) {}
    [[nodiscard]] std::optional<std::uint8_t> u8();
    [[nodiscard]] std::optional<std::uint32_t> u32();
    [[nodiscard]] std::optional<std::uint64_t> u64();
    [[nodiscard]] std::optional<std::string_view> string();
    [[nodiscard]] std::optional<Attributes> attributes();

  private:
    std::string_view rest_;
};

// Appends one packet to a buffer; its length is filled in when the object goes.
class PacketWriter {
  public:
    PacketWriter(std::string& out, Type type);
    ~PacketWriter();
    PacketWriter(const PacketWriter&) = delete;
    PacketWriter& operator=(const PacketWriter&) = delete;

    PacketWriter& u32(std::uint32_t value);
    PacketWriter& u64(std::uint64_t value);
    PacketWriter& string(std::string_view value);
    // ATTRS with size and permissions (type bits included), which is what clients decide by.
    PacketWriter& attributes(std::uint32_t mode, std::uint64_t size);

  private:
    std::string& out_;
    std::size_t start_;
};

} // namespace gate::drop::sftp
