#include "forcecmd/login.h"

#include "forcecmd/user_auth.h"
#include "lib/audit/session_id.h"
#include "lib/base/file.h"
#include "lib/base/sha256.h"
#include "lib/base/text.h"
#include "lib/keyring/reader.h"

#include <cstdlib>
#include <ctime>
#include <string_view>
#include <unistd.h>

namespace gate::drop {

namespace {

constexpr const char* k_own_path = GATE_LIBEXECDIR "/drop";
// A line per authentication method; a key is at most 16 kB, 22 kB in base64.
constexpr std::size_t k_max_user_auth = 64 * 1024;

[[nodiscard]] std::optional<std::string> take_env(const char* name) {
    const char* value = std::getenv(name); // NOLINT(concurrency-mt-unsafe): one thread
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// sshd's session process is the parent of the process that started us: it runs PAM and is the parent of
// authkeys.
[[nodiscard]] std::string own_session_id() {
    return audit::session_id(audit::parent_of(::getppid()));
}

[[nodiscard]] std::unexpected<Refusal> refuse(std::string_view code, std::string_view what,
                                              std::string_view remedy, int status) {
    return std::unexpected(Refusal{code, std::string(what), remedy, status, {}, {}});
}

[[nodiscard]] std::unexpected<Refusal> refuse_keyring(const Error& error) {
    return refuse("keyring.unusable", error.what, "the administrator must run: pandora-gate publish",
                  k_exit_keyring);
}

// As a forced command: `drop -c <own path>`, and the client's command in SSH_ORIGINAL_COMMAND. As a login
// shell without a ForceCommand: `drop -c <the client's command>`. Interactive: no argument.
[[nodiscard]] std::expected<std::optional<std::string>, Refusal> read_command(int argc, char** argv) {
    auto original = take_env("SSH_ORIGINAL_COMMAND");
    if (argc <= 1)
        return original;
    if (argc == 3 && std::string_view(argv[1]) == "-c")
        return std::string_view(argv[2]) == k_own_path ? original : std::optional<std::string>(argv[2]);
    return refuse("login.arguments", "wrong arguments", "drop is run by sshd: see drop(8)", k_exit_usage);
}

// The key that logged in; nullopt: none did, but a password.
[[nodiscard]] std::expected<std::optional<AuthKey>, Refusal> read_auth_key() {
    const auto path = take_env("SSH_USER_AUTH");
    if (!path)
        return refuse("login.no_auth_info", "sshd did not say which key logged in",
                      "the administrator must set ExposeAuthInfo yes, and see that /tmp is writable",
                      k_exit_config);
    const auto fd = open_regular(path->c_str());
    const auto content = fd ? read_all(fd->get(), k_max_user_auth) : std::unexpected(fd.error());
    if (!content)
        return refuse("login.no_auth_info", "the file in SSH_USER_AUTH cannot be read",
                      "the administrator must see that /tmp is writable", k_exit_config);
    if (is_password_login(*content))
        return std::nullopt;
    auto key = parse_user_auth(*content);
    if (!key)
        return refuse("login.no_key", key.error().what, "log in with a key that the administrator has added",
                      k_exit_denied);
    return std::move(*key);
}

// Why a key that the keyring knows may not be used now; nullopt: it may.
[[nodiscard]] std::optional<Refusal> refuse_key(const keyring::KeyRecord& key) {
    const auto denied = [&](std::string_view code, const char* what, std::string_view remedy) {
        return Refusal{code, what, remedy, k_exit_denied, key.id, {}};
    };
    switch (keyring::standing(key, std::time(nullptr))) {
    case keyring::Standing::good:
        return std::nullopt;
    case keyring::Standing::not_yet:
        return denied("key.not_yet", "this key is not valid yet", "try again later");
    case keyring::Standing::expired:
        return denied("key.expired", "this key has expired", "use another key, and have it added");
    case keyring::Standing::disabled:
        return denied("key.disabled", "this key is disabled",
                      "ask the administrator to enable it: pandora-gate keys enable");
    case keyring::Standing::revoked:
        break;
    }
    return denied("key.revoked", "this key was revoked", "use another key, and have it added");
}

// What the keyring holds of the key; the login goes on only with one that is good now.
[[nodiscard]] std::expected<Login, Refusal> look_up(const AuthKey& key) {
    const keyring::Fingerprint fingerprint = sha256(as_bytes(key.blob));
    const auto with_key = [&](std::unexpected<Refusal> refusal) {
        refusal.error().fingerprint = keyring::format_fingerprint(fingerprint);
        return refusal;
    };
    const auto reader = keyring::Reader::open(keyring::k_default_path);
    if (!reader)
        return with_key(refuse_keyring(reader.error()));
    auto found = reader->find(fingerprint);
    if (!found)
        return with_key(refuse_keyring(found.error()));
    auto policy = reader->policy();
    if (!policy)
        return with_key(refuse_keyring(policy.error()));
    if (!*found || (*found)->blob != key.blob)
        return with_key(refuse("key.unknown", "this key is not known here",
                               "ask the administrator to add it: pandora-gate keys add", k_exit_denied));
    if (auto refusal = refuse_key(**found))
        return with_key(std::unexpected(std::move(*refusal)));
    Login login;
    login.key = std::move(**found);
    login.policy = keyring::for_key(std::move(*policy), login.key.limits);
    login.generation = reader->header().generation;
    return login;
}

[[nodiscard]] std::expected<EnrolLogin, Refusal> read_policy() {
    const auto reader = keyring::Reader::open(keyring::k_default_path);
    auto policy = reader ? reader->policy() : std::unexpected(reader.error());
    if (!policy)
        return refuse_keyring(policy.error());
    EnrolLogin login;
    login.policy = std::move(*policy);
    return login;
}

} // namespace

std::expected<std::variant<Login, EnrolLogin>, Refusal> read_login(int argc, char** argv,
                                                                   LoginContext& context) {
    context.session_id = own_session_id();
    const auto connection = take_env("SSH_CONNECTION");
    if (connection)
        context.peer = connection->substr(0, connection->find(' '));
    if (::geteuid() == 0 || ::getuid() == 0)
        return refuse("login.root", "this program takes files for an account without privileges",
                      "the administrator must not use it for root", k_exit_config);
    auto command = read_command(argc, argv);
    if (!command)
        return std::unexpected(std::move(command.error()));
    const auto key = read_auth_key();
    ::clearenv(); // nothing of what is left can be trusted, or is wanted
    if (!key)
        return std::unexpected(key.error());
    const auto filled_in = [&](auto login) -> std::expected<std::variant<Login, EnrolLogin>, Refusal> {
        if (!login)
            return std::unexpected(std::move(login.error()));
        login->session_id = context.session_id;
        login->peer = context.peer;
        login->command = std::move(*command);
        return std::move(*login);
    };
    return *key ? filled_in(look_up(**key)) : filled_in(read_policy());
}

} // namespace gate::drop
