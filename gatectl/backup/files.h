// Whole files, in and out of a backup: read with their SHA-256, put in place beside the old one and renamed,
// and the old one kept.
#pragma once

#include "gatectl/backup/archive.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"

#include <array>
#include <openssl/sha.h>
#include <string>
#include <sys/stat.h>

namespace gate::ctl::backup {

class Digest {
  public:
    Digest() { SHA256_Init(&ctx_); }
    void add(Bytes bytes) { SHA256_Update(&ctx_, bytes.data(), bytes.size()); }
    [[nodiscard]] std::string hex();

  private:
    SHA256_CTX ctx_{};
};

// A file's bytes from its beginning, in pieces. False: errno says why.
[[nodiscard]] bool each_piece(int fd, const std::function<void(Bytes)>& take);

// A new file (O_EXCL, 0600) for bytes that are not to be seen by others; synced by close_synced(). Throw
// Problem.
[[nodiscard]] Fd create_private(const std::string& path);
void write_to(int fd, Bytes bytes, const std::string& path);
void sync_file(int fd, const std::string& path);
void sync_directory(const std::string& path);

struct Look {
    uid_t uid = 0;
    gid_t gid = 0;
    mode_t mode = 0600;
    std::int64_t mtime_ns = 0;
};
// Puts a copy of `from` under that name in `dir`, whatever is there: made beside it (through no link: the
// directory may be an account's), synced, renamed.
[[nodiscard]] Result<void> install(const std::string& from, int dir, const std::string& name,
                                   const Look& look);

// The copies of what a restore replaces.
class Kept {
  public:
    // `resumed`: an earlier restore was interrupted. What it has kept is what was there before both, and
    // stays.
    explicit Kept(bool resumed) : resumed_(resumed) {}
    // A second name, *.before-restore, for what is there now. False: nothing is there. Throws Problem.
    bool keep(const std::string& path);

  private:
    bool resumed_;
};
inline constexpr const char* k_kept = ".before-restore";

} // namespace gate::ctl::backup
