// The Dropbox as the front has it: content is staged in memory, everything else is asked of the publisher.
//
// A small file of a session that sends many costs one question and not two: the publisher grants room for the
// next file beforehand, and the front, which has the same policy, lets it in by the same rules
// (spool::Admission). That is only so that the client hears early; the publisher decides again when the file
// is handed over.
#pragma once

#include "forcecmd/channel.h"
#include "forcecmd/front/dropbox.h"
#include "forcecmd/front/staged.h"
#include "lib/spool/admission.h"
#include "lib/spool/content.h"

#include <array>

namespace gate::drop {

class RemoteDropbox final : public Dropbox {
  public:
    // All must outlive the object. drop.max_file_size bounds one file, and all that is staged at a time.
    RemoteDropbox(Channel& channel, const keyring::Policy& policy, const keyring::KeyRecord& key)
        : channel_(channel), max_(policy.drop_max_file_size), check_content_(policy.content_check),
          admission_(policy, key) {}

    [[nodiscard]] spool::Reason begin(std::string_view name, std::optional<std::uint64_t> size,
                                      FileId& file) override;
    [[nodiscard]] spool::Reason write(FileId file, std::uint64_t offset, std::string_view bytes) override;
    [[nodiscard]] std::uint64_t size(FileId file) const override;
    [[nodiscard]] bool whole(FileId file) const override;
    [[nodiscard]] std::uint64_t max_size() const override { return max_; }
    [[nodiscard]] spool::Reason truncate(FileId file, std::uint64_t size) override;
    [[nodiscard]] spool::Reason rename(FileId file, std::string_view name) override;
    [[nodiscard]] spool::Reason commit(FileId file) override;
    [[nodiscard]] std::optional<spool::Reason> commit_ahead(FileId file) override;
    [[nodiscard]] spool::Reason settle() override;
    void abort(FileId file, spool::Reason why) override;
    void refused(spool::Reason why, std::string_view request) override;

    // The publisher is gone: nothing can be taken any more.
    [[nodiscard]] bool broken() const { return broken_; }

  private:
    struct File {
        Staged content;
        spool::Reason reason = spool::Reason::none;
        bool granted = false; // the publisher has not heard of it yet
        std::string name;     // of a granted one
        spool::FileName::Kind kind = spool::FileName::Kind::packet;
        std::uint64_t declared = k_unknown_size;
    };
    struct Grant {
        std::uint64_t size;
        bool any_size;
        std::int64_t until_ms; // monotonic
    };
    // A file that was handed over, and whose answer has not come, or has not been asked for.
    struct Pending {
        std::uint64_t size;
        bool told_of_room = false; // whether there is a grant for the next one
        std::optional<spool::Reason> answer{};
    };
    [[nodiscard]] bool send(const Request& request, int content = -1, std::string_view small = {});
    [[nodiscard]] spool::Reason ask(const Request& request, int content = -1, std::string_view small = {});
    void tell(const Request& request);
    // The answer to what was sent last; what comes before it is taken.
    [[nodiscard]] spool::Reason receive_answer();
    // The answer to the file that was handed over has come, or the publisher is gone.
    void receive_pending();
    void take_grant();
    void take(const Reply& reply);
    [[nodiscard]] bool is_granted(std::string_view name, std::optional<std::uint64_t> size);
    // The file as the publisher gets it: whole, closed, and read. Otherwise why not; it was given up then.
    [[nodiscard]] spool::Reason close(FileId number, Request& request);
    [[nodiscard]] Result<spool::Verdict> read_content(const File& file);
    [[nodiscard]] std::uint64_t staged_bytes() const;

    Channel& channel_;
    const std::uint64_t max_;
    const bool check_content_;
    spool::ContentChecker checker_;
    spool::Admission admission_;
    std::optional<Grant> grant_;
    std::optional<Pending> pending_;
    std::array<std::optional<File>, k_max_open_files> files_;
    bool broken_ = false;
};

} // namespace gate::drop
