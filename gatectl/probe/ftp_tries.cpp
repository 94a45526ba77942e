#include "gatectl/probe/ftp_tries.h"

#include "gatectl/keys/commands.h"
#include "gatectl/probe/ftp_client.h"
#include "gatectl/probe/interrupts.h"
#include "gatectl/probe/scratch_directory.h"
#include "gatectl/problem.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl {

namespace {

[[nodiscard]] std::string first_line(std::string_view text) {
    text = text.substr(0, text.find('\n'));
    while (!text.empty() && text.back() == '\r')
        text.remove_suffix(1);
    return escape_visible(text);
}

// The first line of the file.
[[nodiscard]] std::string read_password(const std::string& file) {
    std::string text = read_key_file(file);
    text.resize(std::min(text.find_first_of("\r\n"), text.size()));
    if (text.empty())
        stop(Status::bad_data, "{} holds no password", escape_visible(file));
    return text;
}

class FtpProbe {
  public:
    FtpProbe(Context& context, const ProbeRequest& request)
        : request_(request), server_{.host = request.target,
                                     .port = request.port,
                                     .ca = request.ca,
                                     .any_certificate = request.accept_host_key},
          password_(read_password(request.password_file)),
          // What the gate takes and throws away: a checksum, which nobody reads.
          own_(fmt::format("{}.{}.checksum", request.agent, wall_clock_us())),
          stem_("pandora-gate-probe-" + random_word()) {
        log_in(&context);
    }

    void run(ProbeReport& report);

    // A session of its own for each try: one that the server ends spoils no other.
    void log_in(Context* context = nullptr) {
        client_ = std::make_unique<FtpClient>(server_);
        const bool tls = client_->start_tls();
        if (!tls && !request_.plain)
            stop(Status::unavailable, "{} offers no TLS: --plain sends it the password all the same",
                 escape_visible(request_.target));
        if (!tls && context != nullptr)
            context->remarks.emplace_back("the password went over the network in plain text");
        std::string answer = client_->command("USER " + request_.user);
        if (answer.starts_with("331"))
            answer = client_->command("PASS " + password_);
        if (!says_yes(answer))
            stop(Status::unavailable, "cannot log in: {}", first_line(answer));
        if (tls) {
            static_cast<void>(client_->command("PBSZ 0"));
            static_cast<void>(client_->command("PROT P"));
        }
        static_cast<void>(client_->command("TYPE I"));
    }

    [[nodiscard]] Tried yes(const std::string& line, std::string_view code = "2") {
        return {.result =
                    client_->command(line).starts_with(code) ? TryResult::succeeded : TryResult::refused};
    }
    [[nodiscard]] Tried comes(const std::string& line) {
        const auto transfer = client_->transfer(line);
        return {.result = !transfer.came.empty() || says_yes(transfer.answer) ? TryResult::succeeded
                                                                              : TryResult::refused};
    }
    [[nodiscard]] Tried stores(const std::string& line) {
        const auto transfer = client_->transfer(line, "a probe wrote this\n");
        return {.result = says_yes(transfer.answer) ? TryResult::succeeded : TryResult::refused};
    }
    // What was made under that name is taken away again.
    [[nodiscard]] Tried clean(Tried tried, const std::string& remove, const std::string& name) {
        if (tried.result == TryResult::succeeded && !says_yes(client_->command(remove + name)))
            left_behind_.push_back(escape_visible(name));
        return tried;
    }
    // A login without TLS gets as far as being asked for a password, which it is not told.
    [[nodiscard]] Tried plain_login() const {
        FtpClient plain(server_);
        return {.result = plain.command("USER " + request_.user).starts_with("331") ? TryResult::succeeded
                                                                                    : TryResult::refused};
    }
    [[nodiscard]] Tried climb(const char* line) {
        const std::string before = client_->command("PWD");
        if (!says_yes(client_->command(line)))
            return {};
        // In its own root `..` is the root.
        return {.result = client_->command("PWD") == before ? TryResult::refused : TryResult::succeeded};
    }
    [[nodiscard]] Tried rename() {
        if (!client_->command("RNFR " + own_).starts_with('3'))
            return {};
        if (says_yes(client_->command("RNTO " + stem_)))
            own_ = stem_;
        return {.result = TryResult::succeeded};
    }
    [[nodiscard]] Tried restart() {
        if (!client_->command("REST 2").starts_with('3'))
            return {};
        return stores("STOR " + own_);
    }
    [[nodiscard]] Tried unique() {
        Tried out = stores("STOU");
        if (out.result == TryResult::succeeded)
            left_behind_.emplace_back("a file that STOU named");
        return out;
    }
    [[nodiscard]] Tried remove_own() {
        Tried out = yes("DELE " + own_);
        if (out.result == TryResult::succeeded)
            own_is_there_ = false;
        return out;
    }

