// A Dropbox in memory, with scripted refusals and a log of what it was asked, and the means to play a
// client's bytes to a Machine in any chunking.
#pragma once

#include "forcecmd/front/dropbox.h"
#include "forcecmd/front/extents.h"
#include "lib/spool/name.h"
#include "tests/unit/support.h"

#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace gate::test {

class FakeDropbox final : public drop::Dropbox {
  public:
    using Reason = spool::Reason;

    // What is refused, and when. Names are judged as in lib/spool besides.
    std::map<std::string, Reason, std::less<>> refuse_begin;
    std::map<std::string, Reason, std::less<>> refuse_write; // at the first byte
    std::map<std::string, Reason, std::less<>> refuse_commit;
    std::uint64_t max_file_size = 2'000'000;
    std::uint32_t max_open = 8;

    // One line a call; the writes of a file that follow on each other are one.
    std::vector<std::string> calls;
    std::vector<std::pair<std::string, std::string>> delivered; // name, content

    Reason begin(std::string_view name, std::optional<std::uint64_t> size, drop::FileId& file) override {
        const std::string call =
            "begin " + escape_visible(name) + " " + (size ? std::to_string(*size) : std::string("?"));
        if (const Reason reason = judge(name, size); reason != Reason::none)
            return answer(call, reason);
        drop::FileId id = 0;
        while (files_.contains(id))
            ++id;
        if (id >= max_open)
            return answer(call, Reason::open_files);
        files_[id].name = name;
        file = id;
        return answer(call, Reason::none);
    }

    Reason write(drop::FileId id, std::uint64_t offset, std::string_view bytes) override {
        File& file = open_file(id);
        if (file.reason != Reason::none)
            return file.reason;
        const std::string call = "write " + file.name + " @";
        if (const auto refusal = refuse_write.find(file.name); refusal != refuse_write.end())
            return file.reason = answer(call, refusal->second);
        if (offset > max_file_size || bytes.size() > max_file_size - offset)
            return file.reason = answer(call, Reason::size_file);
        if (last_write_.first != &file || last_write_.second != offset || calls.empty() ||
            !calls.back().starts_with(call))
            calls.push_back(call + std::to_string(offset));
        last_write_ = {&file, offset + bytes.size()};
        const std::size_t end = offset + bytes.size();
        file.content.resize(std::max(file.content.size(), end), '\0');
        file.content.replace(offset, bytes.size(), bytes);
        return file.extents.add(offset, end) ? Reason::none : file.reason = Reason::incomplete;
    }

    std::uint64_t size(drop::FileId id) const override {
        const auto found = files_.find(id);
        if (found == files_.end())
            raise(__FILE__, __LINE__, "size of a file that is not open");
        return found->second.extents.size();
    }

    bool whole(drop::FileId id) const override {
        const auto found = files_.find(id);
        return found != files_.end() && found->second.extents.whole();
    }

    std::uint64_t max_size() const override { return max_file_size; }

    Reason truncate(drop::FileId id, std::uint64_t size) override {
        File& file = open_file(id);
        if (file.reason != Reason::none)
            return file.reason;
        if (size > file.extents.size())
            return answer("truncate " + file.name, Reason::incomplete);
        file.content.resize(size);
        file.extents.cut(size);
        return answer("truncate " + file.name + " " + std::to_string(size), Reason::none);
    }

    Reason rename(drop::FileId id, std::string_view name) override {
        demand_settled();
        File& file = open_file(id);
        const std::string call = "rename " + file.name + " " + escape_visible(name);
        if (const Reason reason = judge(name, std::nullopt); reason != Reason::none)
            return answer(call, reason);
        file.name = name;
        return answer(call, Reason::none);
    }

    // The answer always comes later: what a machine makes of it must not depend on when that is.
    std::optional<Reason> commit_ahead(drop::FileId id) override {
        pending_ = commit(id);
        return std::nullopt;
    }
    Reason settle() override {
        if (!pending_)
            raise(__FILE__, __LINE__, "nothing to settle");
        return *std::exchange(pending_, std::nullopt);
    }

    Reason commit(drop::FileId id) override {
        demand_settled();
        File& file = open_file(id);
        Reason reason = file.reason;
        if (reason == Reason::none && !file.extents.whole())
            reason = Reason::incomplete;
        if (const auto refusal = refuse_commit.find(file.name);
            reason == Reason::none && refusal != refuse_commit.end())
            reason = refusal->second;
        answer("commit " + file.name + " " + std::to_string(file.content.size()), reason);
        if (reason == Reason::none)
            delivered.emplace_back(file.name, file.content);
        files_.erase(id);
        return reason;
    }

