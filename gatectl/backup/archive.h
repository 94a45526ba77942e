// The file of a backup: a pax tar, perhaps compressed, written and read by libarchive. A reader trusts
// nothing in it: it gives out regular files, one after the other, and refuses everything else that a tar can
// hold.
#pragma once

#include "gatectl/backup/manifest.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

struct archive;
struct archive_entry;

namespace gate::ctl::backup {

using Bytes = std::span<const std::uint8_t>;

class ArchiveWriter {
  public:
    // `shown` is how messages call the file. All of these throw Problem (io).
    ArchiveWriter(int fd, bool compressed, std::string shown);
    // The bytes come by write(), and are as many as member.size says.
    void begin(const Member& member);
    void write(Bytes bytes);
    void finish();

  private:
    struct Free {
        void operator()(archive* p) const;
    };
    void demand(int status, const char* doing);
    std::string shown_;
    std::unique_ptr<archive, Free> archive_;
};

class ArchiveReader {
  public:
    // All of these throw Problem (bad_data, io).
    ArchiveReader(int fd, std::string shown);
    // The next member; false at the end.
    [[nodiscard]] bool next();
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] std::uint64_t size() const { return size_; }
    // All of it, in pieces; exactly size() bytes.
    void read(const std::function<void(Bytes)>& take);

  private:
    struct Free {
        void operator()(archive* p) const;
    };
    [[noreturn]] void damaged(const char* doing);
    std::string shown_;
    std::unique_ptr<archive, Free> archive_;
    std::string name_;
    std::uint64_t size_ = 0;
    bool any_ = false;
};

} // namespace gate::ctl::backup
