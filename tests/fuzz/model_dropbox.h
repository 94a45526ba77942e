// A Dropbox that judges who calls it: every call in its place, nothing done to a file that is not open,
// nothing committed that a write has failed for, no more files open than there may be. It shares no code with
// the real one: which bytes have arrived is kept byte by byte.
//
// What it refuses is written in the names, so that a fuzzer can reach every refusal and the answers are the
// same however the input was cut.
#pragma once

#include "forcecmd/front/dropbox.h"
#include "forcecmd/wire.h"
#include "lib/spool/name.h"
#include "tests/fuzz/require.h"

#include <algorithm>
#include <array>
#include <vector>

namespace gate::fuzz {

using spool::Reason;

inline constexpr std::uint64_t k_model_max_file = 4096; // bytes: what a fuzzer's input can fill
// Names that begin so are refused: at begin, at the byte behind the fourth, at commit.
inline constexpr char k_no_begin = 'B';
inline constexpr char k_no_write = 'W';
inline constexpr char k_no_commit = 'C';
inline constexpr std::uint64_t k_refused_from = 4;

[[nodiscard]] inline Reason judge(std::string_view name, std::uint64_t size) {
    spool::FileName parsed;
    if (const Reason reason = spool::parse_file_name(name, parsed); reason != Reason::none)
        return reason;
    if (name.front() == k_no_begin)
        return Reason::space_free;
    return size > k_model_max_file ? Reason::size_file : Reason::none;
}

class ModelDropbox final : public drop::Dropbox {
  public:
    struct Delivered {
        std::string name;
        std::string content;
        bool operator==(const Delivered&) const = default;
    };

    // What happened since the last look, for the oracles that compare it with one answer.
    struct Happened {
        int begun = 0;
        int refusals = 0; // calls that did not answer Reason::none
        int commits = 0;
        int aborts = 0;
        int renames = 0;
    };
    Happened happened;
    std::vector<Delivered> delivered;
    std::string log; // a line each call but write()

    Reason begin(std::string_view name, std::optional<std::uint64_t> size, drop::FileId& file) override {
        Reason reason = judge(name, size.value_or(0));
        const auto slot = std::find_if(files_.begin(), files_.end(), [](const File& f) { return !f.open; });
        if (reason == Reason::none && slot == files_.end())
            reason = Reason::open_files;
        note("begin", name, reason);
        if (reason != Reason::none)
            return reason;
        ++happened.begun;
        *slot = File{};
        slot->open = true;
        slot->name = name;
        slot->declared = size;
        file = static_cast<drop::FileId>(slot - files_.begin());
        return reason;
    }

    Reason write(drop::FileId id, std::uint64_t offset, std::string_view bytes) override {
        File& file = at(id);
        REQUIRE(file.reason == Reason::none); // who was refused a write does not try again
        const std::uint64_t most =
            file.name.front() == k_no_write ? k_refused_from : file.declared.value_or(k_model_max_file);
        if (bytes.empty())
            return Reason::none;
        if (offset > most || bytes.size() > most - offset) {
            REQUIRE(!file.declared || offset + bytes.size() <= *file.declared); // never more than declared
            file.reason = Reason::size_file;
            ++happened.refusals;
            return file.reason;
        }
        const std::size_t end = offset + bytes.size();
        file.content.resize(std::max(file.content.size(), end));
        file.arrived.resize(file.content.size());
        std::copy(bytes.begin(), bytes.end(), file.content.begin() + static_cast<std::ptrdiff_t>(offset));
        std::fill_n(file.arrived.begin() + static_cast<std::ptrdiff_t>(offset), bytes.size(), true);
        return Reason::none;
    }

    std::uint64_t size(drop::FileId id) const override {
        return const_cast<ModelDropbox*>(this)->at(id).content.size();
    }

    bool whole(drop::FileId id) const override {
        const auto& arrived = const_cast<ModelDropbox*>(this)->at(id).arrived;
        return std::find(arrived.begin(), arrived.end(), false) == arrived.end();
    }

    std::uint64_t max_size() const override { return k_model_max_file; }