    void abort(drop::FileId id, Reason why) override {
        calls.push_back("abort " + open_file(id).name + " " + std::string(spool::text_of(why).code));
        files_.erase(id);
    }

    void refused(Reason why, std::string_view request) override {
        calls.push_back("refused " + std::string(spool::text_of(why).code) + " " + escape_visible(request));
    }

    [[nodiscard]] std::size_t open_files() const { return files_.size() + (pending_ ? 1 : 0); }

  private:
    struct File {
        std::string name;
        std::string content;
        drop::Extents extents;
        Reason reason = Reason::none;
    };

    Reason judge(std::string_view name, std::optional<std::uint64_t> size) const {
        if (const auto refusal = refuse_begin.find(name); refusal != refuse_begin.end())
            return refusal->second;
        spool::FileName parsed;
        if (const Reason reason = spool::parse_file_name(name, parsed); reason != Reason::none)
            return reason;
        return size.value_or(0) > max_file_size ? Reason::size_file : Reason::none;
    }

    File& open_file(drop::FileId id) {
        const auto found = files_.find(id);
        if (found == files_.end())
            raise(__FILE__, __LINE__, "a file that is not open");
        return found->second;
    }

    void demand_settled() const {
        if (pending_)
            raise(__FILE__, __LINE__, "the answer to another file is still owed");
    }

    Reason answer(const std::string& call, Reason reason) {
        calls.push_back(reason == Reason::none ? call
                                               : call + " = " + std::string(spool::text_of(reason).code));
        return reason;
    }

    std::optional<Reason> pending_;
    std::map<drop::FileId, File> files_;
    std::pair<const File*, std::uint64_t> last_write_{nullptr, 0};
};

// What a client saw, and what it brought about.
struct Outcome {
    std::string answers;
    std::string calls; // a line each
    std::vector<std::pair<std::string, std::string>> delivered;
    bool finished = false; // before the end of input
    int status = 0;

    bool operator==(const Outcome&) const = default;
};

using MakeMachine = std::function<std::unique_ptr<drop::Machine>(drop::Dropbox&)>;
using SetUp = std::function<void(FakeDropbox&)>;

// `chunk()` says how many bytes come next; then the input ends.
inline Outcome play(const MakeMachine& make, const SetUp& set_up, std::string_view input,
                    const std::function<std::size_t()>& chunk) {
    FakeDropbox dropbox;
    if (set_up)
        set_up(dropbox);
    Outcome out;
    const auto machine = make(dropbox);
    bool settled = false;
    machine->start(out.answers);
    while (!input.empty() && !machine->finished()) {
        // A copy of just these bytes: reading behind them is seen by the sanitizers.
        const std::string piece(input.substr(0, chunk()));
        machine->feed(piece, out.answers);
        input.remove_prefix(piece.size());
        // As when no input is there: sometimes.
        if (machine->waiting() && (settled = !settled))
            machine->settle(out.answers);
    }
    out.finished = machine->finished();
    if (!out.finished)
        machine->end_of_input(out.answers);
    CHECK(machine->finished());
    out.status = machine->exit_status();
    CHECK_EQ(dropbox.open_files(), 0U); // whatever happened: each file was committed or aborted
    for (const std::string& call : dropbox.calls)
        out.calls += call + '\n';
    out.delivered = std::move(dropbox.delivered);
    return out;
}

// The same in one piece, byte by byte, and in random pieces: there must be no difference.
inline Outcome play_any_way(const MakeMachine& make, const SetUp& set_up, std::string_view input) {
    Outcome whole = play(make, set_up, input, [&] { return input.size(); });
    auto random = seeded();
    for (int way = 0; way < 6; ++way) {
        const std::size_t most = way == 0 ? 1 : std::size_t{2} << (way * 2);
        const Outcome again = play(make, set_up, input, [&] { return 1 + random() % most; });
        CHECK_EQ(escape_visible(again.answers, 100'000), escape_visible(whole.answers, 100'000));
        CHECK_EQ(again.calls, whole.calls);
        CHECK_MSG(again == whole, "chunking makes a difference");
    }
    return whole;
}

} // namespace gate::test
