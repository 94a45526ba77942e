// `quarantine release`: a packet that a human has looked at goes into data_in after all.
//
// Order: it is checked, published, then removed here. Killed in between, it is there twice, and a second
// release would deliver it again under another name: that is better than not at all.
#include "gatectl/keys/commands.h"
#include "gatectl/keys/ftp_user.h"
#include "gatectl/keys/names.h"
#include "gatectl/keys/outcome.h"
#include "gatectl/problem.h"
#include "gatectl/publish/change.h"
#include "gatectl/publish/present.h"
#include "gatectl/quarantine/commands.h"
#include "gatectl/quarantine/deliver.h"
#include "gatectl/quarantine/judge.h"
#include "gatectl/quarantine/shelf.h"
#include "lib/base/file.h"
#include "lib/base/sha256.h"
#include "lib/base/text.h"
#include "lib/keyring/ftp_sender.h"

#include <algorithm>
#include <sys/file.h>
#include <sys/stat.h>

namespace gate::ctl {

namespace {

constexpr std::size_t k_max_packet = 65 << 20; // bytes; no packet is larger

struct Packet {
    std::string id;
    Facts facts;
    Fd fd; // locked: another administrator's release of the same waits, and then finds nothing
    std::string content;
};

[[nodiscard]] spool::Reason reason_of(std::string_view code) {
    for (auto i = static_cast<std::uint16_t>(spool::Reason::none);
         i < static_cast<std::uint16_t>(spool::Reason::last_); ++i)
        if (spool::text_of(static_cast<spool::Reason>(i)).code == code)
            return static_cast<spool::Reason>(i);
    return spool::Reason::none;
}

class Releaser {
  public:
    Releaser(Context& context, const Shelf& shelf, keyring::Policy policy, Account account)
        : context_(context), shelf_(shelf), policy_(std::move(policy)), account_(std::move(account)),
          present_(look_at(context.keyring, context.owner)) {}

    // Reads it and judges it. Throws Problem.
    [[nodiscard]] Packet take(const std::string& id) const {
        Packet packet = open(id);
        judge(packet);
        return packet;
    }

    // Returns the line for stdout. Throws Problem.
    [[nodiscard]] std::string release(const std::string& id, bool rebound) {
        const Packet packet = take(id);
        const std::string name = deliver_as(account_, policy_, packet.facts.file, packet.content);
        tell_released(packet, name, rebound);
        const std::string shown = escape_visible(name);
        if (const auto removed = shelf_.remove(id); !removed)
            stop(Status::io, "{} was delivered as {}, but is still in the quarantine: {}", id, shown,
                 describe(removed.error()));
        return fmt::format("released {} as {}\n", id, shown);
    }

  private:
    [[nodiscard]] Packet open(const std::string& id) const {
        Packet out{.id = id, .facts = {}, .fd = {}, .content = {}};
        auto facts = shelf_.facts(id);
        if (!facts)
            stop(Status::refused,
                 "{} has no sidecar, or a damaged one: nobody knows whose it is; look at it with "
                 "`pandora-gate "
                 "quarantine show`, and purge it",
                 id);
        out.facts = std::move(*facts);
        auto fd = shelf_.open_packet(id);
        if (fd && ::flock(fd->get(), LOCK_EX) == 0) {
            struct stat st {};
            if (::fstat(fd->get(), &st) == 0 && st.st_nlink == 0)
                fd = fail(Errc::missing, "it is not there any more");
        }
        if (!fd)
            stop(fd.error().code == Errc::missing ? Status::refused : Status::io, "{}: {}", id,
                 describe(fd.error()));
        out.fd = std::move(*fd);
        auto content = read_all(out.fd.get(), k_max_packet);
        if (!content)
            stop(Status::io, "{}: {}", id, describe(content.error()));
        out.content = std::move(*content);
        if (hex_encode(sha256(as_bytes(out.content))) != out.facts.sha256)
            stop(Status::bad_data, "{} is not what was received: its SHA-256 is not that of its sidecar", id);
        return out;
    }

    void judge(const Packet& packet) const {
        const spool::Reason failed = reason_of(packet.facts.reason);
        const auto key = find_key(packet.facts);
        if (!key && !is_about_binding(failed))
            stop(Status::refused,
                 "{} was sent with the key {}, which the keyring does not know any more: nobody can say for "
                 "which agents it may send",
                 packet.id, escape_visible(packet.facts.key));
        const spool::Reason wrong = still_wrong({.policy = policy_,
                                                 .key = key ? &*key : nullptr,
                                                 .file = packet.facts.file,
                                                 .content = std::as_bytes(std::span(packet.content)),
                                                 .failed = failed});
        if (wrong != spool::Reason::none)
            stop(Status::refused, "{} may not be delivered, also for another reason than {}: {} ({})",
                 packet.id, escape_visible(packet.facts.reason), spool::text_of(wrong).what,
                 spool::text_of(wrong).code);
    }

