// The SFTP sink: protocol version 3 (draft-ietf-secsh-filexfer-02) with the extensions of OpenSSH's PROTOCOL
// file that its clients use. What may be asked is a table in server.cpp; the handlers are in requests.cpp.
//
// Clients that list, stat and confirm are answered from a session-local virtual tree: an empty data_in, and
// the files that this session itself has sent. Nothing depends on the disk.
#pragma once

#include "forcecmd/front/dropbox.h"
#include "forcecmd/front/paths.h"
#include "forcecmd/front/sftp/packet.h"
#include "forcecmd/wire.h"

#include <array>
#include <map>
#include <string>

namespace gate::drop::sftp {

// As OpenSSH's SFTP_MAX_MSG_LENGTH: what its clients may send, and all that is ever kept of a packet.
inline constexpr std::uint32_t k_max_packet = 256 * 1024;
// Room for the fields before the data of a WRITE.
inline constexpr std::uint32_t k_max_write = k_max_packet - 1024;
// Open directories beside k_max_open_files files.
inline constexpr std::uint32_t k_max_handles = 2 * k_max_open_files;

class Server final : public Machine {
  public:
    Server(Dropbox& dropbox, const VirtualTree& tree) : dropbox_(dropbox), tree_(tree) {}

    void start(std::string&) override {}
    void feed(std::string_view bytes, std::string& out) override;
    void end_of_input(std::string& out) override;
    void interrupt(spool::Reason why, std::string& out) override;
    [[nodiscard]] bool finished() const override { return finished_; }
    [[nodiscard]] int exit_status() const override { return status_; }

  private:
    struct Handle {
        enum class Kind : std::uint8_t { free, file, directory };
        Kind kind = Kind::free;
        FileId file = 0;
        std::string name;
        std::uint64_t promised = 0;                 // FSETSTAT said that the file will be this long
        spool::Reason reason = spool::Reason::none; // an error that stays
    };
    struct Call {
        std::uint32_t id;
        PacketReader in;
        std::string& out;
    };
    using Handler = void (Server::*)(Call&);
    struct Entry {
        Type type;
        Handler handler;
    };
    static const std::array<Entry, 18> k_requests;

    void take_packet(std::string_view packet, std::string& out);
    void take_init(PacketReader in, std::string& out);
    void drop_files(spool::Reason why);

    void on_open(Call& call);
    void on_close(Call& call);
    void on_read(Call& call);
    void on_write(Call& call);
    void on_stat(Call& call);
    void on_fstat(Call& call);
    void on_setstat(Call& call);
    void on_fsetstat(Call& call);
    void on_opendir(Call& call);
    void on_readdir(Call& call);
    void on_remove(Call& call);
    void on_directory_change(Call& call);
    void on_realpath(Call& call);
    void on_rename(Call& call);
    void on_readlink(Call& call);
    void on_symlink(Call& call);
    void on_extended(Call& call);
    void on_limits(Call& call);
    void on_fsync(Call& call);

    void reply_status(Call& call, Status status, std::string_view text);
    void reply_ok(Call& call) { reply_status(call, Status::ok, "Success"); }
    void reply_reason(Call& call, spool::Reason why);
    // reply_reason, and the audit hears of it.
    void refuse(Call& call, spool::Reason why, std::string_view what);
    void reply_bad_message(Call& call) { reply_status(call, Status::bad_message, "malformed request"); }
    void reply_no_such_file(Call& call) { reply_status(call, Status::no_such_file, "No such file"); }
    void deny_existence(Call& call, std::string_view path, const VirtualTree::Location& at);
    void reply_handle(Call& call, const Handle& handle);
    void reply_file_attributes(Call& call, std::uint64_t size);

    // The handle that the next field names; nullptr after having answered.
    [[nodiscard]] Handle* take_handle(Call& call);
    [[nodiscard]] Handle* free_handle();
    // The size of a file that this session sent or is sending, by name.
    [[nodiscard]] std::optional<std::uint64_t> own_size(const std::string& name) const;

    Dropbox& dropbox_;
    const VirtualTree& tree_;
    std::string buffer_; // a packet that has not arrived whole
    bool initialised_ = false;
    bool finished_ = false;
    int status_ = 0;
    std::array<Handle, k_max_handles> handles_;
    std::map<std::string, std::uint64_t, std::less<>> sent_;
};

} // namespace gate::drop::sftp
