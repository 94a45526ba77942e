// A machine for the doctor: files below a directory of the test, owners by a list, and an sshd that says what
// the drop-in says.
#pragma once

#include "tests/unit/support.h"
#include "tests/unit/test_ctl_place.h"

#include "gatectl/doctor/commands.h"
#include "gatectl/doctor/table.h"

#include <map>

namespace gate::test {

// 2026-11-24 12:00 UTC.
inline constexpr std::int64_t k_noon = 1'795'521'600;

struct Owner {
    uid_t uid = 0;
    gid_t gid = 0;
};

class FakeMachine : public ctl::doctor::Machine {
  public:
    explicit FakeMachine(std::string root) : Machine(root), root_(std::move(root)) {}

    std::map<std::string, Owner> owners; // root's, if not listed
    std::map<std::string, dev_t> devices;
    std::string sshd_says; // beside what the drop-in sets
    std::string version = "OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.9";
    bool camel_case = false; // sshd -T as from 10.5 on
    bool sshd_fails = false;
    bool logger = true;
    std::int64_t time = k_noon;

    void put(const std::string& path, std::string_view text, mode_t mode = 0644) {
        make_parents(path);
        write_file(at(path), text, mode);
    }
    void make(const std::string& path, mode_t mode, Owner owner = {}) {
        std::filesystem::create_directories(at(path));
        if (::chmod(at(path).c_str(), mode) != 0)
            raise(__FILE__, __LINE__, "chmod " + path);
        owners[path] = owner;
    }
    void replace(const std::string& path, std::string_view what, std::string_view with) {
        std::string text = read_file(at(path));
        const std::size_t found = text.find(what);
        CHECK_MSG(found != std::string::npos, path + " has no " + std::string(what));
        write_file(at(path), text.replace(found, what.size(), with));
    }

    // The store, the keyring and what lies beside them are where the place has them.
    [[nodiscard]] std::string at(std::string_view path) const override {
        return path.starts_with(root_) ? std::string(path) : root_ + std::string(path);
    }
    [[nodiscard]] std::optional<struct stat> stat(const std::string& path) const override {
        return owned(path, Machine::stat(path));
    }
    [[nodiscard]] std::optional<struct stat> lstat(const std::string& path) const override {
        return owned(path, Machine::lstat(path));
    }
    [[nodiscard]] std::optional<struct stat> owned(const std::string& path,
                                                   std::optional<struct stat> st) const {
        if (!st)
            return st;
        const auto owner = owners.find(path);
        st->st_uid = owner == owners.end() ? 0 : owner->second.uid;
        st->st_gid = owner == owners.end() ? 0 : owner->second.gid;
        if (const auto device = devices.find(path); device != devices.end())
            st->st_dev = device->second;
        return st;
    }
    [[nodiscard]] std::optional<ctl::doctor::Space> space(const std::string&) const override {
        return ctl::doctor::Space{.available = 50'000'000'000, .total = 100'000'000'000, .memory = false};
    }
    [[nodiscard]] bool takes_datagrams(const std::string&) const override { return logger; }
    [[nodiscard]] bool runs(pid_t pid) const override { return pid == 4711; }
    [[nodiscard]] ctl::doctor::Ran run(const std::vector<std::string>& argv) const override;
    [[nodiscard]] std::int64_t now() const override { return time; }

  private:
    void make_parents(const std::string& path) {
        std::filesystem::create_directories(std::filesystem::path(at(path)).parent_path());
    }

    std::string root_;
};

// A machine that is as it should be, with one key.
struct DoctorPlace : Place {
    FakeMachine machine{dir.path()};

    DoctorPlace();
    void files();
    void directories();
    // "sshd.token sshd.tty", what was found, in the order of the checks.
    [[nodiscard]] std::string ids(const std::vector<std::string>& only = {});
    [[nodiscard]] ctl::doctor::Diagnosis diagnosis(const std::vector<std::string>& only = {});
};

} // namespace gate::test
