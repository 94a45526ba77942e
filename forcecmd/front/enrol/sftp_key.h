// A key by SFTP, as `ssh-copy-id -s` sends it: protocol version 3 (draft-ietf-secsh-filexfer-02), without
// extensions. What may be asked is a table in sftp_key.cpp.
//
// The client sees a home directory that holds .ssh and nothing else; in it authorized_keys can be written
// once. It is handed over at CLOSE, which says what became of it. Nothing can be read, and nothing depends on
// the disk.
#pragma once

#include "forcecmd/front/dropbox.h"
#include "forcecmd/front/enrol/desk.h"
#include "forcecmd/front/sftp/packet.h"

#include <array>
#include <optional>
#include <string>

namespace gate::drop::enrol {

// Larger than any request that is answered: OpenSSH's client writes 32 kB at a time.
inline constexpr std::uint32_t k_max_sftp_packet = 256 * 1024;
// Open directories at a time: clients use one.
inline constexpr std::uint32_t k_max_sftp_directories = 4;

class SftpKey final : public Machine {
  public:
    explicit SftpKey(Desk& desk) : desk_(desk) {}

    void start(std::string&) override {}
    void feed(std::string_view bytes, std::string& out) override;
    void end_of_input(std::string& out) override;
    void interrupt(spool::Reason why, std::string& out) override;
    [[nodiscard]] bool finished() const override { return finished_; }
    [[nodiscard]] int exit_status() const override { return status_; }

  private:
    enum class File : std::uint8_t { none, open, taken };
    // What a path means in the tree that the client sees.
    enum class Place : std::uint8_t { directory, key_file, outside };
    struct Call {
        std::uint32_t id;
        sftp::PacketReader in;
        std::string& out;
    };
    using Handler = void (SftpKey::*)(Call&);
    struct Entry {
        sftp::Type type;
        Handler handler;
    };
    static const std::array<Entry, 13> k_requests;

    void take_packet(std::string_view packet, std::string& out);
    void break_off(std::string_view what);

    void on_realpath(Call& call);
    void on_stat(Call& call);
    void on_fstat(Call& call);
    void on_setstat(Call& call);
    void on_fsetstat(Call& call);
    void on_mkdir(Call& call);
    void on_opendir(Call& call);
    void on_readdir(Call& call);
    void on_open(Call& call);
    void on_write(Call& call);
    void on_read(Call& call);
    void on_close(Call& call);

    [[nodiscard]] static std::string canonical(std::string_view path);
    [[nodiscard]] static Place place_of(std::string_view path);
    // The path that the next field holds; nullopt after having answered.
    [[nodiscard]] std::optional<std::string_view> take_path(Call& call);
    // The handle that the next field holds: 0 = the file, others are directories; nullopt after having
    // answered.
    [[nodiscard]] std::optional<std::uint32_t> take_handle(Call& call);
    [[nodiscard]] bool take_file(Call& call);

    void reply_status(Call& call, sftp::Status status, std::string_view text);
    void reply_ok(Call& call) { reply_status(call, sftp::Status::ok, "Success"); }
    void reply_bad_message(Call& call) { reply_status(call, sftp::Status::bad_message, "malformed request"); }
    void reply_no_such_file(Call& call) { reply_status(call, sftp::Status::no_such_file, "No such file"); }
    void reply_handle(Call& call, std::uint32_t index);
    void reply_attributes(Call& call, Place place);
    // The client and the audit are told.
    void refuse(Call& call, spool::Reason why, std::string_view what);

    Desk& desk_;
    std::string buffer_; // a packet that has not arrived whole
    std::string text_;   // of the file
    File file_ = File::none;
    spool::Reason reason_ = spool::Reason::none; // an error of the file that stays
    std::array<bool, k_max_sftp_directories> directories_{};
    bool initialised_ = false;
    bool finished_ = false;
    int status_ = 0;
};

} // namespace gate::drop::enrol