    const ProbeRequest& request_;
    const FtpClient::Server server_;
    const std::string password_;
    std::string own_; // a file of ours there
    const std::string stem_;
    bool own_is_there_ = false;
    std::unique_ptr<FtpClient> client_;
    std::vector<std::string> left_behind_;
};

struct Try {
    const char* name;
    const char* what;
    Tried (*attempt)(FtpProbe&);
};

#define P [](FtpProbe & p) -> Tried
constexpr Try k_tries[] = {{"plain-login", "a password without TLS", P{return p.plain_login();
} // namespace
} // namespace gate::ctl
, {"LIST", "list the directory", P{return p.comes("LIST");
}
}
, {"NLST", "list the names", P{return p.comes("NLST");
}
}
, {"MLSD", "list them for programs", P{return p.comes("MLSD");
}
}
, {"STAT", "list by STAT", P{return p.yes("STAT .");
}
}
, {"RETR", "read a file back", P{return p.comes("RETR " + p.own_);
}
}
, {"RETR-passwd", "read /etc/passwd", P{return p.comes("RETR /etc/passwd");
}
}
, {"SIZE", "ask for a file's size", P{return p.yes("SIZE " + p.own_);
}
}
, {"MDTM", "ask for its time", P{return p.yes("MDTM " + p.own_);
}
}
, {"overwrite", "overwrite it", P{return p.stores("STOR " + p.own_);
}
}
, {"APPE", "append to it", P{return p.stores("APPE " + p.own_);
}
}
, {"REST", "write into its middle", P{return p.restart();
}
}
, {"STOU", "a name by the server", P{return p.unique();
}
}
, {"SITE-CHMOD", "change its mode", P{return p.yes("SITE CHMOD 600 " + p.own_);
}
}
, {"RNFR", "rename it", P{return p.rename();
}
}
, {"MKD", "make a directory", P{return p.clean(p.yes("MKD " + p.stem_ + ".d"), "RMD ", p.stem_ + ".d");
}
}
, {"RMD", "remove a directory", P{static_cast<void>(p.client_->command("MKD " + p.stem_ + ".e"));
return p.yes("RMD " + p.stem_ + ".e");
}
}
, {"CWD-up", "go above the directory", P{return p.climb("CWD ..");
}
}
, {"CWD-etc", "go to /etc", P{return p.climb("CWD /etc");
}
}
, {"STOR-tmp", "write into /tmp",
   P{return p.clean(p.stores("STOR /tmp/" + p.stem_), "DELE ", "/tmp/" + p.stem_);
}
}
, {"DELE", "remove a file", P{return p.remove_own();
}
}
,
}
;
#undef P

void FtpProbe::run(ProbeReport& report) {
    Tried upload{.name = "upload", .what = "a file", .result = TryResult::accepted};
    const auto stored = client_->transfer("STOR " + own_, "probe");
    own_is_there_ = says_yes(stored.answer);
    if (!own_is_there_)
        upload = {
            .name = "upload", .what = "a file", .result = TryResult::lost, .note = first_line(stored.answer)};
    report.tries.push_back(std::move(upload));
    for (const Try& one : k_tries) {
        if (report.interrupted = interrupted(); report.interrupted)
            break;
        if (!request_.wants(one.name))
            continue;
        Tried tried;
        try {
            log_in();
            tried = one.attempt(*this);
        } catch (const Problem& problem) {
            tried = {.result = TryResult::untried, .note = problem.what()};
        }
        tried.name = one.name;
        tried.what = one.what;
        report.tries.push_back(std::move(tried));
    }
    if (own_is_there_)
        left_behind_.push_back(escape_visible(own_));
    report.left_behind = std::move(left_behind_);
}

} // namespace

ProbeReport probe_ftp(Context& context, const ProbeRequest& request) {
    for (const auto* names : {&request.skip, &request.only})
        for (const std::string& name : *names)
            if (std::ranges::find(k_tries, name, &Try::name) == std::end(k_tries))
                stop(Status::usage, "there is no try \"{}\"", escape_visible(name));
    ProbeReport report{.target = escape_visible(fmt::format("{} at ftp://{}", request.user, request.target))};
    FtpProbe(context, request).run(report);
    return report;
}

} // namespace gate::ctl
