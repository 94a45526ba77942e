#include "gatectl/account.h"
#include "gatectl/explain/authkeys.h"
#include "gatectl/explain/commands.h"
#include "gatectl/explain/drop.h"
#include "gatectl/explain/steps.h"
#include "gatectl/keys/commands.h"
#include "gatectl/keys/public_key.h"
#include "gatectl/problem.h"
#include "lib/base/clock.h"
#include "lib/base/network.h"
#include "lib/base/text.h"
#include "lib/keyring/ftp_sender.h"
#include "lib/keyring/reader.h"

#include <security/pam_appl.h>
#include <unistd.h>

namespace gate::ctl {

namespace {

using spool::Reason;

// The fingerprint of what --key names.
[[nodiscard]] keyring::Fingerprint find_key(const Context& context, const std::string& key) {
    if (::access(key.c_str(), F_OK) == 0)
        return read_public_key(read_key_file(key)).fingerprint;
    if (const auto whole = keyring::parse_fingerprint(key))
        return *whole;
    if (!has_store(context))
        stop(Status::no_input, "there is no file {}, and there are no keys", escape_visible(key));
    Store store(context.store, context.owner, context.store_patience);
    const Store::Transaction transaction(store, Store::Transaction::Kind::read);
    const StoredKey stored = select_also_removed(store, key);
    if (stored.type == keyring::k_ftp_type)
        stop(Status::usage, "{} sends by FTP and has no key; `explain` is about logins by ssh", stored.id);
    return keyring::parse_fingerprint(stored.fingerprint).value();
}

// What the keyring has of the key; what is wrong with the keyring, authkeys says.
struct Published {
    std::optional<keyring::KeyRecord> key{};
    std::optional<keyring::Policy> policy{};
};

[[nodiscard]] Published look_up(const Context& context, const keyring::Fingerprint& fingerprint) {
    Published out;
    const auto reader = keyring::Reader::open(context.keyring.c_str(), context.owner);
    if (!reader)
        return out;
    if (auto found = reader->find(fingerprint))
        out.key = std::move(*found);
    if (auto policy = reader->policy())
        out.policy = std::move(*policy);
    return out;
}

class Explainer {
  public:
    Explainer(Context& context, const ExplainRequest& request)
        : context_(context), request_(request), fingerprint_(find_key(context, request.key)),
          published_(look_up(context, fingerprint_)) {
        walk_.user = escape_visible(request.user);
        walk_.fingerprint = keyring::format_fingerprint(fingerprint_);
        walk_.address = escape_visible(request.address);
        walk_.service = escape_visible(request.service);
        if (published_.key)
            walk_.key = published_.key->id;
    }

    // All decisions, up to the one that ends it.
    [[nodiscard]] const Walk& walk() {
        for (const auto decision : {&Explainer::account, &Explainer::authkeys, &Explainer::pam,
                                    &Explainer::session, &Explainer::drop})
            if (!walk_.ended())
                (this->*decision)();
        return walk_;
    }

  private:
    void refuse(const char* who, std::string what, std::string rule, std::string remedy) {
        walk_.end({who, std::move(what), Outcome::refused, std::move(rule), std::move(remedy)});
    }

    // sshd asks nobody about a user whom the name service does not know.
    void account() {
        account_ = find_account(request_.user);
        if (!account_)
            refuse("sshd", "there is no user " + walk_.user, "account.unknown",
                   "create the account, or correct the name");
    }

    [[nodiscard]] std::string key_words() const {
        return walk_.key.empty() ? "key " + walk_.fingerprint : "key " + walk_.key;
    }

    void authkeys() {
        const Served served = ask_authkeys(context_, request_.authkeys, request_.user, walk_.fingerprint);
        if (!served.line.empty() && served.status == 0)
            return judge_line(served.line);
        if (served.status == 0 && published_.policy && published_.policy->account_user != request_.user)
            return refuse("authkeys",
                          fmt::format("{} is not the account of the gate, which is {}", walk_.user,
                                      escape_visible(published_.policy->account_user)),
                          "account.user", "log in as that account; account.user in gate.toml names it");
        const AuthkeysStatus* known = describe_authkeys(served.status);
        if (known == nullptr)
            return refuse("authkeys", fmt::format("it ended with the unknown status {}", served.status),
                          "authkeys.internal", "install one version of pandora-gate everywhere");
        refuse("authkeys", not_served(served.status), std::string(known->rule), std::string(known->remedy));
    }

