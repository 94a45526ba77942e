// The SFTP sink: protocol version 3 (draft-ietf-secsh-filexfer-02) with the extensions of OpenSSH's PROTOCOL
// file that its clients use. What may be asked is a table in server.cpp; the handlers are in requests.cpp
// (files) and tree.cpp (names and attributes).
//
// Clients that list, stat and confirm are answered from a session-local virtual tree: an empty data_in, and
// the files that this session itself has sent. Nothing depends on the disk.
#pragma once

#include "forcecmd/front/dropbox.h"
#include "forcecmd/front/sftp/packet.h"
#include "forcecmd/wire.h"
#include "lib/spool/paths.h"

#include <array>
#include <map>
#include <set>
#include <string>

namespace gate::drop::sftp {

using spool::VirtualTree;

// As OpenSSH's SFTP_MAX_MSG_LENGTH: what its clients may send, and all that is ever kept of a packet.
inline constexpr std::uint32_t k_max_packet = 256 * 1024;
// Room for the fields before the data of a WRITE.
inline constexpr std::uint32_t k_max_write = k_max_packet - 1024;
// Directories that a session may make where they are flattened: more than a tree of packets has.
inline constexpr std::size_t k_max_made_directories = 64;
// Open directories at a time: clients use one.
inline constexpr std::uint32_t k_max_open_directories = 8;

class Server final : public Machine {
  public:
    Server(Dropbox& dropbox, const VirtualTree& tree) : dropbox_(dropbox), tree_(tree) {}

    void start(std::string&) override {}
    void feed(std::string_view bytes, std::string& out) override;
    void end_of_input(std::string& out) override;
    void interrupt(spool::Reason why, std::string& out) override;
    [[nodiscard]] bool waiting() const override { return closing_.has_value(); }
    void settle(std::string& out) override;
    [[nodiscard]] bool finished() const override { return finished_; }
    [[nodiscard]] int exit_status() const override { return status_; }

  private:
    // A file of this session that is not published: open, or closed under a temporary name and waiting for
    // its own.
    struct Upload {
        enum class State : std::uint8_t { none, open, waiting };
        State state = State::none;
        bool temporary = false;
        std::string name;                           // as the client knows it now
        std::uint64_t promised = 0;                 // FSETSTAT said that the file will be this long
        spool::Reason reason = spool::Reason::none; // an error that stays
    };
    // What a client's handle names.
    struct Handle {
        Upload* upload = nullptr; // nullptr: a directory
        std::uint32_t index = 0;
    };
    struct Call {
        std::uint32_t id;
        PacketReader in;
        std::string& out;
        bool more; // the client has sent another request behind this one
    };
    // A CLOSE that is not answered yet; what the client is told after it waits in `held`.
    struct Closing {
        std::uint32_t id;
        std::string name;
        std::uint64_t size;
        std::string held{};
    };
    using Handler = void (Server::*)(Call&);
    struct Entry {
        Type type;
        Handler handler;
    };
    static const std::array<Entry, 18> k_requests;

    void take_packet(std::string_view packet, bool more, std::string& out);
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
    void on_mkdir(Call& call);
    void on_rmdir(Call& call);
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
    // OK for Reason::none.
    void reply_outcome(Call& call, spool::Reason outcome);
    // reply_reason, and the audit hears of it.
    void refuse(Call& call, spool::Reason why, std::string_view what);
    void reply_bad_message(Call& call) { reply_status(call, Status::bad_message, "malformed request"); }
    void reply_no_such_file(Call& call) { reply_status(call, Status::no_such_file, "No such file"); }
    void refuse_foreign(Call& call, std::string_view path, const VirtualTree::Location& at);
    void deny_existence(Call& call, std::string_view path, const VirtualTree::Location& at);
    void reply_handle(Call& call, std::uint32_t index);
    void reply_file_attributes(Call& call, std::uint64_t size);
    void reply_directory_attributes(Call& call);

    // The handle that the next field names; nullopt after having answered.
    [[nodiscard]] std::optional<Handle> take_handle(Call& call);
    // The same, for requests about files only.
    [[nodiscard]] Upload* take_upload(Call& call);
    [[nodiscard]] Upload* find_upload(std::string_view name);
    [[nodiscard]] FileId id_of(const Upload& upload) const {
        return static_cast<FileId>(&upload - uploads_.data());
    }
    [[nodiscard]] Upload* find_waiting(std::string_view name);
    // Goes on with a file that waits under a temporary name.
    void reopen(Call& call, Upload& upload, std::uint32_t flags);
    // At most one file waits under a name: the latest.
    void wait_for_name(Upload& upload);
    [[nodiscard]] spool::Reason publish(Upload& upload);
    // As publish(), for a client that has sent more: the answer comes with settle().
    void publish_ahead(Call& call, Upload& upload);
    [[nodiscard]] bool is_directory(const VirtualTree::Location& at) const;
    // The size of a file that this session sent or is sending, by name.
    [[nodiscard]] std::optional<std::uint64_t> own_size(std::string_view name) const;

    Dropbox& dropbox_;
    const VirtualTree& tree_;
    std::optional<Closing> closing_;
    std::string buffer_; // a packet that has not arrived whole
    bool initialised_ = false;
    bool finished_ = false;
    int status_ = 0;
    std::array<Upload, k_max_open_files> uploads_; // by FileId
    std::array<bool, k_max_open_directories> directories_{};
    std::map<std::string, std::uint64_t, std::less<>> sent_;
    std::set<std::string, std::less<>>
        made_; // paths of directories that clients made, and that are none here
};

} // namespace gate::drop::sftp
