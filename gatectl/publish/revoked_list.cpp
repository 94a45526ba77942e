#include "gatectl/publish/revoked_list.h"

#include "gatectl/keys/ftp_user.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gate::ctl {

namespace {

[[nodiscard]] bool is_so_already(const std::string& path, const std::string& text) {
    const auto fd = open_trusted(path.c_str(), ::geteuid());
    struct stat st {};
    if (!fd || ::fstat(fd->get(), &st) != 0 || static_cast<std::uint64_t>(st.st_size) != text.size() ||
        (st.st_mode & 0777) != 0644)
        return false;
    const auto there = read_all(fd->get(), text.size());
    return there && *there == text;
}

} // namespace

void RevokedList::add(const keyring::KeyRecord& record) {
    if (record.state != keyring::KeyState::revoked || is_ftp_type(record.type))
        return; // sshd would refuse every key for a line that is none
    text_ += record.type;
    text_ += ' ';
    text_ += base64_encode(as_bytes(record.blob));
    text_ += '\n';
}

Result<void> RevokedList::write(const std::string& path) const {
    if (is_so_already(path, text_))
        return {};
    const std::string fresh = path + ".new";
    ::unlink(fresh.c_str());
    Fd fd{::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)};
    if (!fd.valid() || ::fchmod(fd.get(), 0644) != 0)
        return fail_errno("cannot create the new list of revoked keys");
    GATE_CHECK(write_all(fd.get(), std::as_bytes(std::span(text_))));
    if (::fsync(fd.get()) != 0)
        return fail_errno("cannot sync the new list of revoked keys");
    if (::rename(fresh.c_str(), path.c_str()) != 0)
        return fail_errno("cannot put the list of revoked keys in place");
    return {};
}

std::string revoked_list_path(const std::string& keyring) {
    return keyring.substr(0, keyring.rfind('/') + 1) + "revoked_keys";
}

} // namespace gate::ctl
