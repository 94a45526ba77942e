// A fuzzer's bytes as a plausible SFTP session: each few bytes become one request with a number, for paths
// and handles that a client could have.
#pragma once

#include "forcecmd/front/sftp/packet.h"
#include "tests/fuzz/require.h"

#include <array>

namespace gate::fuzz {

using drop::sftp::Type;

[[nodiscard]] inline std::string big_endian(std::uint64_t value, std::size_t size) {
    std::string out;
    while (size-- > 0)
        out += static_cast<char>(static_cast<unsigned char>(value >> (8 * size) & 0xff));
    return out;
}

[[nodiscard]] inline std::string ssh_string(std::string_view text) {
    return big_endian(text.size(), 4) + std::string(text);
}

[[nodiscard]] inline std::string ssh_packet(std::uint8_t type, std::string_view body) {
    return big_endian(body.size() + 1, 4) + static_cast<char>(type) + std::string(body);
}

class SftpScript {
  public:
    explicit SftpScript(std::string_view input) : in_(input) {}

    [[nodiscard]] std::string bytes() {
        std::string out = ssh_packet(1, big_endian(3, 4));
        while (!in_.done())
            out += request();
        return out;
    }

  private:
    [[nodiscard]] std::string path() {
        static constexpr std::array<std::string_view, 24> k_paths = {"a_1.data",
                                                                     "/var/spool/data_in/a_1.data",
                                                                     "b.2.data",
                                                                     "W_3.data",
                                                                     "C_4.data",
                                                                     "B_5.data",
                                                                     "a_1.data.filepart",
                                                                     ".in.a_1.data",
                                                                     "a_1.data(12).tmp",
                                                                     ".W_3.data.Ab12Cd",
                                                                     "C_4.data.part",
                                                                     "a_1.checksum",
                                                                     "",
                                                                     ".",
                                                                     "..",
                                                                     "/",
                                                                     "~",
                                                                     "/var",
                                                                     "/var/spool/data_in",
                                                                     "/etc/passwd",
                                                                     "x.conf",
                                                                     "x/y_1.data",
                                                                     "a_1.data/",
                                                                     "no name"};
        const std::uint8_t which = in_.byte();
        return std::string(which < 0xc0 ? k_paths[which % k_paths.size()] : in_.text());
    }

    [[nodiscard]] std::string handle() {
        const std::uint8_t which = in_.byte();
        return ssh_string(which < 0xf0 ? big_endian(which % 20, 4) : std::string(in_.text()));
    }

    [[nodiscard]] std::uint64_t number() {
        static constexpr std::array<std::uint64_t, 8> k_numbers = {0,    1,    5,          4095,
                                                                   4096, 4097, UINT64_MAX, UINT64_MAX - 4};
        const std::uint8_t which = in_.byte();
        return which < 0x40 ? which : which < 0x80 ? k_numbers[which % 8] : in_.u16();
    }

    [[nodiscard]] std::string attributes() {
        const std::uint8_t which = in_.byte();
        if (which < 0x80)
            return big_endian(0, 4);
        if (which < 0xc0)
            return big_endian(1, 4) + big_endian(number(), 8);
        if (which < 0xe0)
            return big_endian(0x0c, 4) + big_endian(0100644, 4) + big_endian(0, 8);
        return big_endian(0x80000000 | which % 16, 4) + std::string(in_.text());
    }

    [[nodiscard]] std::string data() {
        const std::uint8_t size = in_.byte();
        if (size < 0x80)
            return ssh_string(in_.bytes(size % 16));
        return ssh_string(std::string((size & 0x7fU) * 40, 'x')); // up to what does not fit
    }

    [[nodiscard]] std::string extended() {
        static constexpr std::array<std::string_view, 8> k_names = {"limits@openssh.com",
                                                                    "fsync@openssh.com",
                                                                    "expand-path@openssh.com",
                                                                    "posix-rename@openssh.com",
                                                                    "copy-data",
                                                                    "statvfs@openssh.com",
                                                                    "hardlink@openssh.com",
                                                                    ""};
        const std::string_view name = k_names[in_.below(k_names.size())];
        std::string rest;
        if (name.starts_with("fsync"))
            rest = handle();
        else if (name.starts_with("posix") || name.starts_with("hard"))
            rest = ssh_string(path()) + ssh_string(path());
        else if (name.starts_with("expand"))
            rest = ssh_string(path());
        return ssh_string(name) + rest;
    }

    [[nodiscard]] std::string request() {
        // Numbers of the requests are the client's choice; answers only have to repeat them.
        const std::string id = big_endian(next_id_ += 7, 4);
        const auto make = [&id](Type type, const std::string& body) {
            return ssh_packet(static_cast<std::uint8_t>(type), id + body);
        };
        switch (in_.below(26)) {
        case 0:
        case 1: {
            static constexpr std::array<std::uint32_t, 4> k_flags = {0x1a, 0x0a, 0x3a, 0x01};
            const std::string name = ssh_string(path());
            return make(Type::open, name + big_endian(k_flags[in_.below(4)], 4) + attributes());
        }
        case 2:
        case 3:
        case 4: {
            const std::string file = handle();
            const std::string offset = big_endian(number(), 8);
            return make(Type::write, file + offset + data());
        }
        case 5:
        case 6:
            return make(Type::close, handle());
        case 7:
        case 8: {
            const std::string from = ssh_string(path());
            return make(Type::rename, from + ssh_string(path()));
        }
        case 9:
            return make(Type::remove, ssh_string(path()));
        case 10:
            return make(Type::stat, ssh_string(path()));
        case 11:
            return make(Type::lstat, ssh_string(path()));
        case 12:
            return make(Type::fstat, handle());
        case 13: {
            const std::string name = ssh_string(path());
            return make(Type::setstat, name + attributes());
        }
        case 14: {
            const std::string file = handle();
            return make(Type::fsetstat, file + attributes());
        }
        case 15:
            return make(Type::opendir, ssh_string(path()));
        case 16:
            return make(Type::readdir, handle());
        case 17:
            return make(Type::realpath, ssh_string(path()));
        case 18:
            return make(in_.below(2) == 0 ? Type::mkdir : Type::rmdir, ssh_string(path()) + big_endian(0, 4));
        case 19:
            return make(Type::read, handle() + big_endian(0, 8) + big_endian(100, 4));
        case 20:
            return make(Type::readlink, ssh_string(path()));
        case 21:
            return make(Type::symlink, ssh_string(path()) + ssh_string(path()));
        case 22:
        case 23:
            return make(Type::extended, extended());
        case 24: { // any type, any body: cut short, too long, unknown
            const std::uint8_t type = in_.byte();
            return ssh_packet(type, id + std::string(in_.text()));
        }
        default: // no packet at all
            return std::string(in_.text());
        }
    }

    Decisions in_;
    std::uint32_t next_id_ = 0;
};

} // namespace gate::fuzz