    [[nodiscard]] std::optional<keyring::KeyRecord> find_key(const Facts& facts) const {
        const auto fingerprint = keyring::parse_fingerprint(facts.fingerprint);
        if (!fingerprint || !present_.reader)
            return std::nullopt;
        auto found = present_.reader->find(*fingerprint);
        if (!found)
            stop(Status::unavailable, "the keyring {}: {}", escape_visible(context_.keyring),
                 describe(found.error()));
        if (*found)
            return std::move(*found);
        // A user who sends by FTP needs no row: without one, he is bound to no agent.
        if (const std::string_view user = user_in_name(facts.key); !user.empty())
            if (keyring::KeyRecord sender = keyring::ftp_sender(user); sender.fingerprint == *fingerprint)
                return sender;
        return std::nullopt;
    }

    void tell_released(const Packet& packet, const std::string& name, bool rebound) {
        audit::Line line(audit::Event::quarantine_released);
        line.text("operator", context_.operator_name)
            .text("quarantine", packet.id)
            .text_if("key", packet.facts.key)
            .text("file", packet.facts.file)
            .text("published_as", name)
            .text("sha256", packet.facts.sha256)
            .text("rule", packet.facts.reason)
            .text_if("rebind", rebound ? packet.facts.packet_agent : std::string());
        tell(context_, std::move(line));
    }

    Context& context_;
    const Shelf& shelf_;
    keyring::Policy policy_;
    Account account_;
    Present present_;
};

// The agents of the packets, for the keys that sent them: one publish for all. Throws Problem.
[[nodiscard]] std::string rebind(Context& context, const std::vector<Facts>& packets) {
    for (const Facts& facts : packets) {
        if (facts.packet_agent.empty())
            stop(Status::refused,
                 "a packet of the key {} names no agent: bind one with `pandora-gate keys bind`",
                 escape_visible(facts.key));
        if (const char* wrong = wrong_with_exact_agent(facts.packet_agent); wrong != nullptr)
            stop(Status::refused, "the agent \"{}\" cannot be bound: {}", escape_visible(facts.packet_agent),
                 wrong);
    }
    Outcome outcome{.action = "bind", .keys = {}, .as_was = {}, .text = {}, .published = {}};
    outcome.published = change_and_publish(context, PolicyFrom::keyring, [&](Store& store) {
        for (const Facts& facts : packets) {
            auto key = store.find_fingerprint(facts.fingerprint);
            if (!key && !user_in_name(facts.key).empty())
                stop(Status::refused,
                     "there is no user {0} in the store: add him with `pandora-gate keys add --ftp {1}`, or "
                     "release without --rebind",
                     escape_visible(facts.key), escape_visible(user_in_name(facts.key)));
            if (!key)
                stop(Status::refused, "there is no key {} in the store: release without --rebind",
                     escape_visible(facts.key));
            if (!bind_in_store(context, store, *key, {facts.packet_agent}, {}))
                continue;
            std::erase_if(outcome.keys, [&key](const StoredKey& other) { return other.id == key->id; });
            outcome.keys.push_back(std::move(*key));
        }
        return !outcome.keys.empty();
    });
    for (const StoredKey& key : outcome.keys)
        outcome.text += fmt::format("bound {} to agent {}\n", key.id, list_agents(key.agents));
    return finish(context, outcome);
}

} // namespace

std::string release_quarantine(Context& context, const ReleaseRequest& request) {
    if (request.ids.empty())
        stop(Status::usage, "say which: pandora-gate quarantine release ID...");
    const keyring::Policy policy = policy_in_force(context);
    auto account = find_account(policy.account_user);
    if (!account)
        stop(Status::unavailable, "account.user {} does not exist: nothing can be delivered as it",
             policy.account_user);
    const auto shelf = Shelf::open(policy.spool_quarantine);
    const auto entries = shelf ? shelf->packets() : std::vector<ShelfEntry>();
    std::vector<std::string> ids;
    for (const std::string& name : request.ids) {
        const std::string& id = select_entry(entries, name).id;
        if (std::find(ids.begin(), ids.end(), id) == ids.end())
            ids.push_back(id);
    }
    std::string out;
    if (request.rebind) {
        std::vector<Facts> facts;
        {
            const Releaser before(context, *shelf, policy, *account);
            for (const std::string& id : ids)
                facts.push_back(before.take(id).facts); // nothing is bound for what would not be delivered
        }
        const bool prepares = std::exchange(context.prepares, false); // it would purge what is old
        out += rebind(context, facts);
        context.prepares = prepares;
    }
    Releaser releaser(context, *shelf, policy, *account);
    for (const std::string& id : ids) {
        try {
            out += releaser.release(id, request.rebind);
        } catch (const Problem& problem) {
            if (ids.size() == 1)
                throw;
            context.exit_status = static_cast<int>(problem.status());
            context.remarks.emplace_back(problem.what());
        }
    }
    if (std::string wrong = correct_usage(context, *shelf, *account); !wrong.empty())
        context.remarks.push_back(std::move(wrong));
    return out;
}

} // namespace gate::ctl
