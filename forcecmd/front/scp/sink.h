// The sink of the legacy SCP protocol (`scp -t`), as OpenSSH's scp.c and its clients speak it.
//
// The server says NUL; then records, each a line: T (times: ignored), C (a file: mode, size, name), D and E
// (a directory and its end), \1 or \2 (the client's own errors). Each C, D, E and T gets one answer: NUL, or
// \1 and a line of text. After an accepted C come exactly `size` bytes and one status byte. End of input in
// place of that byte is a complete upload too: libssh2, curl and the Windows agent never send it.
#pragma once

#include "forcecmd/front/dropbox.h"
#include "lib/spool/paths.h"
#include "lib/spool/request.h"

#include <string>

namespace gate::drop::scp {

using spool::ClientRequest;
using spool::VirtualTree;

// Directories inside each other; nobody's packets lie deeper.
inline constexpr unsigned k_max_depth = 32;
// OpenSSH's clients never write a longer record.
inline constexpr std::size_t k_max_record = 2047;

class Sink final : public Machine {
  public:
    Sink(Dropbox& dropbox, const VirtualTree& tree, const ClientRequest& request)
        : dropbox_(dropbox), tree_(tree), request_(request) {}

    void start(std::string& out) override;
    void feed(std::string_view bytes, std::string& out) override;
    void end_of_input(std::string& out) override;
    void interrupt(spool::Reason why, std::string& out) override;
    [[nodiscard]] bool waiting() const override { return waiting_; }
    void settle(std::string& out) override;
    [[nodiscard]] bool finished() const override { return state_ == State::finished; }
    [[nodiscard]] int exit_status() const override { return failed_ ? 1 : 0; }

  private:
    enum class State {
        record,       // collecting a line
        data,         // size bytes of a file
        status,       // the byte behind them
        client_error, // the text of a \1 or \2 in place of that byte
        finished,
    };

    void take_record(std::string_view line, std::string& out);
    void take_directory(std::string_view line, std::string& out);
    void take_file(std::string_view line, std::string& out);
    void take_status(char byte, bool more, std::string& out);
    void finish_file(std::string& out, bool more);
    void conclude_file(spool::Reason why, std::string& out);
    // Where answers go: behind one that is owed still, or out.
    [[nodiscard]] std::string& answers(std::string& out) { return waiting_ ? held_ : out; }
    void discard_file(spool::Reason why, std::string& out);
    void refuse(spool::Reason why, std::string_view what, std::string& out);
    void stop(spool::Reason why, std::string& out);
    void acknowledge(std::string& out) { out += '\0'; }
    [[nodiscard]] std::size_t take_data(std::string_view bytes);
    [[nodiscard]] std::size_t take_line(std::string_view bytes, std::string& out);

    Dropbox& dropbox_;
    const VirtualTree& tree_;
    const ClientRequest& request_;

    State state_ = State::record;
    bool failed_ = false;
    bool waiting_ = false;    // for the answer to the last file
    std::string held_;        // what the client is told after that
    std::string target_name_; // not empty: the command names the file, the records' names are ignored
    unsigned depth_ = 0;      // directories that the client has entered, and that are none here
    std::string line_;
    FileId file_ = 0;
    std::uint64_t offset_ = 0;
    std::uint64_t remaining_ = 0;
    spool::Reason file_reason_ = spool::Reason::none; // why the file that is coming in is refused by now
};

} // namespace gate::drop::scp
