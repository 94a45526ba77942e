#include "lib/keyring/writer.h"

#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/keyring/builder.h"
#include "lib/keyring/format.h"
#include "lib/keyring/reader.h"

#include <algorithm>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gate::keyring {

namespace {

[[nodiscard]] Result<void> sync_parent(const std::string& path) {
    const std::string parent = path.substr(0, path.rfind('/') + 1);
    const Fd dir{::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!dir.valid() || ::fsync(dir.get()) != 0)
        return fail_errno("cannot sync the keyring's directory");
    return {};
}

// The previous generation stays under its own name; that name is made new and renamed over, so it is whole
// too.
[[nodiscard]] Result<void> keep_previous(const std::string& path) {
    const std::string fresh = path + ".previous.new";
    ::unlink(fresh.c_str());
    if (::link(path.c_str(), fresh.c_str()) != 0)
        return errno == ENOENT ? Result<void>{} : fail_errno("cannot keep the previous keyring");
    Result<void> kept;
    if (::rename(fresh.c_str(), (path + ".previous").c_str()) != 0)
        kept = fail_errno("cannot keep the previous keyring");
    // rename(2) does nothing when both names are the same file already, as they are after a publish that
    // failed between this rename and the last one.
    ::unlink(fresh.c_str());
    return kept;
}

// May a keyring of `generation` follow the one that is in place?
[[nodiscard]] Result<void> check_newer(std::uint64_t generation, const std::string& path, uid_t owner) {
    const auto present = Reader::open(path.c_str(), owner);
    if (!present && present.error().code == Errc::missing)
        return {};
    if (!present)
        return fail(Errc::denied, "the generation of the keyring in place cannot be read");
    if (generation <= present->header().generation)
        return fail(Errc::denied, "the keyring in place is as new or newer");
    return {};
}

enum class Direction { newer, any };

[[nodiscard]] Result<void> check_and_replace(const std::string& fresh, const std::string& path, uid_t owner,
                                             Direction direction) {
    GATE_TRY(const Reader reader, Reader::open(fresh.c_str(), owner));
    if (direction == Direction::newer)
        GATE_CHECK(check_newer(reader.header().generation, path, owner));
    GATE_CHECK(reader.verify());
    GATE_CHECK(reader.sync());
    GATE_CHECK(keep_previous(path));
    if (::rename(fresh.c_str(), path.c_str()) != 0)
        return fail_errno("cannot put the new keyring in place");
    return sync_parent(path);
}

[[nodiscard]] Result<void> replace_or_remove(const std::string& fresh, const std::string& path, uid_t owner,
                                             Direction direction) {
    const auto done = check_and_replace(fresh, path, owner, direction);
    if (!done)
        ::unlink(fresh.c_str()); // it may be what fills the disk; gone already if only the last sync failed
    return done;
}

// As it is when it is opened: what happens to it meanwhile, the copy's check will tell.
[[nodiscard]] Result<void> copy_file(int from, std::uint64_t size, NewFile& to) {
    constexpr std::uint64_t k_block = 256 * 1024; // bytes
    std::string block;
    for (std::uint64_t at = 0; at < size; at += block.size()) {
        block.resize(std::min(k_block, size - at));
        GATE_CHECK(read_exact_at(from, std::as_writable_bytes(std::span(block)), at));
        GATE_CHECK(to.append(block));
    }
    to.push();
    return {};
}

[[nodiscard]] Result<Fd> open_source(const std::string& from, uid_t owner) {
    auto mine = open_trusted(from.c_str(), owner);
    return mine || mine.error().code != Errc::wrong_owner ? std::move(mine) : open_trusted(from.c_str(), 0);
}

} // namespace

Result<void> put_in_place(const std::string& fresh, const std::string& path, uid_t owner) {
    return replace_or_remove(fresh, path, owner, Direction::any);
}

Result<void> install(const std::string& from, const std::string& path, uid_t owner, bool allow_older) {
    const std::string fresh = path + ".new";
    GATE_TRY(Fd source, open_source(from, owner));
    // Before anything is copied, so that a file that is no keyring does not fill the disk. What counts is
    // what the copy says.
    GATE_TRY(const Reader reader, Reader::of(std::move(source)));
    GATE_TRY(NewFile copy, NewFile::create(fresh));
    GATE_CHECK(copy_file(reader.fd(), reader.header().file_size, copy));
    return replace_or_remove(fresh, path, owner, allow_older ? Direction::any : Direction::newer);
}

Result<void> publish(const std::string& path, const Contents& contents, uid_t owner) {
    const std::string fresh = path + ".new";
    GATE_TRY(Builder builder, Builder::create(fresh, contents.generation, contents.created));
    builder.expect(contents.keys.size());
    for (const KeyRecord& key : contents.keys)
        GATE_CHECK(builder.add(key));
    GATE_CHECK(builder.finish(contents.policy, Builder::Sync::later));
    return put_in_place(fresh, path, owner);
}

} // namespace gate::keyring
