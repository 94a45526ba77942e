// A gate::Fs over the real file system that fails the n-th call, writes in short pieces, lacks O_TMPFILE or
// link(2), and remembers what was asked for. It never waits for a disk: what a power cut leaves is tested
// elsewhere.
#pragma once

#include "lib/base/fs.h"

#include <algorithm>
#include <functional>
#include <vector>

namespace gate::test {

class FakeFs final : public Fs {
  public:
    enum class Op {
        open_tmpfile,
        create,
        write,
        reserve,
        truncate,
        set_mode,
        set_group,
        sync_data,
        sync_directory,
        link_fd,
        link_name,
        rename_new,
        unlink,
        free_space,
    };

    unsigned fail_at = 0;    // the call that fails, from 1; 0 = none
    int error = 0;           // its errno
    bool after = false;      // it fails after having done its work (a lost answer of NFS, a late I/O error)
    bool no_tmpfile = false; // a file system without O_TMPFILE
    bool no_link = false;    // one without hard links
    bool no_link_fd = false; // a machine where an unnamed file cannot be given a name
    std::size_t max_write = SIZE_MAX;
    std::function<void(const char* name)> after_create; // what another process does just then
    std::function<void(Op op)> before;

    std::vector<Op> calls;
    bool injected = false;
    Op injected_op{};

    Result<Fd> open_tmpfile(int dir, mode_t mode) override {
        if (no_tmpfile)
            return fail(Errc::not_found, "no unnamed files here", EOPNOTSUPP);
        return call<Fd>(Op::open_tmpfile, [&] { return Fs::open_tmpfile(dir, mode); });
    }
    Result<Fd> create(int dir, const char* name, mode_t mode) override {
        auto made = call<Fd>(Op::create, [&] { return Fs::create(dir, name, mode); });
        if (made && after_create)
            after_create(name);
        return made;
    }
    Result<std::size_t> write(int fd, std::span<const std::byte> bytes) override {
        const auto part = bytes.first(std::min(bytes.size(), max_write));
        return call<std::size_t>(Op::write, [&]() -> Result<std::size_t> {
            return part.empty() ? Result<std::size_t>(0U) : Fs::write(fd, part);
        });
    }
    Result<void> reserve(int fd, std::uint64_t bytes) override {
        return call<void>(Op::reserve, [&] { return Fs::reserve(fd, bytes); });
    }
    Result<void> truncate(int fd, std::uint64_t bytes) override {
        return call<void>(Op::truncate, [&] { return Fs::truncate(fd, bytes); });
    }
    Result<void> set_mode(int fd, mode_t mode) override {
        return call<void>(Op::set_mode, [&] { return Fs::set_mode(fd, mode); });
    }
    Result<void> set_group(int fd, gid_t group) override {
        return call<void>(Op::set_group, [&] { return Fs::set_group(fd, group); });
    }
    Result<void> sync_data(int) override {
        return call<void>(Op::sync_data, [] { return Result<void>{}; });
    }
    Result<void> sync_directory(int) override {
        return call<void>(Op::sync_directory, [] { return Result<void>{}; });
    }
    Result<void> link_fd(int fd, int to_dir, const char* to_name) override {
        return call<void>(Op::link_fd, [&]() -> Result<void> {
            if (no_link_fd)
                return fail(Errc::not_found, "an unnamed file cannot be given a name here", ENOENT);
            return Fs::link_fd(fd, to_dir, to_name);
        });
    }
    bool can_link_fd(int fd, int to_dir) override { return !no_link_fd && Fs::can_link_fd(fd, to_dir); }
    Result<void> link_name(int from_dir, const char* from, int to_dir, const char* to) override {
        return call<void>(Op::link_name, [&]() -> Result<void> {
            if (no_link)
                return fail(Errc::system, "cannot link the file", EPERM);
            return Fs::link_name(from_dir, from, to_dir, to);
        });
    }
    Result<void> rename_new(int from_dir, const char* from, int to_dir, const char* to) override {
        return call<void>(Op::rename_new, [&] { return Fs::rename_new(from_dir, from, to_dir, to); });
    }
    Result<void> unlink(int dir, const char* name) override {
        return call<void>(Op::unlink, [&] { return Fs::unlink(dir, name); });
    }
    Result<FreeSpace> free_space(int dir) override {
        return call<FreeSpace>(Op::free_space, [&] { return Fs::free_space(dir); });
    }

  private:
    template<class T, class Work>
    Result<T> call(Op op, Work work) {
        calls.push_back(op);
        if (before)
            before(op);
        if (calls.size() != fail_at)
            return work();
        injected = true;
        injected_op = op;
        if (after)
            static_cast<void>(work().has_value());
        errno = error;
        if (error == EEXIST)
            return fail(Errc::exists, "injected", EEXIST);
        return fail_errno("injected");
    }
};

} // namespace gate::test
