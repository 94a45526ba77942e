// The SFTP sink against what its clients rely on: every request is answered once, in order and under its
// number; an answer says what the Dropbox said; nothing is committed but by CLOSE and RENAME, under a name
// that is no temporary one; nothing is known to be there but what this session has sent.
#pragma once

#include "forcecmd/front/sftp/server.h"
#include "forcecmd/front/sftp/temporary.h"
#include "tests/fuzz/model_dropbox.h"
#include "tests/fuzz/peak.h"
#include "tests/fuzz/sftp_script.h"

#include <map>
#include <set>

namespace gate::fuzz {

// One packet, and what is left of the bytes behind it; nullopt: none, or none that may be sent.
struct Frame {
    std::uint8_t type = 0;
    std::uint32_t id = 0;
    bool has_id = false;
    std::string_view body;  // behind the number
    std::string_view whole; // with its length
};

[[nodiscard]] inline std::uint64_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    for (const char c : bytes.substr(at, size))
        value = value << 8 | static_cast<unsigned char>(c);
    return value;
}

[[nodiscard]] inline std::optional<Frame> next_frame(std::string_view bytes) {
    if (bytes.size() < 5)
        return std::nullopt;
    const std::uint64_t length = number_at(bytes, 0, 4);
    if (length == 0 || length > drop::sftp::k_max_packet || length > bytes.size() - 4)
        return std::nullopt;
    Frame out;
    out.type = static_cast<std::uint8_t>(bytes[4]);
    out.has_id = length >= 5;
    out.id = out.has_id ? static_cast<std::uint32_t>(number_at(bytes, 5, 4)) : 0;
    out.body = bytes.substr(0, length + 4).substr(out.has_id ? 9 : 5);
    out.whole = bytes.substr(0, length + 4);
    return out;
}

// The n-th string of a request's body, if the body begins with that many.
[[nodiscard]] inline std::optional<std::string_view> string_of(std::string_view body, int n) {
    for (;; --n) {
        if (body.size() < 4)
            return std::nullopt;
        const std::uint64_t size = number_at(body, 0, 4);
        if (size > body.size() - 4)
            return std::nullopt;
        if (n == 0)
            return body.substr(4, size);
        body.remove_prefix(4 + size);
    }
}

class SftpOracle {
  public:
    explicit SftpOracle(const spool::VirtualTree& tree) : tree_(tree) {}

    // One request, its one answer, and what happened meanwhile.
    void judge_answer(const Frame& request, const Frame& answer, const ModelDropbox& dropbox) {
        const auto& happened = dropbox.happened;
        const auto type = static_cast<Type>(request.type);
        const auto kind = static_cast<Type>(answer.type);
        REQUIRE(answer.has_id && answer.id == request.id);
        REQUIRE(answer.whole.size() <= 1024 + 2 * request.whole.size());
        const bool status = kind == Type::status;
        REQUIRE(status || kind == Type::handle || kind == Type::name || kind == Type::attrs ||
                kind == Type::extended_reply); // DATA is not among them
        const bool ok = status && number_at(answer.body, 0, 4) == 0;
        if (status)
            REQUIRE(number_at(answer.body, 0, 4) <= 8 && string_of(answer.body.substr(4), 0));
        if (happened.refusals > 0)
            REQUIRE(status && !ok); // nobody is told success for what was refused
        REQUIRE(happened.begun == 0 || (happened.begun == 1 && kind == Type::handle && type == Type::open));
        REQUIRE(kind != Type::handle || type == Type::open || type == Type::opendir);

        const auto extension = type == Type::extended ? string_of(request.body, 0) : std::nullopt;
        const bool rename = type == Type::rename || extension == "posix-rename@openssh.com";
        const bool realpath = type == Type::realpath || extension == "expand-path@openssh.com";
        const int first = type == Type::extended ? 1 : 0;
        REQUIRE(happened.commits == 0 || (happened.commits == 1 && (type == Type::close || rename)));
        REQUIRE(happened.renames == 0 || rename);
        REQUIRE(kind != Type::name || realpath);
        if (kind == Type::name)
            REQUIRE(string_of(answer.body.substr(4), 0) ==
                    tree_.locate(string_of(request.body, first).value()).path);
        switch (type) {
        case Type::read:
        case Type::readlink:
        case Type::symlink:
        case Type::mkdir:
        case Type::rmdir:
        case Type::readdir:
            REQUIRE(status && !ok);
            break;
        case Type::open:
            if (kind == Type::handle)
                opened(string_of(answer.body, 0).value(), request.body, dropbox);
            break;
        case Type::write:
            if (ok)
                written(request.body);
            break;
        case Type::fsetstat:
            if (ok)
                resized(request.body);
            break;
        case Type::close:
            closed(request.body, ok, dropbox);
            break;
        case Type::remove:
            removed(name_of(string_of(request.body, 0)), ok, dropbox);
            break;
        case Type::stat:
        case Type::lstat:
            attributes(kind == Type::attrs, answer.body, string_of(request.body, 0));
            break;
        default:
            break;
        }
        if (rename)
            renamed(name_of(string_of(request.body, first)), name_of(string_of(request.body, first + 1)), ok,
                    dropbox);
        if (happened.commits == 1 && ok)
            REQUIRE(!dropbox.delivered.empty());
    }

