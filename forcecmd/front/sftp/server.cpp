// Framing, the request table, and the shapes of answers.
#include "forcecmd/front/sftp/server.h"

#include <algorithm>

namespace gate::drop::sftp {

using spool::Reason;

const std::array<Server::Entry, 18> Server::k_requests = {{
    {Type::write, &Server::on_write}, // first: most requests are this one
    {Type::open, &Server::on_open},
    {Type::close, &Server::on_close},
    {Type::read, &Server::on_read},
    {Type::lstat, &Server::on_stat},
    {Type::stat, &Server::on_stat},
    {Type::fstat, &Server::on_fstat},
    {Type::setstat, &Server::on_setstat},
    {Type::fsetstat, &Server::on_fsetstat},
    {Type::opendir, &Server::on_opendir},
    {Type::readdir, &Server::on_readdir},
    {Type::remove, &Server::on_remove},
    {Type::mkdir, &Server::on_directory_change},
    {Type::rmdir, &Server::on_directory_change},
    {Type::realpath, &Server::on_realpath},
    {Type::rename, &Server::on_rename},
    {Type::readlink, &Server::on_readlink},
    {Type::symlink, &Server::on_symlink},
}};

void Server::feed(std::string_view bytes, std::string& out) {
    constexpr std::size_t k_length = sizeof(std::uint32_t);
    while (!bytes.empty() && !finished_) {
        // A packet that lies whole in the input is used in place; only a cut one is collected.
        const bool collecting = !buffer_.empty();
        if (collecting && buffer_.size() < k_length) {
            const std::size_t more = std::min(k_length - buffer_.size(), bytes.size());
            buffer_.append(bytes.substr(0, more));
            bytes.remove_prefix(more);
        }
        const std::string_view start = collecting ? std::string_view(buffer_) : bytes;
        if (start.size() < k_length) {
            if (!collecting)
                buffer_ = bytes;
            return;
        }
        const std::uint32_t length = PacketReader(start).u32().value_or(0);
        if (length == 0 || length > k_max_packet) {
            dropbox_.refused(Reason::protocol, "SFTP packet of a bad length");
            drop_files(Reason::protocol);
            finished_ = true;
            status_ = 1;
            return;
        }
        const std::size_t whole = k_length + length;
        if (!collecting && bytes.size() >= whole) {
            take_packet(bytes.substr(k_length, length), out);
            bytes.remove_prefix(whole);
            continue;
        }
        const std::size_t more = std::min(whole - buffer_.size(), bytes.size());
        buffer_.append(bytes.substr(0, more));
        bytes.remove_prefix(more);
        if (buffer_.size() == whole) {
            take_packet(std::string_view(buffer_).substr(k_length), out);
            buffer_.clear();
        }
    }
}

void Server::take_packet(std::string_view packet, std::string& out) {
    PacketReader in(packet);
    const auto type = static_cast<Type>(in.u8().value_or(0));
    if (!initialised_) {
        if (type == Type::init) {
            take_init(in, out);
            return;
        }
        dropbox_.refused(Reason::protocol, "SFTP request before INIT");
        finished_ = true;
        status_ = 1;
        return;
    }
    const auto id = in.u32();
    if (!id) { // nothing can be answered to
        dropbox_.refused(Reason::protocol, "SFTP request without a number");
        drop_files(Reason::protocol);
        finished_ = true;
        status_ = 1;
        return;
    }
    Call call{*id, in, out};
    if (type == Type::extended) {
        on_extended(call);
        return;
    }
    const auto entry = std::ranges::find(k_requests, type, &Entry::type);
    if (entry == k_requests.end())
        refuse(call, Reason::unsupported, "an unknown SFTP request");
    else
        (this->*entry->handler)(call);
}

void Server::take_init(PacketReader, std::string& out) {
    initialised_ = true;
    PacketWriter(out, Type::version)
        .u32(k_protocol_version)
        .string("limits@openssh.com")
        .string("1")
        .string("fsync@openssh.com")
        .string("1")
        .string("expand-path@openssh.com")
        .string("1");
}

void Server::drop_files(Reason why) {
    for (Handle& handle : handles_) {
        if (handle.kind == Handle::Kind::file)
            dropbox_.abort(handle.file, handle.reason == Reason::none ? why : handle.reason);
        handle = Handle{};
    }
}

void Server::end_of_input(std::string&) {
    drop_files(Reason::aborted);
    finished_ = true;
}

void Server::interrupt(Reason why, std::string&) {
    drop_files(why);
    finished_ = true;
    status_ = 1;
}

void Server::reply_status(Call& call, Status status, std::string_view text) {
    PacketWriter(call.out, Type::status)
        .u32(call.id)
        .u32(static_cast<std::uint32_t>(status))
        .string(text)
        .string("en");
}

void Server::reply_reason(Call& call, Reason why) {
    switch (spool::text_of(why).kind) {
    case spool::Kind::policy:
        reply_status(call, Status::permission_denied, spool::sentence(why));
        return;
    case spool::Kind::unsupported:
        reply_status(call, Status::op_unsupported, spool::sentence(why));
        return;
    case spool::Kind::resource:
        reply_status(call, Status::failure, spool::sentence(why));
        return;
    }
}

void Server::refuse(Call& call, Reason why, std::string_view what) {
    dropbox_.refused(why, what);
    reply_reason(call, why);
}

void Server::reply_handle(Call& call, const Handle& handle) {
    const auto index = static_cast<std::uint32_t>(&handle - handles_.data());
    PacketWriter(call.out, Type::handle)
        .u32(call.id)
        .u32(sizeof index) // a string of four bytes
        .u32(index);
}

Server::Handle* Server::take_handle(Call& call) {
    const auto text = call.in.string();
    if (!text) {
        reply_bad_message(call);
        return nullptr;
    }
    const auto index = text->size() == sizeof(std::uint32_t) ? PacketReader(*text).u32() : std::nullopt;
    if (!index || *index >= handles_.size() || handles_[*index].kind == Handle::Kind::free) {
        reply_status(call, Status::failure, "no such handle");
        return nullptr;
    }
    return &handles_[*index];
}

Server::Handle* Server::free_handle() {
    const auto found = std::ranges::find(handles_, Handle::Kind::free, &Handle::kind);
    return found == handles_.end() ? nullptr : &*found;
}

} // namespace gate::drop::sftp
