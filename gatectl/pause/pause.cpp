#include "lib/spool/pause.h"
#include "gatectl/keys/commands.h"
#include "gatectl/keys/names.h"
#include "gatectl/pause/commands.h"
#include "gatectl/problem.h"
#include "gatectl/publish/units.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/spool/record_file.h"

#include <algorithm>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace gate::ctl {

namespace {

using spool::Pause;

constexpr std::uint64_t k_longest = 30U * 24 * 3600; // seconds; a forgotten pause fills the agents' disks
constexpr int k_patience_ms = 2000;

[[noreturn]] void failed(const Context& context, const Error& error) {
    stop(error.sys_errno != 0 ? status_of_errno(error.sys_errno) : Status::io, "{}/{}: {}",
         escape_visible(state_directory(context)), k_pause_name, describe(error));
}

// An invalid descriptor: there is no such file (of a command that only looks).
[[nodiscard]] Fd open_file(const Context& context, spool::Open how) {
    const Fd dir{::open(state_directory(context).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!dir.valid())
        failed(context, fail_errno("cannot open its directory").error());
    auto fd = spool::open_shared(dir.get(), k_pause_name, how, context.owner);
    if (!fd && fd.error().code == Errc::missing && how == spool::Open::read)
        return {};
    if (!fd)
        failed(context, fd.error());
    return std::move(*fd);
}

// Two administrators, one after the other.
[[nodiscard]] Fd open_locked(const Context& context) {
    Fd fd = open_file(context, spool::Open::create);
    if (::fchmod(fd.get(), 0644) != 0)
        failed(context, fail_errno("cannot give it its mode").error());
    if (const auto locked = spool::lock_for(fd.get(), k_patience_ms); !locked)
        failed(context, locked.error());
    return fd;
}

// What is damaged is no pause to anybody here, and is written anew.
[[nodiscard]] Pause read_or_none(int fd) {
    return spool::read_pause(fd).value_or(Pause{});
}

void write(const Context& context, int fd, const Pause& pause) {
    if (const auto written = spool::write_pause(fd, pause); !written)
        failed(context, written.error());
    if (::fdatasync(fd) != 0)
        failed(context, fail_errno("cannot sync it").error());
}

template<std::size_t N>
void put(std::array<char, N>& target, std::string_view text) {
    target.fill('\0');
    std::copy_n(text.begin(), std::min(text.size(), N - 1), target.begin());
}

template<std::size_t N>
[[nodiscard]] std::string_view get(const std::array<char, N>& bytes) {
    return std::string_view(bytes.data(), N).substr(0, std::string_view(bytes.data(), N).find('\0'));
}

[[nodiscard]] std::string describe(const Pause& pause) {
    std::string out = "paused since " + time_text(pause.since);
    out += pause.until == 0 ? " until it is resumed" : " until " + time_text(pause.until);
    out += " by " + escape_visible(get(pause.operator_name));
    if (!get(pause.reason).empty())
        out += ": " + escape_visible(get(pause.reason));
    return out;
}

[[nodiscard]] std::int64_t end_of(const std::string& duration, std::int64_t now) {
    if (duration.empty())
        return 0;
    const auto seconds = parse_time(duration);
    if (!seconds || *seconds == 0 || *seconds > k_longest)
        stop(Status::usage, "--for is a time from \"1s\" to \"30d\", as \"2h\", not \"{}\"",
             escape_visible(duration));
    return now + static_cast<std::int64_t>(*seconds);
}

} // namespace

std::string pause_deliveries(Context& context, const PauseRequest& request) {
    check_text("reason", request.reason);
    if (request.reason.size() >= std::tuple_size_v<decltype(Pause::reason)>)
        stop(Status::usage, "the reason is longer than {} bytes",
             std::tuple_size_v<decltype(Pause::reason)> - 1);
    const std::int64_t now = wall_clock_us() / 1'000'000;
    const std::int64_t until = end_of(request.duration, now);
    const Fd fd = open_locked(context);
    Pause pause = read_or_none(fd.get());
    const bool held = pause.holds_at(now);
    if (held && pause.until == until && (request.reason.empty() || request.reason == get(pause.reason)))
        return fmt::format("deliveries are {}, nothing changed\n", describe(pause));
    if (!held)
        pause = Pause{.since = now};
    pause.until = until;
    put(pause.operator_name, context.operator_name);
    if (!request.reason.empty())
        put(pause.reason, request.reason);
    write(context, fd.get(), pause);
    audit::Line line(audit::Event::deliveries_paused);
    line.text("operator", context.operator_name)
        .text_if("reason", get(pause.reason))
        .text_if("until", until == 0 ? std::string() : time_text(until));
    tell(context, std::move(line));
    return fmt::format("deliveries are {}\n", describe(pause));
}

std::string resume_deliveries(Context& context) {
    const Fd fd = open_locked(context);
    const Pause pause = read_or_none(fd.get());
    if (!pause.holds_at(wall_clock_us() / 1'000'000))
        return "deliveries are not paused, nothing changed\n";
    write(context, fd.get(), Pause{});
    audit::Line line(audit::Event::deliveries_resumed);
    line.text("operator", context.operator_name)
        .text_if("reason", get(pause.reason))
        .text("since", time_text(pause.since));
    tell(context, std::move(line));
    return fmt::format("deliveries go on; they were {}\n", describe(pause));
}

std::string pause_status(Context& context, bool json) {
    const Fd fd = open_file(context, spool::Open::read);
    Pause pause;
    if (fd.valid()) {
        const auto read = spool::read_pause(fd.get());
        if (!read)
            failed(context, read.error());
        pause = *read;
    }
    const bool held = pause.holds_at(wall_clock_us() / 1'000'000);
    if (!json)
        return fmt::format("deliveries are {}\n", held ? describe(pause) : "not paused");
    nlohmann::ordered_json out = {{"paused", held}};
    if (held) {
        out["since"] = time_text(pause.since);
        if (pause.until != 0)
            out["until"] = time_text(pause.until);
        out["operator"] = latin1(get(pause.operator_name));
        out["reason"] = latin1(get(pause.reason));
    }
    return out.dump(2, ' ', true) + '\n';
}

} // namespace gate::ctl
