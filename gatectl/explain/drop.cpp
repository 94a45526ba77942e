#include "gatectl/explain/drop.h"

#include "gatectl/problem.h"
#include "lib/base/clock.h"
#include "lib/base/fs.h"
#include "lib/base/text.h"
#include "lib/spool/admission.h"
#include "lib/spool/backlog.h"
#include "lib/spool/memory.h"
#include "lib/spool/paths.h"
#include "lib/spool/pause.h"
#include "lib/spool/quarantine.h"
#include "lib/spool/record_file.h"
#include "lib/spool/request.h"

#include <fcntl.h>

namespace gate::ctl {

namespace {

using spool::Reason;

[[nodiscard]] std::string in_quotes(std::string_view text) {
    return '"' + escape_visible(text) + '"';
}

[[nodiscard]] Fd open_directory(const std::string& path) {
    return Fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
}

// One file, from its name to its content; each function says one decision.
class FileJudge {
  public:
    FileJudge(Walk& walk, const Context& context, const DropCase& drop, const FileCase& file)
        : walk_(walk), context_(context), policy_(drop.policy), key_(drop.key), account_(drop.account),
          file_(file), admission_(drop.policy, drop.key), state_(open_directory(memory_directory(context))) {}

    void judge() {
        for (const auto decision :
             {&FileJudge::name, &FileJudge::size, &FileJudge::pause, &FileJudge::backlog, &FileJudge::quota,
              &FileJudge::room, &FileJudge::content})
            if (!walk_.ended())
                (this->*decision)();
    }

  private:
    void pass(std::string what) { walk_.pass("drop", std::move(what)); }

    void name() {
        const Reason reason = admission_.check_name(file_.name, parsed_);
        if (reason != Reason::none) {
            // "of web01": what the name says, if it is a name at all.
            spool::FileName any;
            const bool named = spool::parse_file_name(file_.name, any) == Reason::none;
            walk_.refuse(reason,
                         named ? fmt::format("{} is a file of {}, for which the key may not send",
                                             in_quotes(file_.name), in_quotes(any.agent))
                               : fmt::format("{}: {}", in_quotes(file_.name), spool::text_of(reason).what));
            return;
        }
        pass(fmt::format("{} is a file of {}; {}", in_quotes(file_.name), in_quotes(parsed_.agent),
                         binding()));
    }

    [[nodiscard]] std::string binding() const {
        const bool agrees = spool::name_agrees(key_, parsed_.agent);
        switch (admission_.mode()) {
        case spool::BindingMode::enforce:
            return "the key may send for it";
        case spool::BindingMode::observe:
            return agrees ? "the key may send for it"
                          : "the key is not bound to it, which is only observed (binding observe)";
        case spool::BindingMode::learn:
            return "the key has no agent yet, and learns one";
        case spool::BindingMode::off:
        case spool::BindingMode::refuse:
            break;
        }
        return "the key may send for anybody (binding off)";
    }

    void size() {
        const std::uint64_t bytes = file_.size.value_or(0);
        const Reason reason = admission_.check_size(bytes);
        if (reason != Reason::none)
            return walk_.refuse(
                reason, fmt::format("{} bytes, and max_file_size is {}", bytes, policy_.drop_max_file_size));
        if (file_.size)
            pass(fmt::format("{} bytes of {} at the most", bytes, policy_.drop_max_file_size));
    }

    void pause() {
        const std::string path = state_directory(context_) + '/' + k_pause_name;
        auto fd = spool::open_shared(AT_FDCWD, path.c_str(), spool::Open::read, 0);
        if (!fd && fd.error().code == Errc::wrong_owner)
            fd = spool::open_shared(AT_FDCWD, path.c_str(), spool::Open::read, account_);
        if (!fd)
            return; // none was ever made: no pause
        const auto pause = spool::read_pause(fd->get());
        if (!pause || pause->holds_at(wall_clock_us() / 1'000'000)) {
            walk_.refuse(Reason::paused, "deliveries are paused");
            walk_.steps.back().remedy = "pandora-gate resume";
        }
    }

    void backlog() {
        const Fd data_in = open_directory(policy_.spool_directory);
        if (!data_in.valid())
            return walk_.refuse(Reason::spool_unavailable,
                                fmt::format("{}: {}", escape_visible(policy_.spool_directory),
                                            describe(fail_errno("cannot open it").error())));
        const auto waiting = spool::count_files(data_in.get(), std::uint64_t{policy_.spool_max_backlog} + 1);
        if (waiting && *waiting >= policy_.spool_max_backlog)
            return walk_.refuse(Reason::backlog, fmt::format("{} files or more wait in data_in, and "
                                                             "spool.max_backlog is {}",
                                                             *waiting, policy_.spool_max_backlog));
        if (waiting)
            pass(fmt::format("{} of {} files wait in data_in", *waiting, policy_.spool_max_backlog));
    }

    void quota() {
        spool::Memory::Hold::Sum recent{};
        spool::Memory memory(policy_);
        if (state_.valid() &&
            memory.open_to_look(state_.get(), spool::memory_name(key_.fingerprint), account_))
            recent = spool::Memory::Hold(memory, wall_clock_us()).recent();
        if (recent.files >= policy_.quota_files)
            return walk_.refuse(Reason::quota_files,
                                fmt::format("{} files within {} s, and the key's quota is {}", recent.files,
                                            policy_.quota_window, policy_.quota_files));
        if (recent.bytes > policy_.quota_bytes || file_.size.value_or(1) > policy_.quota_bytes - recent.bytes)
            return walk_.refuse(Reason::quota_bytes,
                                fmt::format("{} bytes within {} s, and the key's quota is {}", recent.bytes,
                                            policy_.quota_window, policy_.quota_bytes));
        pass(fmt::format("{} of {} files and {} of {} bytes within {} s", recent.files, policy_.quota_files,
                         recent.bytes, policy_.quota_bytes, policy_.quota_window));
    }

