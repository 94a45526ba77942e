// Writes a keyring, one record at a time: what stays in memory is 48 bytes a key. The file is a new one, of
// its own name; putting it in place is writer.h's. Root's business; never linked into the login path.
#pragma once

#include "lib/base/fd.h"
#include "lib/keyring/entries.h"
#include "lib/keyring/format.h"
#include "lib/keyring/policy.h"
#include "lib/keyring/record.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gate::keyring {

// A new file under a name of its own, which goes again with the object unless it was kept.
class NewFile {
  public:
    // What lies under the name is removed first: a left-over of somebody who was killed. Mode 0644 whatever
    // the umask is: the login path reads it without privilege. Errors: system, no_space.
    [[nodiscard]] static Result<NewFile> create(const std::string& path);
    NewFile(NewFile&& other) noexcept;
    NewFile& operator=(NewFile&& other) noexcept;
    ~NewFile() { remove(); }

    // Behind what was written before. Writing to the disk begins soon, so that a later sync has little left.
    [[nodiscard]] Result<void> append(std::string_view bytes);
    [[nodiscard]] Result<void> write_at(std::string_view bytes, std::uint64_t offset);
    // Waits until all of it is on the disk.
    [[nodiscard]] Result<void> sync();
    // Begins to write what is not yet on its way, without waiting.
    void push();
    void keep() { path_.clear(); }
    [[nodiscard]] std::uint64_t size() const { return size_; }

  private:
    NewFile(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
    void remove() noexcept;

    Fd fd_;
    std::string path_; // empty: the file stays
    std::uint64_t size_ = 0;
    std::uint64_t pushed_ = 0;
};

class Builder {
  public:
    // Errors: system, no_space.
    [[nodiscard]] static Result<Builder> create(const std::string& path, std::uint64_t generation,
                                                std::int64_t created);
    // How many keys there will be, if that is known: saves memory.
    void expect(std::size_t keys) { entries_.reserve(keys); }

    // In any order; nothing is faster than that of the fingerprints. After an error of writing the file is
    // lost, and finish() says so too. Errors: bad_input (incomplete), too_large, system, no_space.
    [[nodiscard]] Result<void> add(const KeyRecord& key);
    // The same with a payload that Reader::each() gave, as it is.
    [[nodiscard]] Result<void> copy(const Fingerprint& fingerprint, std::string_view payload, KeyState state);

    enum class Sync {
        now,
        later, // put_in_place() waits for the disk: the file is read back in the meantime
    };
    // The index, the policy and the header. Until then the file is no keyring.
    // Errors: bad_input (two keys with one fingerprint), system, no_space.
    [[nodiscard]] Result<void> finish(const Policy& policy, Sync sync = Sync::now);
    // Without it the file goes with the builder.
    void keep() { file_.keep(); }

    [[nodiscard]] std::uint64_t keys() const { return entries_.size(); }
    [[nodiscard]] std::uint64_t active() const { return active_; }
    [[nodiscard]] std::uint64_t generation() const { return generation_; }

  private:
    Builder(NewFile file, std::uint64_t generation, std::int64_t created);
    // What lies in the buffer from `start` is a record without its checksum.
    [[nodiscard]] Result<void> seal(std::size_t start, const Fingerprint& fingerprint, KeyState state);
    [[nodiscard]] std::size_t begin_record(const Fingerprint& fingerprint);
    [[nodiscard]] Result<void> flush(std::size_t most);
    [[nodiscard]] Result<void> write_index(Header& header);
    [[nodiscard]] Result<void> write_rest(const Policy& policy);
    [[nodiscard]] std::uint64_t written() const { return file_.size() + buffer_.size(); }

    NewFile file_;
    std::uint64_t generation_;
    std::int64_t created_;
    std::string buffer_; // what comes after the file's present end
    Entries entries_;
    std::uint64_t active_ = 0;
    bool sorted_ = true;
    Result<void> outcome_; // the failure after which the file is lost
};

} // namespace gate::keyring
