#include "forcecmd/enrol/session.h"

#include "forcecmd/confine.h"
#include "forcecmd/enrol/service.h"
#include "forcecmd/front/enrol/asked.h"
#include "forcecmd/front/enrol/sftp_key.h"
#include "forcecmd/front/enrol/stdin_key.h"
#include "forcecmd/front/pump.h"
#include "lib/base/file.h"

#include <algorithm>

namespace gate::drop::enrol {

namespace {

using gate::enrol::Wish;
using spool::Reason;

constexpr std::string_view k_rotate = "rotate";
constexpr uid_t k_root = 0; // the service's
// Somebody pastes a key by hand; a program needs a second.
constexpr std::uint32_t k_session_timeout = 60;

void print(int fd, std::string_view text) {
    // A client that does not listen any more is no error of ours.
    static_cast<void>(write_all(fd, std::as_bytes(std::span(text))).has_value());
}

// Everything that opens something, and then the sandbox.
class Session {
  public:
    Session(Who who, Wish wish)
        : trail_(std::move(who)), service_(make_socket().value_or(Fd{}), k_service, k_root, wish, trail_) {}

    [[nodiscard]] bool confine() {
        const Result<void> confined = service() < 0
                                          ? std::unexpected(Error{Errc::system, 0, "cannot make a socket"})
                                          : confine_enrolment({.service = service(),
                                                               .address = &k_service,
                                                               .address_size = sizeof k_service,
                                                               .log = log()});
        if (confined)
            return true;
        trail_.sandbox_unusable(confined.error());
        print(STDERR_FILENO, "pandora-gate: " + std::string(confined.error().what) + "; try again later\n");
        return false;
    }

    // The last words of a session that takes nothing.
    [[nodiscard]] int refuse(Reason why, std::string_view request, bool scp = false) {
        trail_.request_refused(request, why);
        const std::string text = spool::sentence(why) + "\n";
        if (scp)
            print(STDOUT_FILENO, '\1' + text);
        else
            print(STDERR_FILENO, text);
        return 1;
    }

    template<class Machine, class... Args>
    [[nodiscard]] int run(int out, const keyring::Policy& policy, Args&&... args) {
        Machine machine(service_, std::forward<Args>(args)...);
        return pump(machine, Ends{.out = out},
                    Timeouts{std::min(policy.drop_idle_timeout, k_session_timeout), k_session_timeout});
    }

    // Three lines for a person who logs in by hand: what this is, and how to use it. Told the audit.
    [[nodiscard]] int greet(const keyring::Policy& policy) {
        trail_.request_refused({}, Reason::enrol_only);
        print(STDOUT_FILENO, "This login can hand over one public key, and nothing else.\n"
                             "On the agent's machine, run: ssh-copy-id -i KEY.pub " +
                                 policy.account_user +
                                 "@SERVER\n"
                                 "Then send packets with that key: scp AGENT.1.data " +
                                 policy.account_user + "@SERVER:" + policy.spool_directory + "\n");
        return 1;
    }

    [[nodiscard]] int service() const { return service_.fd(); }
    [[nodiscard]] int log() const { return trail_.log(); }

  private:
    Trail trail_;
    Service service_;
};

} // namespace

int serve(const EnrolLogin& login) {
    Session session({login.session_id, {}, {}, login.peer}, Wish::enrol);
    if (!session.confine())
        return k_exit_internal;
    const std::string command = login.command.value_or("");
    const Asked asked = parse_asked(login.command);
    switch (asked.kind) {
    case Asked::Kind::greeting:
        return session.greet(login.policy);
    case Asked::Kind::install:
        return session.run<StdinKey>(STDERR_FILENO, login.policy, command);
    case Asked::Kind::sftp:
        return session.run<SftpKey>(STDOUT_FILENO, login.policy);
    case Asked::Kind::refused:
        break;
    }
    return session.refuse(Reason::enrol_only, command, asked.scp_protocol);
}

bool is_rotation(const Login& login) {
#ifdef GATE_HOSTILE
    if (hostile::is_enrolment(login))
        return true;
#endif
    return login.command == k_rotate;
}

int rotate(const Login& login) {
    Session session(
        {login.session_id, login.key.id, keyring::format_fingerprint(login.key.fingerprint), login.peer},
        Wish::rotate);
    if (!session.confine())
        return k_exit_internal;
#ifdef GATE_HOSTILE
    if (hostile::is_enrolment(login))
        return hostile::serve_enrolment(login, session.service(), session.log());
#endif
    return session.run<StdinKey>(STDERR_FILENO, login.policy, k_rotate);
}

} // namespace gate::drop::enrol
