#include "forcecmd/front/enrol/sftp_key.h"

#include "forcecmd/front/enrol/key_text.h"

#include <algorithm>

namespace gate::drop::enrol {

using gate::enrol::Answer;
using sftp::PacketReader;
using sftp::PacketWriter;
using sftp::Status;
using sftp::Type;
using spool::Reason;

namespace {

constexpr std::uint32_t k_directory_mode = 0040700;
constexpr std::uint32_t k_file_mode = 0100600;
constexpr std::uint32_t k_file_handle = 0;
constexpr std::string_view k_directory = "/.ssh";
constexpr std::string_view k_key_file = "/.ssh/authorized_keys";
constexpr std::size_t k_length = sizeof(std::uint32_t);

} // namespace

const std::array<SftpKey::Entry, 13> SftpKey::k_requests = {{
    {Type::realpath, &SftpKey::on_realpath},
    {Type::stat, &SftpKey::on_stat},
    {Type::lstat, &SftpKey::on_stat},
    {Type::fstat, &SftpKey::on_fstat},
    {Type::setstat, &SftpKey::on_setstat},
    {Type::fsetstat, &SftpKey::on_fsetstat},
    {Type::mkdir, &SftpKey::on_mkdir},
    {Type::opendir, &SftpKey::on_opendir},
    {Type::readdir, &SftpKey::on_readdir},
    {Type::open, &SftpKey::on_open},
    {Type::write, &SftpKey::on_write},
    {Type::read, &SftpKey::on_read},
    {Type::close, &SftpKey::on_close},
}};

// --- framing ---------------------------------------------------------------------------------------------

void SftpKey::feed(std::string_view bytes, std::string& out) {
    while (!finished_ && !bytes.empty()) {
        const std::size_t have = buffer_.size();
        std::size_t want = k_length;
        if (have >= k_length)
            want += PacketReader(buffer_).u32().value_or(0);
        const std::size_t more = std::min(want - have, bytes.size());
        buffer_.append(bytes.substr(0, more));
        bytes.remove_prefix(more);
        if (buffer_.size() < want)
            return;
        if (want == k_length) { // its length is known now
            const std::uint32_t length = PacketReader(buffer_).u32().value_or(0);
            if (length == 0 || length > k_max_sftp_packet)
                break_off("SFTP packet of a bad length");
            continue;
        }
        take_packet(std::string_view(buffer_).substr(k_length), out);
        buffer_.clear();
    }
}

void SftpKey::take_packet(std::string_view packet, std::string& out) {
    PacketReader in(packet);
    const auto type = static_cast<Type>(in.u8().value_or(0));
    if (!initialised_) {
        if (type != Type::init) {
            break_off("SFTP request before INIT");
            return;
        }
        initialised_ = true;
        PacketWriter(out, Type::version).u32(sftp::k_protocol_version);
        return;
    }
    const auto id = in.u32();
    if (!id) { // nothing can be answered to
        break_off("SFTP request without a number");
        return;
    }
    Call call{*id, in, out};
    const auto entry = std::ranges::find(k_requests, type, &Entry::type);
    if (entry != k_requests.end()) {
        (this->*entry->handler)(call);
        return;
    }
    // An extension that was not offered, or anything that would change or read what is there.
    const bool named = type == Type::remove || type == Type::rename || type == Type::rmdir ||
                       type == Type::symlink || type == Type::readlink || type == Type::extended;
    const auto name = named ? call.in.string() : std::nullopt;
    refuse(call, type == Type::extended || !named ? Reason::unsupported : Reason::enrol_only,
           name.value_or("an unknown SFTP request"));
}

void SftpKey::break_off(std::string_view what) {
    desk_.refused(Reason::protocol, what);
    finished_ = true;
    status_ = 1;
}

void SftpKey::end_of_input(std::string&) {
    if (finished_)
        return;
    if (file_ == File::open) {
        desk_.refused(Reason::aborted, k_key_file.substr(1));
        status_ = 1;
    }
    finished_ = true;
}

void SftpKey::interrupt(Reason why, std::string&) {
    if (finished_)
        return;
    desk_.refused(why, file_ == File::open ? k_key_file.substr(1) : std::string_view());
    finished_ = true;
    status_ = 1;
}

// --- names -----------------------------------------------------------------------------------------------

// Lexical, absolute, from a home directory that is the root; `..` stops there.
std::string SftpKey::canonical(std::string_view path) {
    std::string out;
    if (path == "~" || path.starts_with("~/"))
        path.remove_prefix(1);
    while (!path.empty()) {
        const std::size_t slash = path.find('/');
        const std::string_view part = path.substr(0, slash);
        path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
        if (part == "..")
            out.resize(out.empty() ? 0 : out.rfind('/'));
        else if (!part.empty() && part != ".")
            (out += '/') += part;
    }
    return out.empty() ? "/" : out;
}

SftpKey::Place SftpKey::place_of(std::string_view path) {
    const std::string at = canonical(path);
    if (at == k_key_file)
        return Place::key_file;
    return at == "/" || at == k_directory ? Place::directory : Place::outside;
}

void SftpKey::on_realpath(Call& call) {
    const auto path = take_path(call);
    if (!path)
        return;
    constexpr std::uint32_t k_one = 1;
    constexpr std::uint32_t k_no_attributes = 0;
    const std::string at = canonical(*path);
    PacketWriter(call.out, Type::name).u32(call.id).u32(k_one).string(at).string(at).u32(k_no_attributes);
}

void SftpKey::on_stat(Call& call) {
    const auto path = take_path(call);
    if (!path)
        return;
    const Place place = place_of(*path);
    if (place == Place::directory || (place == Place::key_file && file_ != File::none)) {
        reply_attributes(call, place);
        return;
    }
    // Nobody who enrols asks for what lies elsewhere: the audit hears of it.
    if (place == Place::outside)
        desk_.refused(Reason::enrol_only, *path);
    reply_no_such_file(call);
}

// Modes and times of clients are ignored; a refusal would make ssh-copy-id give up.
void SftpKey::on_setstat(Call& call) {
    const auto path = take_path(call);
    if (!path)
        return;
    if (!call.in.attributes())
        reply_bad_message(call);
    else if (const Place place = place_of(*path); place == Place::outside)
        refuse(call, Reason::enrol_only, *path);
    else if (place == Place::key_file && file_ == File::none)
        reply_no_such_file(call);
    else
        reply_ok(call);
}

void SftpKey::on_mkdir(Call& call) {
    const auto path = take_path(call);
    if (!path)
        return;
    if (canonical(*path) == k_directory)
        reply_ok(call);
    else
        refuse(call, Reason::enrol_only, *path);
}

void SftpKey::on_opendir(Call& call) {
    const auto path = take_path(call);
    if (!path)
        return;
    if (place_of(*path) != Place::directory) {
        refuse(call, Reason::enrol_only, *path);
        return;
    }
    const auto slot = std::ranges::find(directories_, false);
    if (slot == directories_.end()) {
        refuse(call, Reason::open_files, *path);
        return;
    }
    *slot = true;
    reply_handle(call, static_cast<std::uint32_t>(slot - directories_.begin()) + 1);
}

void SftpKey::on_readdir(Call& call) {
    if (take_handle(call)) // every directory is empty
        reply_status(call, Status::eof, "End of file");
}

// --- the file --------------------------------------------------------------------------------------------

void SftpKey::on_open(Call& call) {
    const auto path = take_path(call);
    if (!path)
        return;
    const auto flags = call.in.u32();
    if (!flags || !call.in.attributes()) {
        reply_bad_message(call);
        return;
    }
    if (place_of(*path) != Place::key_file) {
        refuse(call, Reason::enrol_only, *path);
    } else if ((*flags & sftp::k_open_write) == 0) {
        reply_no_such_file(call); // whatever keys there are: none is shown
    } else if (file_ != File::none) {
        refuse(call, Reason::enrol_many_keys, *path);
    } else {
        file_ = File::open;
        reply_handle(call, k_file_handle);
    }
}

void SftpKey::on_write(Call& call) {
    if (!take_file(call))
        return;
    const auto offset = call.in.u64();
    const auto bytes = call.in.string();
    if (!offset || !bytes) {
        reply_bad_message(call);
        return;
    }
    if (bytes->size() > k_max_key_text || *offset > k_max_key_text - bytes->size())
        reason_ = Reason::enrol_large;
    if (reason_ != Reason::none) {
        reply_status(call, Status::permission_denied, spool::sentence(reason_));
        return;
    }
    const auto at = static_cast<std::size_t>(*offset);
    text_.resize(std::max(text_.size(), at + bytes->size())); // a hole is of NULs, which no key holds
    text_.replace(at, bytes->size(), *bytes);
    reply_ok(call);
}

void SftpKey::on_close(Call& call) {
    const auto handle = take_handle(call);
    if (!handle)
        return;
    if (*handle != k_file_handle) {
        directories_[*handle - 1] = false;
        reply_ok(call);
        return;
    }
    file_ = File::taken; // for good or not: a session has one
    const auto key = only_key(text_);
    if (reason_ == Reason::none && !key)
        reason_ = key.error();
    if (reason_ != Reason::none) {
        status_ = 1;
        refuse(call, reason_, k_key_file.substr(1));
        return;
    }
    const gate::enrol::Reply reply = desk_.hand_over(*key);
    if (reply.answer == Answer::refused) {
        status_ = 1;
        reply_status(call, Status::permission_denied, reply.text);
    } else {
        reply_ok(call);
    }
}

void SftpKey::on_read(Call& call) {
    if (take_handle(call))
        refuse(call, Reason::read, k_key_file.substr(1));
}

void SftpKey::on_fstat(Call& call) {
    if (const auto handle = take_handle(call))
        reply_attributes(call, *handle == k_file_handle ? Place::key_file : Place::directory);
}

void SftpKey::on_fsetstat(Call& call) {
    const auto handle = take_handle(call);
    if (!handle)
        return;
    if (call.in.attributes())
        reply_ok(call);
    else
        reply_bad_message(call);
}

// --- fields and answers ----------------------------------------------------------------------------------

std::optional<std::string_view> SftpKey::take_path(Call& call) {
    const auto path = call.in.string();
    if (!path)
        reply_bad_message(call);
    return path;
}

std::optional<std::uint32_t> SftpKey::take_handle(Call& call) {
    const auto text = call.in.string();
    if (!text) {
        reply_bad_message(call);
        return std::nullopt;
    }
    const auto index = text->size() == sizeof(std::uint32_t) ? PacketReader(*text).u32() : std::nullopt;
    const bool is_file = index == k_file_handle && file_ == File::open;
    const bool is_directory =
        index && *index > 0 && *index <= directories_.size() && directories_[*index - 1];
    if (is_file || is_directory)
        return index;
    reply_status(call, Status::failure, "no such handle");
    return std::nullopt;
}

bool SftpKey::take_file(Call& call) {
    const auto handle = take_handle(call);
    if (handle && *handle != k_file_handle)
        reply_status(call, Status::failure, "not a file");
    return handle == k_file_handle;
}

void SftpKey::reply_status(Call& call, Status status, std::string_view text) {
    PacketWriter(call.out, Type::status)
        .u32(call.id)
        .u32(static_cast<std::uint32_t>(status))
        .string(text)
        .string("en");
}

void SftpKey::reply_handle(Call& call, std::uint32_t index) {
    PacketWriter(call.out, Type::handle)
        .u32(call.id)
        .u32(sizeof index) // a string of four bytes
        .u32(index);
}

void SftpKey::reply_attributes(Call& call, Place place) {
    const bool file = place == Place::key_file;
    PacketWriter(call.out, Type::attrs)
        .u32(call.id)
        .attributes(file ? k_file_mode : k_directory_mode, file ? text_.size() : 0);
}

void SftpKey::refuse(Call& call, Reason why, std::string_view what) {
    desk_.refused(why, what);
    const bool unsupported = spool::text_of(why).kind == spool::Kind::unsupported;
    reply_status(call, unsupported ? Status::op_unsupported : Status::permission_denied,
                 spool::sentence(why));
}

} // namespace gate::drop::enrol
