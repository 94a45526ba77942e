#include "authkeys_cmd/report.h"

#include "authkeys_cmd/ration.h"
#include "lib/audit/line.h"
#include "lib/audit/session_id.h"
#include "lib/audit/transport.h"

#include <cstring>
#include <ctime>
#include <unistd.h>

namespace gate::authkeys {

namespace {

[[nodiscard]] audit::Line event(const Answer& answer, std::string_view user, std::string_view fingerprint,
                                pid_t sshd, std::uint64_t repeated) {
    const bool served = answer.tell == Answer::Tell::served;
    audit::Line line(served ? audit::Event::key_served : audit::Event::key_refused);
    line.text("session", audit::session_id(sshd));
    line.text("user", user);
    line.text("fingerprint", fingerprint);
    line.text_if("key", answer.key);
    if (!served) {
        const StatusText& text = describe(answer.status);
        line.text("reason", answer.reason);
        line.text_if("detail", answer.detail);
        if (answer.sys_errno != 0)
            line.text("error", std::strerror(answer.sys_errno));
        line.text("rule", text.name);
        line.text("remedy", text.remedy);
        line.number("status", static_cast<std::uint64_t>(answer.status));
    }
    if (answer.generation != 0)
        line.number("generation", answer.generation);
    if (repeated != 0)
        line.number("repeated", repeated);
    return line;
}

} // namespace

std::string event_line(const Answer& answer, std::string_view user, std::string_view fingerprint, pid_t sshd,
                       std::uint64_t repeated) {
    return event(answer, user, fingerprint, sshd, repeated).finish();
}

void report(const Answer& answer, const Request& request) {
    if (answer.tell == Answer::Tell::nothing || !request.report)
        return;
    Ration ration;
    if (about_the_keyring(answer.status))
        ration = take_ration(request.state, describe(answer.status).name.data(), std::time(nullptr));
    if (!ration.tell)
        return;
    audit::Transport transport;
    transport.send(event(answer, request.user, request.fingerprint, ::getppid(), ration.repeated));
}

} // namespace gate::authkeys
