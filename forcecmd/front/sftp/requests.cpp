// What each SFTP request does to the virtual tree and the Dropbox.
#include "forcecmd/front/sftp/server.h"

#include "lib/spool/name.h"

#include <algorithm>

namespace gate::drop::sftp {

using spool::Reason;
using Place = VirtualTree::Place;

namespace {
constexpr std::uint32_t k_directory_mode = 0040700;
constexpr std::uint32_t k_file_mode = 0100600;
} // namespace

std::optional<std::uint64_t> Server::own_size(const std::string& name) const {
    const auto open = std::ranges::find_if(handles_, [&](const Handle& h) {
        return h.kind == Handle::Kind::file && h.name == name && h.reason == Reason::none;
    });
    if (open != handles_.end())
        return dropbox_.size(open->file);
    const auto sent = sent_.find(name);
    return sent == sent_.end() ? std::nullopt : std::optional(sent->second);
}

void Server::reply_file_attributes(Call& call, std::uint64_t size) {
    PacketWriter(call.out, Type::attrs).u32(call.id).attributes(k_file_mode, size);
}

void Server::on_open(Call& call) {
    const auto path = call.in.string();
    const auto flags = call.in.u32();
    if (!path || !flags || !call.in.attributes()) {
        reply_bad_message(call);
        return;
    }
    if ((*flags & k_open_write) == 0) {
        refuse(call, Reason::read, *path);
        return;
    }
    const auto at = tree_.locate(*path);
    if (at.place != Place::file) {
        refuse(call, Reason::name_path, *path);
        return;
    }
    Handle* handle = free_handle();
    if (handle == nullptr) {
        refuse(call, Reason::open_files, *path);
        return;
    }
    FileId file = 0;
    if (const Reason reason = dropbox_.begin(at.name, std::nullopt, file); reason != Reason::none) {
        reply_reason(call, reason); // begin() has told the audit
        return;
    }
    handle->kind = Handle::Kind::file;
    handle->file = file;
    handle->name = at.name;
    handle->promised = 0;
    handle->reason = Reason::none;
    reply_handle(call, *handle);
}

void Server::on_write(Call& call) {
    Handle* handle = take_handle(call);
    if (handle == nullptr)
        return;
    const auto offset = call.in.u64();
    const auto bytes = call.in.string();
    if (!offset || !bytes) {
        reply_bad_message(call);
        return;
    }
    if (handle->kind != Handle::Kind::file) {
        reply_status(call, Status::failure, "not a file");
        return;
    }
    if (handle->reason == Reason::none)
        handle->reason = dropbox_.write(handle->file, *offset, *bytes);
    if (handle->reason == Reason::none)
        reply_ok(call);
    else
        reply_reason(call, handle->reason);
}

void Server::on_close(Call& call) {
    Handle* handle = take_handle(call);
    if (handle == nullptr)
        return;
    Handle closed = std::move(*handle);
    *handle = Handle{};
    if (closed.kind == Handle::Kind::file) {
        const std::uint64_t size = dropbox_.size(closed.file);
        if (closed.reason == Reason::none && size < closed.promised)
            closed.reason = Reason::incomplete;
        if (closed.reason != Reason::none) {
            dropbox_.abort(closed.file, closed.reason);
        } else {
            closed.reason = dropbox_.commit(closed.file);
            if (closed.reason == Reason::none)
                sent_.insert_or_assign(std::move(closed.name), size);
        }
    }
    if (closed.reason == Reason::none)
        reply_ok(call);
    else
        reply_reason(call, closed.reason);
}

void Server::on_read(Call& call) {
    if (Handle* handle = take_handle(call); handle != nullptr)
        refuse(call, Reason::read, handle->name);
}

void Server::on_stat(Call& call) {
    const auto path = call.in.string();
    if (!path) {
        reply_bad_message(call);
        return;
    }
    const auto at = tree_.locate(*path);
    if (at.place == Place::home || at.place == Place::directory) {
        PacketWriter(call.out, Type::attrs).u32(call.id).attributes(k_directory_mode, 0);
        return;
    }
    const auto size = at.place == Place::file ? own_size(at.name) : std::nullopt;
    if (size)
        reply_file_attributes(call, *size);
    else
        deny_existence(call, *path, at);
}

// Every client asks for the name that it is about to send; none asks for what can be no packet's name, or
// lies outside data_in. The client hears in both cases that nothing is there, the audit of the second.
void Server::deny_existence(Call& call, std::string_view path, const VirtualTree::Location& at) {
    spool::FileName name;
    const Reason why = at.place == Place::file ? spool::parse_file_name(at.name, name) : Reason::name_path;
    if (why != Reason::none)
        dropbox_.refused(why, path);
    reply_no_such_file(call);
}

void Server::on_fstat(Call& call) {
    const Handle* handle = take_handle(call);
    if (handle == nullptr)
        return;
    if (handle->kind == Handle::Kind::directory)
        PacketWriter(call.out, Type::attrs).u32(call.id).attributes(k_directory_mode, 0);
    else if (handle->reason != Reason::none)
        reply_reason(call, handle->reason);
    else
        reply_file_attributes(call, dropbox_.size(handle->file));
}

// Modes and times of clients are ignored; a refusal would make many of them give up.
void Server::on_setstat(Call& call) {
    const auto path = call.in.string();
    if (!path || !call.in.attributes()) {
        reply_bad_message(call);
        return;
    }
    const auto at = tree_.locate(*path);
    const bool own = at.place == Place::home || at.place == Place::directory ||
                     (at.place == Place::file && own_size(at.name).has_value());
    if (own)
        reply_ok(call);
    else
        reply_no_such_file(call);
}

void Server::on_fsetstat(Call& call) {
    Handle* handle = take_handle(call);
    if (handle == nullptr)
        return;
    const auto attributes = call.in.attributes();
    if (!attributes) {
        reply_bad_message(call);
        return;
    }
    if (handle->kind == Handle::Kind::file && handle->reason == Reason::none && attributes->size) {
        // Larger: a promise that CLOSE checks. Smaller: what is behind it is not wanted.
        if (*attributes->size < dropbox_.size(handle->file))
            handle->reason = dropbox_.truncate(handle->file, *attributes->size);
        handle->promised = *attributes->size;
    }
    if (handle->reason == Reason::none)
        reply_ok(call);
    else
        reply_reason(call, handle->reason);
}

void Server::on_opendir(Call& call) {
    const auto path = call.in.string();
    if (!path) {
        reply_bad_message(call);
        return;
    }
    const auto at = tree_.locate(*path);
    if (at.place != Place::home && at.place != Place::directory) {
        deny_existence(call, *path, at);
        return;
    }
    Handle* handle = free_handle();
    if (handle == nullptr) {
        refuse(call, Reason::open_files, *path);
        return;
    }
    handle->kind = Handle::Kind::directory;
    handle->name = at.path;
    reply_handle(call, *handle);
}

void Server::on_readdir(Call& call) {
    if (take_handle(call) != nullptr) // every directory is empty
        reply_status(call, Status::eof, "End of file");
}

void Server::on_remove(Call& call) {
    if (const auto path = call.in.string())
        refuse(call, Reason::foreign_file, *path);
    else
        reply_bad_message(call);
}

void Server::on_directory_change(Call& call) {
    if (const auto path = call.in.string())
        refuse(call, Reason::directory, *path);
    else
        reply_bad_message(call);
}

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

void Server::on_rename(Call& call) {
    if (const auto path = call.in.string())
        refuse(call, Reason::foreign_file, *path);
    else
        reply_bad_message(call);
}

void Server::on_readlink(Call& call) {
    if (const auto path = call.in.string())
        refuse(call, Reason::read, *path);
    else
        reply_bad_message(call);
}

void Server::on_symlink(Call& call) {
    if (const auto path = call.in.string())
        refuse(call, Reason::foreign_file, *path);
    else
        reply_bad_message(call);
}

void Server::on_extended(Call& call) {
    struct Extension {
        std::string_view name;
        Handler handler;
    };
    static constexpr std::array k_extensions = {
        Extension{"limits@openssh.com", &Server::on_limits},
        Extension{"fsync@openssh.com", &Server::on_fsync},
        Extension{"expand-path@openssh.com", &Server::on_realpath},
    };
    const auto name = call.in.string();
    if (!name) {
        reply_bad_message(call);
        return;
    }
    const auto found = std::ranges::find(k_extensions, *name, &Extension::name);
    if (found == k_extensions.end())
        refuse(call, Reason::unsupported, *name);
    else
        (this->*found->handler)(call);
}

void Server::on_limits(Call& call) {
    PacketWriter(call.out, Type::extended_reply)
        .u32(call.id)
        .u64(k_max_packet)
        .u64(k_max_write) // reading, which is refused at any length
        .u64(k_max_write)
        .u64(k_max_open_files);
}

// CLOSE answers only after the file was synced as the policy says: there is nothing to do before.
void Server::on_fsync(Call& call) {
    const Handle* handle = take_handle(call);
    if (handle == nullptr)
        return;
    if (handle->reason == Reason::none)
        reply_ok(call);
    else
        reply_reason(call, handle->reason);
}

} // namespace gate::drop::sftp