    Reason truncate(drop::FileId id, std::uint64_t size) override {
        File& file = at(id);
        REQUIRE(file.reason == Reason::none);
        REQUIRE(size <= file.content.size());
        file.arrived.resize(size);
        // The end of what has arrived, which may be before the cut if there was a hole.
        while (!file.arrived.empty() && !file.arrived.back())
            file.arrived.pop_back();
        file.content.resize(file.arrived.size());
        log += "truncate " + std::to_string(size) + '\n';
        return Reason::none;
    }

    Reason rename(drop::FileId id, std::string_view name) override {
        File& file = at(id);
        const Reason reason = judge(name, 0);
        note("rename", name, reason);
        if (reason != Reason::none)
            return reason;
        ++happened.renames;
        file.name = name;
        return reason;
    }

    Reason commit(drop::FileId id) override {
        File file = std::exchange(at(id), File{});
        REQUIRE(file.reason == Reason::none); // a failed write is for good
        Reason reason = Reason::none;
        if (std::find(file.arrived.begin(), file.arrived.end(), false) != file.arrived.end())
            reason = Reason::incomplete;
        else if (file.name.front() == k_no_commit)
            reason = Reason::spool_unavailable;
        REQUIRE(!file.declared || file.content.size() == *file.declared);
        note("commit", file.name, reason);
        ++happened.commits;
        if (reason == Reason::none)
            delivered.push_back({std::move(file.name), std::move(file.content)});
        return reason;
    }

    void abort(drop::FileId id, Reason why) override {
        const File file = std::exchange(at(id), File{});
        REQUIRE(why != Reason::none && why < Reason::last_);
        log += "abort " + file.name + ' ' + std::string(spool::text_of(why).code) + '\n';
        ++happened.aborts;
    }

    void refused(Reason why, std::string_view request) override {
        REQUIRE(why != Reason::none && why < Reason::last_);
        log +=
            "refused " + std::string(spool::text_of(why).code) + ' ' + escape_visible(request, 4096) + '\n';
    }

    [[nodiscard]] bool nothing_open() const {
        return std::none_of(files_.begin(), files_.end(), [](const File& f) { return f.open; });
    }

  private:
    struct File {
        bool open = false;
        std::string name;
        std::optional<std::uint64_t> declared;
        std::string content;
        std::vector<bool> arrived; // by byte of the content
        Reason reason = Reason::none;
    };

    void note(const char* call, std::string_view name, Reason reason) {
        if (reason != Reason::none)
            ++happened.refusals;
        log += std::string(call) + ' ' + escape_visible(name, 4096) + ' ' +
               std::string(reason == Reason::none ? "ok" : spool::text_of(reason).code) + '\n';
    }

    [[nodiscard]] File& at(drop::FileId id) {
        REQUIRE(id < files_.size());
        REQUIRE(files_[id].open);
        return files_[id];
    }

    std::array<File, drop::k_max_open_files> files_;
};

// What a session has brought about.
struct Played {
    std::string answers;
    std::string log;
    std::vector<ModelDropbox::Delivered> delivered;
    bool finished = false; // before the input's end
    int status = 0;
    bool operator==(const Played&) const = default;
};

// Gives the machine the input in pieces of `chunk` bytes (0: all at once), then its end, or an interruption.
template<class Machine>
[[nodiscard]] Played play(Machine& machine, ModelDropbox& dropbox, std::string_view input, std::size_t chunk,
                          bool interrupted) {
    Played out;
    machine.start(out.answers);
    while (!input.empty() && !machine.finished()) {
        // A copy of just these bytes: to read behind them is seen by the sanitizers.
        const std::string piece(input.substr(0, chunk == 0 ? input.size() : chunk));
        machine.feed(piece, out.answers);
        input.remove_prefix(piece.size());
    }
    out.finished = machine.finished();
    if (interrupted && !out.finished)
        machine.interrupt(Reason::idle_timeout, out.answers);
    else if (!out.finished)
        machine.end_of_input(out.answers);
    REQUIRE(machine.finished());
    REQUIRE(dropbox.nothing_open()); // each file was committed or aborted, once
    const std::size_t said = out.answers.size();
    machine.feed("more", out.answers); // to what is over, nothing is said
    REQUIRE(out.answers.size() == said);
    out.status = machine.exit_status();
    out.log = std::move(dropbox.log);
    out.delivered = std::move(dropbox.delivered);
    return out;
}

} // namespace gate::fuzz
