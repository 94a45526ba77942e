#include "gatectl/keys/last_use.h"

#include "gatectl/problem.h"
#include "lib/base/text.h"
#include "lib/spool/memory.h"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

namespace gate::ctl {

namespace {

// A directory of that many files is read once, 4 MB of times; in a larger one each key that is shown is
// looked for.
constexpr std::size_t k_most_listed = 100'000;

[[nodiscard]] int digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The other way of memory_name().
[[nodiscard]] std::optional<keyring::Fingerprint> fingerprint_of(std::string_view name) {
    keyring::Fingerprint out{};
    if (!name.starts_with("k-") || name.size() != 2 + 2 * out.size())
        return std::nullopt;
    name.remove_prefix(2);
    for (std::size_t i = 0; i < out.size(); ++i) {
        const int high = digit(name[2 * i]);
        const int low = digit(name[2 * i + 1]);
        if (high < 0 || low < 0)
            return std::nullopt;
        out[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return out;
}

// nullopt: it is not there, or not a file.
[[nodiscard]] std::optional<std::int64_t> time_of(int directory, const char* name) {
    struct stat st {};
    if (::fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return std::nullopt;
    return st.st_mtim.tv_sec;
}

struct CloseDirectory {
    void operator()(DIR* d) const { ::closedir(d); }
};

} // namespace

LastUses::LastUses(const std::string& directory, Asked asked) : path_(directory) {
    directory_.reset(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory_.valid() && errno != ENOENT)
        stop(status_of_errno(errno), "cannot see when keys were used last: {}: {}", escape_visible(path_),
             describe(fail_errno("cannot open the directory").error()));
    if (directory_.valid() && asked == Asked::many)
        read_all();
}

void LastUses::read_all() {
    const int copy = ::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0);
    const std::unique_ptr<DIR, CloseDirectory> stream(copy < 0 ? nullptr : ::fdopendir(copy));
    if (stream == nullptr)
        stop(Status::io, "cannot read {}: {}", escape_visible(path_), describe(fail_errno("").error()));
    while (const dirent* entry = ::readdir(stream.get())) {
        const auto fingerprint = fingerprint_of(entry->d_name);
        if (!fingerprint)
            continue;
        if (times_.size() == k_most_listed) {
            times_.clear();
            return;
        }
        if (const auto time = time_of(directory_.get(), entry->d_name))
            times_.emplace_back(*fingerprint, *time);
    }
    std::sort(times_.begin(), times_.end());
    listed_ = true;
}

std::int64_t LastUses::of(const std::string& fingerprint) const {
    const auto wanted = keyring::parse_fingerprint(fingerprint);
    if (!directory_.valid() || !wanted)
        return 0;
    if (!listed_)
        return time_of(directory_.get(), spool::memory_name(*wanted).c_str()).value_or(0);
    const auto found = std::lower_bound(times_.begin(), times_.end(), std::pair(*wanted, std::int64_t{0}));
    return found != times_.end() && found->first == *wanted ? found->second : 0;
}

} // namespace gate::ctl
