// Requests about names and attributes: answered from the virtual tree, which holds an empty data_in, the
// directories above it, and what this session itself has sent.
#include "forcecmd/front/sftp/server.h"

#include "forcecmd/front/sftp/temporary.h"
#include "lib/spool/name.h"

#include <algorithm>

namespace gate::drop::sftp {

using spool::Reason;
using Place = VirtualTree::Place;

namespace {
constexpr std::uint32_t k_directory_mode = 0040700;
constexpr std::uint32_t k_file_mode = 0100600;
} // namespace

bool Server::is_directory(const VirtualTree::Location& at) const {
    return at.place == Place::home || at.place == Place::directory || made_.contains(at.path);
}

std::optional<std::uint64_t> Server::own_size(std::string_view name) const {
    const auto upload = std::ranges::find_if(uploads_, [&](const Upload& u) {
        return u.state != Upload::State::none && u.name == name && u.reason == Reason::none;
    });
    if (upload != uploads_.end())
        return dropbox_.size(id_of(*upload));
    const auto sent = sent_.find(name);
    return sent == sent_.end() ? std::nullopt : std::optional(sent->second);
}

void Server::reply_file_attributes(Call& call, std::uint64_t size) {
    PacketWriter(call.out, Type::attrs).u32(call.id).attributes(k_file_mode, size);
}

void Server::reply_directory_attributes(Call& call) {
    PacketWriter(call.out, Type::attrs).u32(call.id).attributes(k_directory_mode, 0);
}

void Server::on_stat(Call& call) {
    const auto path = call.in.string();
    if (!path) {
        reply_bad_message(call);
        return;
    }
    const auto at = tree_.locate(*path);
    const auto size = at.place == Place::file ? own_size(at.name) : std::nullopt;
    if (is_directory(at))
        reply_directory_attributes(call);
    else if (size)
        reply_file_attributes(call, *size);
    else
        deny_existence(call, *path, at);
}

// Every client asks for the name that it is about to send; none asks for what can be no packet's name, or
// lies outside data_in. The client hears in both cases that nothing is there, the audit of the second.
void Server::deny_existence(Call& call, std::string_view path, const VirtualTree::Location& at) {
    spool::FileName name;
    Reason why = Reason::name_path;
    if (at.place == Place::file)
        why = spool::parse_file_name(final_name(at.name).value_or(at.name), name);
    if (why != Reason::none)
        dropbox_.refused(why, path);
    reply_no_such_file(call);
}

void Server::on_fstat(Call& call) {
    const auto handle = take_handle(call);
    if (!handle)
        return;
    if (handle->upload == nullptr)
        reply_directory_attributes(call);
    else if (handle->upload->reason != Reason::none)
        reply_reason(call, handle->upload->reason);
    else
        reply_file_attributes(call, dropbox_.size(id_of(*handle->upload)));
}

// Modes and times of clients are ignored; a refusal would make many of them give up.
void Server::on_setstat(Call& call) {
    const auto path = call.in.string();
    if (!path || !call.in.attributes()) {
        reply_bad_message(call);
        return;
    }
    const auto at = tree_.locate(*path);
    if (is_directory(at) || (at.place == Place::file && own_size(at.name))) {
        reply_ok(call);
        return;
    }
    // No client sets the attributes of what it has not sent: the audit hears of one that does.
    dropbox_.refused(Reason::foreign_file, *path);
    reply_no_such_file(call);
}

void Server::on_fsetstat(Call& call) {
    const auto handle = take_handle(call);
    if (!handle)
        return;
    const auto attributes = call.in.attributes();
    if (!attributes) {
        reply_bad_message(call);
        return;
    }
    if (handle->upload == nullptr) {
        reply_ok(call);
        return;
    }
    Upload& upload = *handle->upload;
    if (upload.reason == Reason::none && attributes->size) {
        // Larger: a promise that CLOSE checks. Smaller: what is behind it is not wanted.
        if (*attributes->size > dropbox_.max_size())
            upload.reason = Reason::size_file;
        else if (*attributes->size < dropbox_.size(id_of(upload)))
            upload.reason = dropbox_.truncate(id_of(upload), *attributes->size);
        upload.promised = *attributes->size;
    }
    reply_outcome(call, upload.reason);
}

void Server::on_opendir(Call& call) {
    const auto path = call.in.string();
    if (!path) {
        reply_bad_message(call);
        return;
    }
    const auto at = tree_.locate(*path);
    if (!is_directory(at)) {
        deny_existence(call, *path, at);
        return;
    }
    const auto slot = std::ranges::find(directories_, false);
    if (slot == directories_.end()) {
        refuse(call, Reason::open_files, *path);
        return;
    }
    *slot = true;
    reply_handle(call, static_cast<std::uint32_t>(uploads_.size() +
                                                  static_cast<std::size_t>(slot - directories_.begin())));
}

void Server::on_readdir(Call& call) {
    if (take_handle(call)) // every directory is empty
        reply_status(call, Status::eof, "End of file");
}

void Server::on_mkdir(Call& call) {
    const auto path = call.in.string();
    if (!path) {
        reply_bad_message(call);
        return;
    }
    const auto at = tree_.locate(*path);
    if (!tree_.flattens() || at.place != Place::file || made_.size() >= k_max_made_directories) {
        refuse(call, Reason::directory, *path);
        return;
    }
    made_.insert(at.path);
    reply_ok(call);
}

void Server::on_rmdir(Call& call) {
    if (const auto path = call.in.string())
        refuse(call, Reason::directory, *path);
    else
        reply_bad_message(call);
}

// REALPATH and expand-path@openssh.com.
void Server::on_realpath(Call& call) {
    const auto path = call.in.string();
    if (!path) {
        reply_bad_message(call);
        return;
    }
    const auto at = tree_.locate(*path);
    constexpr std::uint32_t k_one = 1;
    constexpr std::uint32_t k_no_attributes = 0;
    PacketWriter(call.out, Type::name)
        .u32(call.id)
        .u32(k_one)
        .string(at.path)
        .string(at.path)
        .u32(k_no_attributes);
}

} // namespace gate::drop::sftp