    void room() {
        if (parsed_.kind == spool::FileName::Kind::checksum)
            return; // it is thrown away
        const Fd staging = open_directory(policy_.spool_staging);
        Fs fs;
        const auto space =
            staging.valid() ? fs.free_space(staging.get()) : Result<FreeSpace>(fail_errno("cannot open it"));
        if (!space)
            return walk_.refuse(
                Reason::spool_unavailable,
                fmt::format("{}: {}", escape_visible(policy_.spool_staging), describe(space.error())));
        if (const Reason reason = admission_.check_space(*space, file_.size); reason != Reason::none)
            walk_.refuse(reason, fmt::format("{} bytes are free where spool.staging is", space->available));
    }

    void content() {
        if (parsed_.kind == spool::FileName::Kind::checksum)
            return walk_.end({"drop", "nobody reads a .checksum: it is thrown away", Outcome::taken});
        if (file_.packet_agent.empty())
            return walk_.end(
                {"drop", "into data_in, if the packet names no other agent (--agent)", Outcome::taken});
        const spool::Verdict verdict{spool::Content::well_formed, file_.packet_agent};
        const Reason reason = spool::check_binding(key_, parsed_.agent, verdict);
        const std::string what = fmt::format("a packet of {}", in_quotes(file_.packet_agent));
        if (reason == Reason::none || admission_.mode() == spool::BindingMode::off)
            return walk_.end({"drop", what + ", into data_in", Outcome::taken});
        if (admission_.mode() != spool::BindingMode::enforce)
            return walk_.end({"drop", what + ", into data_in" + unenforced(), Outcome::taken});
        put_away(reason, what);
    }

    [[nodiscard]] std::string unenforced() const {
        return admission_.mode() == spool::BindingMode::learn
                   ? ", and the key learns from it"
                   : "; that the key is of another agent is only told the audit (agent.mismatch)";
    }

    void put_away(Reason reason, const std::string& what) {
        const auto usage_file = state_.valid()
                                    ? spool::open_shared(state_.get(), spool::k_quarantine_usage_name,
                                                         spool::Open::read, account_)
                                    : Result<Fd>(fail(Errc::missing, ""));
        const auto usage = usage_file ? spool::read_usage(usage_file->get()) : spool::QuarantineUsage{};
        const std::uint64_t wanted = spool::charged(file_.size.value_or(0)) + spool::charged(1);
        if (usage && (usage->bytes > policy_.quarantine_max_size ||
                      wanted > policy_.quarantine_max_size - usage->bytes))
            return walk_.refuse(
                Reason::quarantine_full,
                what + fmt::format(" belongs into the quarantine, where {} of {} bytes are taken",
                                   usage->bytes, policy_.quarantine_max_size));
        const spool::ReasonText& text = spool::text_of(reason);
        walk_.end({"drop", what + ", for which neither key nor file name is: the client hears success",
                   Outcome::quarantined, std::string(text.code), std::string(text.remedy)});
    }

    Walk& walk_;
    const Context& context_;
    const keyring::Policy& policy_;
    const keyring::KeyRecord& key_;
    const uid_t account_;
    const FileCase& file_;
    const spool::Admission admission_;
    const Fd state_; // of the account
    spool::FileName parsed_{};
};

void judge_target(Walk& walk, const DropCase& drop, const spool::ClientRequest& request) {
    using Place = spool::VirtualTree::Place;
    const bool flattens = drop.policy.drop_recursive == keyring::Recursive::flatten;
    const auto at = spool::VirtualTree(drop.policy.spool_directory, flattens).locate(request.target);
    const bool one_name = at.place == Place::file && !request.target_is_directory && !request.recursive;
    const bool flattened = at.place == Place::file && request.recursive && flattens;
    if (at.place != Place::home && !one_name && !flattened)
        return walk.refuse(Reason::name_path,
                           fmt::format("scp into {}, and data_in is {}", in_quotes(request.target),
                                       escape_visible(drop.policy.spool_directory)));
    spool::FileName name;
    const spool::Admission admission(drop.policy, drop.key);
    if (one_name)
        if (const Reason reason = admission.check_name(at.name, name); reason != Reason::none)
            return walk.refuse(reason, fmt::format("scp of one file, to be called {}", in_quotes(at.name)));
    std::string what = "scp into data_in; each file is judged by its name (--file)";
    if (request.recursive && !flattens)
        what += ", a directory is refused (request.recursive)";
    walk.end({"drop", std::move(what), Outcome::taken});
}

} // namespace

void judge_command(Walk& walk, const DropCase& drop, const std::string& command) {
    using Kind = spool::ClientRequest::Kind;
    const spool::ClientRequest request = spool::parse_request(command);
    switch (request.kind) {
    case Kind::interactive:
        return walk.refuse(Reason::shell, "no command: the client is told which key it has, and no more");
    case Kind::exit:
        return walk.end({"drop", "`exit` ends at once with status 0", Outcome::taken});
    case Kind::sftp:
        return walk.end({"drop", "SFTP; each file is judged by its name (--file)", Outcome::taken});
    case Kind::scp_sink:
        return judge_target(walk, drop, request);
    case Kind::refused:
        break;
    }
    walk.refuse(request.reason,
                fmt::format("{}: {}", in_quotes(command), spool::text_of(request.reason).what));
}

void judge_file(Walk& walk, const Context& context, const DropCase& drop, const FileCase& file) {
    FileJudge(walk, context, drop, file).judge();
}

} // namespace gate::ctl
