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
    {Type::mkdir, &Server::on_mkdir},
    {Type::rmdir, &Server::on_rmdir},
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
            settle(out);
            dropbox_.refused(Reason::protocol, "SFTP packet of a bad length");
            drop_files(Reason::protocol);
            finished_ = true;
            status_ = 1;
            return;
        }
        const std::size_t whole = k_length + length;
        if (!collecting && bytes.size() >= whole) {
            take_packet(bytes.substr(k_length, length), bytes.size() > whole, out);
            bytes.remove_prefix(whole);
            continue;
        }
        const std::size_t more = std::min(whole - buffer_.size(), bytes.size());
        buffer_.append(bytes.substr(0, more));
        bytes.remove_prefix(more);
        if (buffer_.size() == whole) {
            take_packet(std::string_view(buffer_).substr(k_length), !bytes.empty(), out);
            buffer_.clear();
        }
    }
}

namespace {

// Requests whose answer is the same whatever becomes of a file that is being closed. (Another CLOSE waits:
// one file at a time is made durable.)
[[nodiscard]] bool goes_ahead(Type type) {
    return type == Type::open || type == Type::write || type == Type::fsetstat;
}

} // namespace

void Server::take_packet(std::string_view packet, bool more, std::string& out) {
    PacketReader in(packet);
    const auto type = static_cast<Type>(in.u8().value_or(0));
    if (!goes_ahead(type))
        settle(out);
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
        settle(out);
        dropbox_.refused(Reason::protocol, "SFTP request without a number");
        drop_files(Reason::protocol);
        finished_ = true;
        status_ = 1;
        return;
    }
    Call call{*id, in, closing_ ? closing_->held : out, more};
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

void Server::on_extended(Call& call) {
    struct Extension {
        std::string_view name;
        Handler handler;
    };
    static constexpr std::array k_extensions = {
        Extension{"limits@openssh.com", &Server::on_limits},
        Extension{"fsync@openssh.com", &Server::on_fsync},
        Extension{"expand-path@openssh.com", &Server::on_realpath},
        Extension{"posix-rename@openssh.com", &Server::on_rename},
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

void Server::take_init(PacketReader, std::string& out) {
    initialised_ = true;
    PacketWriter(out, Type::version)
        .u32(k_protocol_version)
        .string("limits@openssh.com")
        .string("1")
        .string("fsync@openssh.com")
        .string("1")
        .string("expand-path@openssh.com")
        .string("1")
        .string("posix-rename@openssh.com")
        .string("1");
}

void Server::drop_files(Reason why) {
    for (Upload& upload : uploads_) {
        if (upload.state != Upload::State::none)
            dropbox_.abort(id_of(upload), upload.reason == Reason::none ? why : upload.reason);
        upload = Upload{};
    }
}

void Server::settle(std::string& out) {
    if (!closing_)
        return;
    Closing closing = std::move(*closing_);
    closing_.reset();
    const Reason reason = dropbox_.settle();
    if (reason == Reason::none)
        sent_.insert_or_assign(std::move(closing.name), closing.size);
    Call call{closing.id, PacketReader({}), out, false};
    reply_outcome(call, reason);
    out += closing.held;
}

void Server::end_of_input(std::string& out) {
    settle(out);
    drop_files(Reason::aborted);
    finished_ = true;
}

void Server::interrupt(Reason why, std::string& out) {
    settle(out);
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

void Server::reply_outcome(Call& call, Reason outcome) {
    if (outcome == Reason::none)
        reply_ok(call);
    else
        reply_reason(call, outcome);
}

void Server::refuse(Call& call, Reason why, std::string_view what) {
    dropbox_.refused(why, what);
    reply_reason(call, why);
}

void Server::reply_handle(Call& call, std::uint32_t index) {
    PacketWriter(call.out, Type::handle)
        .u32(call.id)
        .u32(sizeof index) // a string of four bytes
        .u32(index);
}

// Files are numbered by their FileId, directories behind them.
std::optional<Server::Handle> Server::take_handle(Call& call) {
    const auto text = call.in.string();
    if (!text) {
        reply_bad_message(call);
        return std::nullopt;
    }
    const auto index = text->size() == sizeof(std::uint32_t) ? PacketReader(*text).u32() : std::nullopt;
    if (index && *index < uploads_.size() && uploads_[*index].state == Upload::State::open)
        return Handle{&uploads_[*index], *index};
    if (index && *index >= uploads_.size() && *index - uploads_.size() < directories_.size() &&
        directories_[*index - uploads_.size()])
        return Handle{nullptr, *index};
    reply_status(call, Status::failure, "no such handle");
    return std::nullopt;
}

Server::Upload* Server::take_upload(Call& call) {
    const auto handle = take_handle(call);
    if (!handle)
        return nullptr;
    if (handle->upload == nullptr)
        reply_status(call, Status::failure, "not a file");
    return handle->upload;
}

Server::Upload* Server::find_upload(std::string_view name) {
    const auto found = std::ranges::find_if(
        uploads_, [&](const Upload& u) { return u.state != Upload::State::none && u.name == name; });
    return found == uploads_.end() ? nullptr : &*found;
}

Server::Upload* Server::find_waiting(std::string_view name) {
    const auto found = std::ranges::find_if(
        uploads_, [&](const Upload& u) { return u.state == Upload::State::waiting && u.name == name; });
    return found == uploads_.end() ? nullptr : &*found;
}

} // namespace gate::drop::sftp
