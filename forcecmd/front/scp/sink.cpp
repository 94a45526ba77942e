#include "forcecmd/front/scp/sink.h"

#include "lib/base/text.h"

#include <algorithm>
#include <utility>

namespace gate::drop::scp {

using spool::Reason;

namespace {

struct FileRecord {
    std::uint64_t size;
    std::string_view name;
};

// "Cmmmm size name", the mode being four octal digits.
[[nodiscard]] std::optional<FileRecord> parse_file_record(std::string_view line) {
    constexpr std::size_t k_mode_end = 5;
    if (line.size() <= k_mode_end || line[k_mode_end] != ' ')
        return std::nullopt;
    for (const char c : line.substr(1, k_mode_end - 1)) {
        if (c < '0' || c > '7')
            return std::nullopt;
    }
    std::string_view rest = line.substr(k_mode_end + 1);
    const std::size_t space = rest.find(' ');
    if (space == std::string_view::npos)
        return std::nullopt;
    const auto size = parse_u64(rest.substr(0, space));
    if (!size)
        return std::nullopt;
    return FileRecord{*size, rest.substr(space + 1)};
}

} // namespace

void Sink::start(std::string& out) {
    const VirtualTree::Location at = tree_.locate(request_.target);
    const bool flattened = request_.recursive && tree_.flattens() && at.place == VirtualTree::Place::file;
    const bool fits =
        at.place == VirtualTree::Place::home || flattened ||
        (at.place == VirtualTree::Place::file && !request_.target_is_directory && !request_.recursive);
    if (!fits) {
        stop(Reason::name_path, out);
        dropbox_.refused(Reason::name_path, request_.target);
        return;
    }
    if (!flattened)
        target_name_ = at.name;
    acknowledge(out);
}

void Sink::refuse(Reason why, std::string_view what, std::string& out) {
    failed_ = true;
    out += '\1';
    if (!what.empty()) {
        out += escape_visible(what);
        out += ": ";
    }
    out += spool::sentence(why);
    out += '\n';
}

void Sink::stop(Reason why, std::string& out) {
    refuse(why, {}, out);
    state_ = State::finished;
}

void Sink::feed(std::string_view bytes, std::string& out) {
    while (!bytes.empty() && state_ != State::finished) {
        std::size_t used = 1;
        switch (state_) {
        case State::record:
        case State::client_error:
            used = take_line(bytes, answers(out));
            break;
        case State::data:
            used = take_data(bytes);
            break;
        case State::status:
            take_status(bytes.front(), bytes.size() > 1, out);
            break;
        case State::finished:
            break;
        }
        bytes.remove_prefix(used);
    }
    if (state_ == State::finished)
        settle(out);
}

std::size_t Sink::take_line(std::string_view bytes, std::string& out) {
    const std::size_t end = bytes.find('\n');
    const std::size_t more = std::min(end, bytes.size());
    if (more > k_max_record - line_.size()) {
        // As much as there may be: the audit hears the same, however the client cut it.
        line_.append(bytes.substr(0, k_max_record - line_.size()));
        if (state_ == State::client_error)
            dropbox_.abort(file_, Reason::client_error); // the one answer is that of stop()
        dropbox_.refused(Reason::protocol, line_);
        stop(Reason::protocol, out);
        return bytes.size();
    }
    line_.append(bytes.substr(0, more));
    if (end == std::string_view::npos)
        return more;
    const std::string line = std::exchange(line_, {});
    if (state_ == State::client_error)
        discard_file(Reason::client_error, out);
    else
        take_record(line, out);
    return more + 1;
}

void Sink::take_record(std::string_view line, std::string& out) {
    switch (line.empty() ? '\n' : line.front()) {
    case 'C':
        take_file(line, out);
        return;
    case 'T': // times: the server's own apply
        acknowledge(out);
        return;
    case 'D':
        take_directory(line, out);
        return;
    case 'E':
        if (depth_ > 0) {
            --depth_;
            acknowledge(out);
            return;
        }
        break; // no directory was ever entered
    case '\1': // the client could not read one of its files; it goes on with the next, and wants no answer
        failed_ = true;
        dropbox_.refused(Reason::client_error, line.substr(1));
        return;
    case '\2': // the client gives up
        failed_ = true;
        dropbox_.refused(Reason::client_error, line.substr(1));
        state_ = State::finished;
        return;
    default:
        break;
    }
    dropbox_.refused(Reason::protocol, line);
    stop(Reason::protocol, out);
}

void Sink::take_directory(std::string_view line, std::string& out) {
    if (request_.recursive && tree_.flattens() && depth_ < k_max_depth) {
        ++depth_;
        acknowledge(out);
        return;
    }
    dropbox_.refused(Reason::recursive, line);
    refuse(Reason::recursive, {}, out);
}

void Sink::take_file(std::string_view line, std::string& out) {
    const auto record = parse_file_record(line);
    if (!record) {
        dropbox_.refused(Reason::protocol, line);
        stop(Reason::protocol, out);
        return;
    }
    const std::string_view name = target_name_.empty() ? record->name : std::string_view(target_name_);
    if (const Reason reason = dropbox_.begin(name, record->size, file_); reason != Reason::none) {
        refuse(reason, name, out);
        return;
    }
    offset_ = 0;
    remaining_ = record->size;
    file_reason_ = Reason::none;
    state_ = remaining_ == 0 ? State::status : State::data;
    acknowledge(out);
}

std::size_t Sink::take_data(std::string_view bytes) {
    const std::size_t size = std::min<std::uint64_t>(bytes.size(), remaining_);
    if (file_reason_ == Reason::none)
        file_reason_ = dropbox_.write(file_, offset_, bytes.substr(0, size));
    offset_ += size;
    remaining_ -= size;
    if (remaining_ == 0)
        state_ = State::status;
    return size;
}

void Sink::take_status(char byte, bool more, std::string& out) {
    if (byte == '\0') {
        finish_file(out, more);
    } else if (byte == '\1' || byte == '\2') {
        state_ = State::client_error;
    } else {
        dropbox_.abort(file_, Reason::protocol);
        stop(Reason::protocol, answers(out));
    }
}

// A client that has sent `more` does not wait for its answer: what it sends ahead is read while this file is
// made durable. The answers keep their order.
void Sink::finish_file(std::string& out, bool more) {
    state_ = State::record;
    if (file_reason_ != Reason::none) {
        dropbox_.abort(file_, file_reason_);
        conclude_file(file_reason_, answers(out));
        return;
    }
    settle(out);
    const auto answer = more ? dropbox_.commit_ahead(file_) : dropbox_.commit(file_);
    if (answer)
        conclude_file(*answer, out);
    else
        waiting_ = true;
}

void Sink::conclude_file(Reason why, std::string& out) {
    if (why == Reason::none)
        acknowledge(out);
    else
        refuse(why, {}, out);
}

void Sink::settle(std::string& out) {
    if (!waiting_)
        return;
    conclude_file(dropbox_.settle(), out);
    out += held_;
    held_.clear();
    waiting_ = false;
}

void Sink::discard_file(Reason why, std::string& out) {
    dropbox_.abort(file_, why);
    state_ = State::record;
    refuse(why, {}, out);
}

void Sink::end_of_input(std::string& out) {
    if (state_ == State::finished)
        return;
    if (state_ == State::status) {
        finish_file(out, false);
    } else if (state_ == State::data || state_ == State::client_error) {
        discard_file(state_ == State::data ? Reason::incomplete : Reason::client_error, answers(out));
    } else if (!line_.empty()) {
        dropbox_.refused(Reason::protocol, line_);
        failed_ = true;
    }
    settle(out);
    state_ = State::finished;
}

void Sink::interrupt(Reason why, std::string& out) {
    settle(out);
    if (state_ == State::data || state_ == State::status || state_ == State::client_error)
        dropbox_.abort(file_, why);
    stop(why, out);
}

} // namespace gate::drop::scp
