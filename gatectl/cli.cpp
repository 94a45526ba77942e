#include "gatectl/cli.h"

#include "gatectl/command_line.h"
#include "gatectl/operator.h"
#include "gatectl/problem.h"
#include "gatectl/progress.h"
#include "gatectl/terminal.h"
#include "lib/base/text.h"

#include <cstdio>
#include <unistd.h>

namespace gate::ctl {

namespace {

void complain(std::string_view text) noexcept {
    std::fprintf(stderr, "pandora-gate: %.*s\n", static_cast<int>(text.size()), text.data());
}

void print(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        stop(Status::io, "the command was carried out, but its output could not be written");
}

// `probe` has no business with them, and runs on machines that have neither.
void demand_root(const CommandLine& line) {
    const Context& context = line.context;
    if (!line.app.got_subcommand("probe") && context.owner != 0 &&
        (context.store == k_default_store || context.keyring == keyring::k_default_path))
        stop(Status::no_permission,
             "the store and the keyring are root's: run it as root, for instance with sudo");
}

[[nodiscard]] int run_command(int argc, const char* const* argv) {
    CommandLine line;
    try {
        line.app.parse(argc, argv);
    } catch (const CLI::Success& asked) { // --help, --version
        return static_cast<int>(line.app.exit(asked) == 0 ? Status::ok : Status::internal);
    } catch (const CLI::ParseError& error) {
        if (const auto unknown = line.app.remaining(true); !unknown.empty())
            stop(Status::usage, "unknown argument \"{}\" (see `pandora-gate --help`)",
                 escape_visible(unknown.front()));
        stop(Status::usage, "{} (see `pandora-gate --help`)", escape_visible(error.what()));
    }
    Context& context = line.context;
    context.owner = ::geteuid();
    context.operator_name = operator_name();
    const Terminal terminal = look_at_terminal(STDOUT_FILENO);
    context.columns = terminal.columns;
    context.colour = terminal.colour;
    demand_root(line);
    audit::Transport transport;
    context.audit = &transport;
    ProgressBar bar;
    if (::isatty(STDERR_FILENO) == 1)
        context.progress = [&bar](const char* what, std::uint64_t done, std::uint64_t total) {
            bar.show(what, done, total);
        };
    const auto say_remarks = [&context] {
        for (const std::string& remark : context.remarks)
            complain(remark);
    };
    try {
        const std::string text = line.command();
        bar.clear();
        say_remarks();
        print(text);
    } catch (...) {
        bar.clear();
        context.remarks.resize(0); // the reason of the failure is the one line
        throw;
    }
    return context.exit_status;
}

} // namespace

int run(int argc, const char* const* argv) noexcept {
    try {
        return run_command(argc, argv);
    } catch (const Problem& problem) {
        complain(problem.what());
        return static_cast<int>(problem.status());
    } catch (const std::exception& error) {
        complain(error.what());
    } catch (...) {
        complain("an error of unknown type");
    }
    return static_cast<int>(Status::internal);
}

} // namespace gate::ctl