  private:
    // A file that is not published: open, or closed under a temporary name and waiting for its own.
    struct File {
        std::string name; // as the client knows it
        std::string content;
        bool waiting = false;
    };
    using Files = std::map<std::string, File, std::less<>>; // by handle

    [[nodiscard]] std::string name_of(std::optional<std::string_view> path) const {
        return path ? tree_.locate(*path).name : std::string();
    }
    [[nodiscard]] static bool temporary(std::string_view name) {
        return drop::sftp::final_name(name).has_value();
    }
    [[nodiscard]] Files::iterator find(std::string_view name) {
        return std::find_if(files_.begin(), files_.end(),
                            [name](const auto& f) { return f.second.name == name; });
    }
    [[nodiscard]] Files::iterator open_file(std::string_view body) {
        const auto handle = string_of(body, 0);
        const auto file = handle ? files_.find(*handle) : files_.end();
        return file == files_.end() || file->second.waiting ? files_.end() : file;
    }

    void opened(std::string_view handle, std::string_view body, const ModelDropbox& dropbox) {
        constexpr std::uint64_t k_truncate = 0x10;
        const std::string name = name_of(string_of(body, 0));
        REQUIRE(!name.empty());
        File& file = files_[std::string(handle)];
        REQUIRE(file.name.empty() || (file.waiting && file.name == name)); // no handle stands for two files
        REQUIRE((dropbox.happened.begun == 1) == file.name.empty());
        REQUIRE(files_.size() <= drop::k_max_open_files);
        file.waiting = false;
        file.name = name;
        if ((number_at(body, 4 + string_of(body, 0)->size(), 4) & k_truncate) != 0)
            file.content.clear();
        // What waits under this name is what was opened: else a second try would leave the first one beside
        // it, and a rename could find either.
        REQUIRE(std::none_of(files_.begin(), files_.end(),
                             [&name](const auto& f) { return f.second.waiting && f.second.name == name; }));
        known_.insert(name);
    }

    void written(std::string_view body) {
        const auto file = open_file(body);
        REQUIRE(file != files_.end());
        const std::size_t at = 4 + string_of(body, 0)->size();
        const std::uint64_t offset = number_at(body, at, 8);
        const std::string_view bytes = string_of(body.substr(at + 8), 0).value();
        if (bytes.empty())
            return;
        std::string& content = file->second.content;
        content.resize(std::max<std::size_t>(content.size(), offset + bytes.size()));
        content.replace(offset, bytes.size(), bytes);
    }

    void resized(std::string_view body) {
        const auto file = open_file(body);
        const std::size_t at = 4 + string_of(body, 0)->size();
        if (file == files_.end() || (number_at(body, at, 4) & 1) == 0)
            return;
        const std::uint64_t size = number_at(body, at + 4, 8);
        if (size < file->second.content.size())
            file->second.content.resize(size);
    }

    void closed(std::string_view body, bool ok, const ModelDropbox& dropbox) {
        const auto file = open_file(body);
        if (file == files_.end()) { // a directory, or nothing
            REQUIRE(dropbox.happened.commits == 0 && dropbox.happened.aborts == 0);
            return;
        }
        if (dropbox.happened.commits == 1) {
            REQUIRE(!temporary(file->second.name));
            taken(file, ok, dropbox);
        } else if (ok) { // kept until it gets its name
            REQUIRE(temporary(file->second.name));
            waits(file, dropbox);
        } else {
            REQUIRE(dropbox.happened.aborts == 1);
            files_.erase(file);
        }
    }

    // One file waits under a name: what a client sent later is what it means.
    void waits(Files::iterator file, const ModelDropbox& dropbox) {
        const auto older = std::find_if(files_.begin(), files_.end(), [file](const auto& f) {
            return f.first != file->first && f.second.waiting && f.second.name == file->second.name;
        });
        REQUIRE(dropbox.happened.aborts == (older == files_.end() ? 0 : 1));
        if (older != files_.end())
            files_.erase(older);
        file->second.waiting = true;
    }

    void renamed(const std::string& from, const std::string& to, bool ok, const ModelDropbox& dropbox) {
        const auto file = find(from);
        if (dropbox.happened.renames == 0) {
            REQUIRE(!ok && dropbox.happened.commits == 0);
            return;
        }
        REQUIRE(file != files_.end() && !to.empty());
        file->second.name = to;
        known_.insert(to);
        REQUIRE((dropbox.happened.commits == 1) == (file->second.waiting && !temporary(to)));
        if (dropbox.happened.commits == 1)
            taken(file, ok, dropbox);
        else if (file->second.waiting)
            waits(file, dropbox);
        REQUIRE(ok || dropbox.happened.refusals > 0);
    }