    [[nodiscard]] std::string not_served(int status) const {
        constexpr int k_unknown = 0;
        constexpr int k_revoked = 77;
        if (status == k_unknown)
            return key_words() + " is not in the keyring";
        if (!published_.key || status < k_revoked)
            return fmt::format("the keyring cannot be used (status {})", status);
        const keyring::KeyRecord& key = *published_.key;
        const keyring::Standing standing = keyring::standing(key, now());
        std::string out = fmt::format("{} is {}", key_words(), keyring::describe(standing));
        if (standing == keyring::Standing::expired)
            out += " since " + time_text(key.expires_at);
        else if (standing == keyring::Standing::not_yet)
            out += " until " + time_text(key.not_before);
        else if (!key.revoke_reason.empty())
            out += ": " + escape_visible(key.revoke_reason);
        return out;
    }

    // What sshd makes of the line (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
    void judge_line(const std::string& line) {
        const auto options = read_line_options(line);
        if (!options)
            return refuse("authkeys", "its line is none that sshd takes", "authkeys.internal",
                          "install one version of pandora-gate everywhere");
        std::string what = key_words() + " is active";
        const std::string from = join(options->from, ',');
        if (!options->from.empty() && !holds_address(options->from, request_.address))
            return refuse("authkeys", fmt::format("{}; from={} does not hold {}", what, from, walk_.address),
                          "from",
                          fmt::format("send from there, or: pandora-gate keys set {} --from ...", walk_.key));
        if (!options->from.empty())
            what += fmt::format("; from={} holds {}", from, walk_.address);
        if (options->expires != 0)
            what += "; until " + time_text(options->expires);
        walk_.pass("authkeys", std::move(what));
    }

    void pam() {
        const PamAnswer answer = request_.ask_pam({request_.service, request_.user, request_.address});
        const std::string service = "service " + walk_.service;
        if (::access(("/etc/pam.d/" + request_.service).c_str(), F_OK) != 0 &&
            ::access(("/usr/lib/pam.d/" + request_.service).c_str(), F_OK) != 0)
            context_.remarks.push_back(
                fmt::format("there is no file {} in /etc/pam.d: libpam goes by `other`", walk_.service));
        if (!answer.trouble.empty())
            stop(Status::unavailable, "PAM, {}: {}", service, escape_visible(answer.trouble));
        if (answer.code == PAM_SUCCESS)
            return walk_.pass("pam", service + ", account phase: nothing is against it");
        if (!answer.rule.empty())
            return refuse("pam", service + ": " + escape_visible(answer.reason), escape_visible(answer.rule),
                          escape_visible(answer.remedy));
        std::string what = fmt::format("{}: another module than ours says: {}", service, answer.text);
        for (const std::string& said : answer.said)
            what += "; " + escape_visible(said);
        refuse("pam", std::move(what), "pam",
               fmt::format("see the account lines of /etc/pam.d/{}", walk_.service));
    }

    // require_key. The key has proven nothing here; that it is in the keyring and good is all the rule asks
    // of it.
    void session() {
        if (published_.key && keyring::standing(*published_.key, now()) == keyring::Standing::good)
            return walk_.pass("pam", key_words() + " satisfies require_key");
        refuse("pam", key_words() + " may not be used now", "key", "see pandora-gate keys show");
    }

    void drop() {
        const bool nothing_asked = !request_.command && request_.file.empty();
        if (nothing_asked)
            return walk_.end(
                {"drop", "is started; what is asked of it decides (--command, --file)", Outcome::let_in});
        if (!published_.policy)
            stop(Status::unavailable, "the keyring cannot be read");
        const keyring::Policy policy = keyring::for_key(*published_.policy, published_.key->limits);
        const DropCase at{policy, *published_.key, account_->uid};
        if (request_.command)
            judge_command(walk_, at, *request_.command);
        else
            judge_file(walk_, context_, at,
                       {.name = request_.file, .size = request_.size, .packet_agent = request_.packet_agent});
    }

    [[nodiscard]] static std::int64_t now() { return wall_clock_us() / 1'000'000; }

    Context& context_;
    const ExplainRequest& request_;
    const keyring::Fingerprint fingerprint_;
    const Published published_;
    std::optional<Account> account_;
    Walk walk_;
};

} // namespace

std::string explain(Context& context, const ExplainRequest& request) {
    if (!parse_address(request.address))
        stop(Status::usage, "--addr is an address such as 192.0.2.1 or 2001:db8::1, not \"{}\"",
             escape_visible(request.address));
    Explainer explainer(context, request);
    const Walk& walk = explainer.walk();
    const Outcome outcome = walk.steps.back().outcome;
    context.exit_status = outcome == Outcome::refused       ? static_cast<int>(Status::refused)
                          : outcome == Outcome::quarantined ? k_into_quarantine
                                                            : 0;
    return request.json ? dump(to_json(walk)) : to_text(walk, static_cast<std::size_t>(context.columns));
}

} // namespace gate::ctl
