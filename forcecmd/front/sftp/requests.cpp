// Requests about files: each handler turns one into calls of the Dropbox.
#include "forcecmd/front/sftp/server.h"

#include "forcecmd/front/sftp/temporary.h"

#include <algorithm>

namespace gate::drop::sftp {

using spool::Reason;
using Place = VirtualTree::Place;

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
    if (Upload* waiting = find_waiting(at.name); waiting != nullptr) {
        reopen(call, *waiting, *flags);
        return;
    }
    const auto final = final_name(at.name);
    FileId file = 0;
    const Reason reason = dropbox_.begin(final.value_or(at.name), std::nullopt, file);
    if (reason != Reason::none) {
        reply_reason(call, reason); // begin() has told the audit
        return;
    }
    uploads_[file] = Upload{.state = Upload::State::open, .temporary = final.has_value(), .name = at.name};
    reply_handle(call, file);
}

void Server::reopen(Call& call, Upload& upload, std::uint32_t flags) {
    if ((flags & k_open_exclusive) != 0) {
        reply_status(call, Status::failure, "this session has sent a file of that name");
        return;
    }
    if ((flags & k_open_truncate) != 0) {
        if (const Reason reason = dropbox_.truncate(id_of(upload), 0); reason != Reason::none) {
            reply_reason(call, reason);
            return;
        }
        upload.promised = 0;
    }
    upload.state = Upload::State::open;
    reply_handle(call, id_of(upload));
}

void Server::on_write(Call& call) {
    Upload* upload = take_upload(call);
    if (upload == nullptr)
        return;
    const auto offset = call.in.u64();
    const auto bytes = call.in.string();
    if (!offset || !bytes) {
        reply_bad_message(call);
        return;
    }
    if (upload->reason == Reason::none)
        upload->reason = dropbox_.write(id_of(*upload), *offset, *bytes);
    reply_outcome(call, upload->reason);
}

void Server::on_close(Call& call) {
    const auto handle = take_handle(call);
    if (!handle)
        return;
    if (handle->upload == nullptr) {
        directories_[handle->index - uploads_.size()] = false;
        reply_ok(call);
        return;
    }
    Upload& upload = *handle->upload;
    // Here, and not at the rename that a temporary name waits for: some clients do not check that.
    if (upload.reason == Reason::none &&
        (dropbox_.size(id_of(upload)) < upload.promised || !dropbox_.whole(id_of(upload))))
        upload.reason = Reason::incomplete;
    if (upload.reason == Reason::none && upload.temporary) {
        wait_for_name(upload);
        reply_ok(call);
        return;
    }
    if (call.more && upload.reason == Reason::none)
        publish_ahead(call, upload);
    else
        reply_outcome(call, publish(upload));
}

void Server::publish_ahead(Call& call, Upload& upload) {
    Closing closing{call.id, std::move(upload.name), dropbox_.size(id_of(upload))};
    const auto answer = dropbox_.commit_ahead(id_of(upload));
    upload = Upload{};
    if (!answer) {
        closing_.emplace(std::move(closing));
        return;
    }
    if (*answer == Reason::none)
        sent_.insert_or_assign(std::move(closing.name), closing.size);
    reply_outcome(call, *answer);
}

void Server::wait_for_name(Upload& upload) {
    if (Upload* older = find_waiting(upload.name); older != nullptr && older != &upload) {
        dropbox_.abort(id_of(*older), Reason::removed);
        *older = Upload{};
    }
    upload.state = Upload::State::waiting;
}

// The upload is over, one way or the other.
Reason Server::publish(Upload& upload) {
    const std::uint64_t size = dropbox_.size(id_of(upload));
    Reason reason = upload.reason;
    if (reason == Reason::none)
        reason = dropbox_.commit(id_of(upload));
    else
        dropbox_.abort(id_of(upload), reason);
    if (reason == Reason::none)
        sent_.insert_or_assign(std::move(upload.name), size);
    upload = Upload{};
    return reason;
}

// Also posix-rename@openssh.com, which would replace a file: here no name of a rename is ever taken.
void Server::on_rename(Call& call) {
    const auto from = call.in.string();
    const auto to = call.in.string();
    if (!from || !to) {
        reply_bad_message(call);
        return;
    }
    const auto source = tree_.locate(*from);
    const auto target = tree_.locate(*to);
    Upload* upload = source.place == Place::file ? find_upload(source.name) : nullptr;
    if (upload == nullptr) {
        refuse_foreign(call, *from, source);
        return;
    }
    if (target.place != Place::file) {
        refuse(call, Reason::name_path, *to);
        return;
    }
    const auto final = final_name(target.name);
    if (const Reason reason = dropbox_.rename(id_of(*upload), final.value_or(target.name));
        reason != Reason::none) {
        reply_reason(call, reason); // rename() has told the audit
        return;
    }
    upload->name = target.name;
    upload->temporary = final.has_value();
    const bool complete = upload->state == Upload::State::waiting;
    if (complete && upload->temporary)
        wait_for_name(*upload);
    reply_outcome(call, complete && !upload->temporary ? publish(*upload) : Reason::none);
}

void Server::on_remove(Call& call) {
    const auto path = call.in.string();
    if (!path) {
        reply_bad_message(call);
        return;
    }
    const auto at = tree_.locate(*path);
    Upload* upload = at.place == Place::file ? find_upload(at.name) : nullptr;
    if (upload == nullptr || upload->state != Upload::State::waiting) {
        refuse_foreign(call, *path, at);
        return;
    }
    dropbox_.abort(id_of(*upload), Reason::removed);
    *upload = Upload{};
    reply_ok(call);
}

// A name that this session has sent is known to be there; any other is not, whether it exists or not.
void Server::refuse_foreign(Call& call, std::string_view path, const VirtualTree::Location& at) {
    dropbox_.refused(Reason::foreign_file, path);
    if (at.place == Place::file && !own_size(at.name))
        reply_no_such_file(call);
    else
        reply_reason(call, Reason::foreign_file);
}

void Server::on_read(Call& call) {
    if (const auto handle = take_handle(call))
        refuse(call, Reason::read, handle->upload == nullptr ? "a directory" : handle->upload->name);
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

// CLOSE answers only after the file was synced as the policy says: there is nothing to do before.
void Server::on_fsync(Call& call) {
    if (const Upload* upload = take_upload(call))
        reply_outcome(call, upload->reason);
}

} // namespace gate::drop::sftp