    void removed(const std::string& name, bool ok, const ModelDropbox& dropbox) {
        REQUIRE(ok == (dropbox.happened.aborts == 1));
        if (!ok)
            return;
        const auto file = find(name);
        REQUIRE(file != files_.end() && file->second.waiting);
        files_.erase(file);
    }

    // A commit: the client's last name for it, and every byte as the client's requests left it.
    void taken(Files::iterator file, bool ok, const ModelDropbox& dropbox) {
        REQUIRE(ok == (dropbox.happened.refusals == 0));
        const File last = std::exchange(file->second, {});
        files_.erase(file);
        if (!ok)
            return;
        REQUIRE(dropbox.delivered.back().name == last.name);
        REQUIRE(dropbox.delivered.back().content == last.content);
        sent_.insert(last.name);
    }

    void attributes(bool found, std::string_view body, std::optional<std::string_view> path) {
        using Place = spool::VirtualTree::Place;
        if (!path) {
            REQUIRE(!found);
            return;
        }
        const auto at = tree_.locate(*path);
        if (at.place == Place::home || at.place == Place::directory) {
            REQUIRE(found && number_at(body, 12, 4) == 0040700);
        } else if (found) {
            REQUIRE(at.place == Place::file && known_.contains(at.name));
            REQUIRE(number_at(body, 12, 4) == 0100600);
        } else {
            REQUIRE(!sent_.contains(at.name) || at.place != Place::file);
        }
    }

    const spool::VirtualTree& tree_;
    Files files_;
    std::set<std::string> known_; // every name that was accepted in this session
    std::set<std::string> sent_;  // those that were published
};

// Packet by packet: which answers there are, each looked at. True if the conversation ended with an error.
inline void check_packet_by_packet(const spool::VirtualTree& tree, std::string_view bytes,
                                   const Played& whole) {
    ModelDropbox dropbox;
    drop::sftp::Server server(dropbox, tree);
    SftpOracle oracle(tree);
    std::string all;
    bool initialised = false;
    while (const auto request = next_frame(bytes)) {
        dropbox.happened = {};
        std::string out;
        server.feed(request->whole, out);
        bytes.remove_prefix(request->whole.size());
        all += out;
        const auto answer = next_frame(out);
        if (!initialised && request->type == 1) {
            REQUIRE(answer && answer->type == 2 && answer->whole.size() == out.size());
            initialised = true;
        } else if (!initialised || !request->has_id) {
            REQUIRE(out.empty() && server.finished() && server.exit_status() == 1);
        } else {
            REQUIRE(answer && answer->whole.size() == out.size()); // one, and whole
            REQUIRE(!server.finished());
            oracle.judge_answer(*request, *answer, dropbox);
        }
        if (server.finished())
            break;
    }
    REQUIRE(all == whole.answers);
    if (!server.finished()) {
        std::string out;
        server.feed(bytes, out); // less than a packet, or what can be none
        const bool bad_length = bytes.size() >= 4 && (number_at(bytes, 0, 4) == 0 ||
                                                      number_at(bytes, 0, 4) > drop::sftp::k_max_packet);
        REQUIRE(out.empty() && server.finished() == bad_length);
        if (!server.finished())
            server.end_of_input(out);
        REQUIRE(out.empty());
    }
    REQUIRE(dropbox.nothing_open());
    REQUIRE(dropbox.delivered == whole.delivered);
}

// First byte: raw bytes or a script, and how the session ends.
inline void check_sftp(std::string_view input) {
    static const spool::VirtualTree tree("/var/spool/data_in");
    Decisions in(input);
    const std::uint8_t how = in.byte();
    const std::string bytes = (how & 1) != 0 ? std::string(in.rest()) : SftpScript(in.rest()).bytes();
    const bool interrupted = (how & 2) != 0;

    const auto play_in = [&](std::size_t chunk) {
        const Peak peak;
        ModelDropbox dropbox;
        drop::sftp::Server server(dropbox, tree);
        Played played = play(server, dropbox, bytes, chunk, interrupted);
        REQUIRE(peak.bytes() <= 512 * 1024 + 32 * bytes.size());
        return played;
    };
    const Played whole = play_in(0);
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{13}})
        REQUIRE_MSG(play_in(chunk) == whole, "chunks of " + std::to_string(chunk) + " make a difference");
    for (const auto& [name, content] : whole.delivered)
        REQUIRE(judge(name, content.size()) == Reason::none);
    if (!interrupted)
        check_packet_by_packet(tree, bytes, whole);
}

} // namespace gate::fuzz
