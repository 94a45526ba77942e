#include "gatectl/keys/sources.h"

#include "gatectl/keys/csv.h"
#include "gatectl/keys/network.h"
#include "gatectl/keys/when.h"
#include "gatectl/problem.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>

namespace gate::ctl {

namespace {

// Ten million keys. More is no list of agents.
constexpr std::size_t k_max_input_file = std::size_t{2} * 1024 * 1024 * 1024;

[[nodiscard]] std::string read_input(const std::string& file) {
    Fd owned;
    int fd = STDIN_FILENO;
    if (file != "-") {
        owned.reset(::open(file.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
        if (!owned.valid())
            stop(errno == EACCES || errno == EPERM ? Status::no_permission : Status::no_input, "{}: {}",
                 escape_visible(file), describe(fail_errno("cannot open the file").error()));
        fd = owned.get();
    }
    auto text = read_all(fd, k_max_input_file);
    if (!text)
        stop(text.error().code == Errc::too_large ? Status::bad_data
             : text.error().sys_errno == EISDIR   ? Status::no_input
                                                  : Status::io,
             "{}: {}", escape_visible(file), describe(text.error()));
    return std::move(*text);
}

class Walk {
  public:
    Walk(const Sources& sources, const EntryVisitor& visitor) : sources_(sources), visitor_(visitor) {}

    void file(const std::string& name, const std::string* agent) {
        const std::string text = read_input(name);
        if (sources_.csv)
            table(name, text);
        else
            lines(name, text, agent);
    }

  private:
    void lines(const std::string& name, std::string_view text, const std::string* agent) {
        constexpr std::size_t k_often = 4096; // lines between two looks at the progress bar
        Place at{.file = &name, .line = 0};
        for (std::size_t begin = 0; begin < text.size();) {
            const std::size_t end = std::min(text.find('\n', begin), text.size());
            const std::string_view line = text.substr(begin, end - begin);
            begin = end + 1;
            ++at.line;
            if (at.line % k_often == 0)
                visitor_.progress(begin, text.size());
            if (is_blank_or_comment(line))
                continue;
            try {
                entry_.line = parse_key_line(line);
                entry_.agents.clear();
                entry_.note = entry_.line.key.comment;
                if (agent != nullptr)
                    entry_.agents.push_back(*agent);
                else if (sources_.agent_from == AgentFrom::comment && !entry_.line.key.comment.empty())
                    entry_.agents.push_back(entry_.line.key.comment);
            } catch (const Problem& problem) {
                visitor_.bad(problem.what(), at);
                continue;
            }
            visitor_.entry(entry_, at);
        }
    }

    void table(const std::string& name, std::string_view text) {
        Place at{.file = &name, .line = 1};
        CsvRow row;
        std::optional<CsvReader> reader;
        try {
            reader.emplace(text);
        } catch (const Problem& problem) { // without its header a table says nothing
            stop(Status::bad_data, "{}: {}", escape_visible(name), problem.what());
        }
        for (;;) {
            try {
                if (!reader->next(row))
                    return;
                at.line = reader->line();
                entry_.line = parse_key_line(row.key);
                take_row(row);
            } catch (const Problem& problem) {
                at.line = reader->line();
                visitor_.bad(problem.what(), at);
                continue;
            }
            visitor_.entry(entry_, at);
        }
    }

    // What the table says stands beside what the key's own options say; both hold.
    void take_row(CsvRow& row) {
        entry_.agents = std::move(row.agents);
        entry_.note = row.note.empty() ? entry_.line.key.comment : std::move(row.note);
        if (!row.from.empty()) {
            if (!entry_.line.from.empty())
                stop(Status::bad_data, "the key has from= and the table a column from: keep one of them");
            entry_.line.from = check_networks(row.from);
        }
        if (!row.expires.empty()) {
            const std::int64_t end = parse_when("expires", row.expires, now_);
            entry_.line.expires_at =
                entry_.line.expires_at == 0 ? end : std::min(end, entry_.line.expires_at);
        }
    }

    const Sources& sources_;
    const EntryVisitor& visitor_;
    Entry entry_{}; // its room is kept from line to line
    std::int64_t now_ = wall_clock_us() / 1'000'000;
};

// The files of a directory by name; what begins with a dot is not meant.
[[nodiscard]] std::vector<std::filesystem::path> files_of(const std::string& directory) {
    std::vector<std::filesystem::path> out;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error))
        if (entry.is_regular_file(error) && !entry.path().filename().string().starts_with('.'))
            out.push_back(entry.path());
    if (error)
        stop(Status::no_input, "{}: cannot read the directory: {}", escape_visible(directory),
             error.message());
    std::sort(out.begin(), out.end());
    return out;
}

// "web01" for "web01.pub".
[[nodiscard]] std::string agent_of(const std::filesystem::path& file) {
    return file.extension() == ".pub" ? file.stem().string() : file.filename().string();
}

} // namespace

std::string Place::text() const {
    return fmt::format("{}:{}", *file == "-" ? "standard input" : escape_visible(*file), line);
}

void read_sources(const Sources& sources, const EntryVisitor& visitor) {
    Walk walk(sources, visitor);
    for (const std::string& name : sources.files) {
        struct stat st {};
        if (name == "-" || ::stat(name.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) {
            const std::string agent = agent_of(name);
            walk.file(name, sources.agent_from == AgentFrom::filename && name != "-" ? &agent : nullptr);
            continue;
        }
        for (const auto& file : files_of(name)) {
            const std::string agent = agent_of(file);
            const std::string path = file.string();
            walk.file(path, sources.agent_from == AgentFrom::comment || sources.csv ? nullptr : &agent);
        }
    }
}

} // namespace gate::ctl
