#include "gatectl/keys/import.h"

#include "gatectl/handover.h"
#include "gatectl/keys/accept.h"
#include "gatectl/keys/commands.h"
#include "gatectl/keys/json.h"
#include "gatectl/keys/known.h"
#include "gatectl/keys/names.h"
#include "gatectl/problem.h"
#include "gatectl/publish/publish.h"
#include "lib/base/text.h"

#include <algorithm>
#include <functional>
#include <map>
#include <sys/stat.h>

namespace gate::ctl {

namespace {

struct Counts {
    std::size_t bound = 0, learning = 0;                              // imported
    std::size_t already_there = 0, revoked = 0, removed = 0, bad = 0; // skipped
    std::map<std::string, std::size_t> options; // that the gate replaces, and of how many keys
    [[nodiscard]] std::size_t imported() const { return bound + learning; }
};

// A guess at the number of keys, from the sizes of the files.
[[nodiscard]] std::uint64_t expected_keys(const std::vector<std::string>& files) {
    constexpr std::uint64_t k_line = 100; // bytes of an Ed25519 key with a comment
    std::uint64_t bytes = 0;
    for (const std::string& file : files) {
        struct stat st {};
        if (::stat(file.c_str(), &st) == 0 && S_ISREG(st.st_mode))
            bytes += static_cast<std::uint64_t>(st.st_size);
    }
    return bytes / k_line;
}

// Of what an import says of a key, to tell whether it says it twice or says two things.
[[nodiscard]] std::uint64_t digest_of(const StoredKey& key) {
    std::size_t out = std::hash<std::int64_t>{}(key.expires_at) + key.agents.size();
    constexpr std::size_t k_odd = 0x9e3779b97f4a7c15; // so that the order counts
    for (const auto* list : {&key.agents, &key.from})
        for (const std::string& item : *list)
            out = out * k_odd + std::hash<std::string>{}(item);
    return out;
}

// Turns entries into keys of the store.
class Importer {
  public:
    Importer(Context& context, const ImportRequest& request, Store& store, const Note& note)
        : context_(context), request_(request), policy_(policy_in_force(context)),
          known_(store, expected_keys(request.sources.files)), note_(note) {
        template_.binding = !request.binding.empty()                                 ? request.binding
                            : policy_.binding_default == keyring::Binding::automatic ? "observe"
                                                                                     : "";
        template_.added_at = note.at;
        template_.added_by = context.operator_name;
        template_.approver = context.operator_name;
        key_ = template_;
    }

    [[nodiscard]] std::uint64_t keys_before() const { return known_.size(); }
    [[nodiscard]] const Counts& counts() const { return counts_; }

    // Nothing is left of `key` afterwards: it is exchanged for one that was used before.
    void read(const std::function<void(StoredKey& key)>& put) {
        read_sources(request_.sources,
                     {.entry =
                          [&](Entry& entry, const Place& at) {
                              std::string wrong;
                              try {
                                  if (accept(entry, at))
                                      put(key_);
                                  return;
                              } catch (const Problem& problem) {
                                  wrong = problem.what();
                              }
                              bad(wrong, at);
                          },
                      .bad = [this](const std::string& wrong, const Place& at) { bad(wrong, at); },
                      .progress =
                          [this](std::uint64_t done, std::uint64_t total) {
                              context_.show_progress("reading keys", done, total);
                          }});
        if (counts_.bad > k_told)
            context_.remarks.push_back(fmt::format("{} more are skipped", counts_.bad - k_told));
    }

  private:
    static constexpr std::size_t k_told = 20; // of bad lines; a table of something else has a million

    // Fills in key_; false if it is to be skipped. Throws Problem for what is bad.
    [[nodiscard]] bool accept(Entry& entry, const Place& at) {
        const PublicKey& parsed = entry.line.key;
        if (const std::string wrong = wrong_with_policy(policy_, parsed.type, parsed.blob); !wrong.empty())
            stop(Status::bad_data, "{}", wrong);
        key_.agents = check_agents(entry.agents);
        // A table was written by an administrator; a comment or a file's name came with the key.
        if (!request_.sources.csv && !key_.agents.empty())
            if (const char* wrong = wrong_with_exact_agent(key_.agents.front()); wrong != nullptr)
                stop(Status::bad_data, "\"{}\" cannot be taken for the name of an agent: {}",
                     escape_visible(key_.agents.front()), wrong);
        if (key_.agents.empty() && policy_.binding_unbound_keys == keyring::Unbound::refuse)
            stop(Status::bad_data,
                 "the key has no agent, and binding.unbound_keys is \"refuse\": say where its name "
                 "stands with --agent-from");
        key_.from.swap(entry.line.from);
        key_.expires_at = entry.line.expires_at;
        const std::uint64_t settings = digest_of(key_);
        if (const Known::Key& known = known_.find(parsed.fingerprint); known.what != Known::What::nothing) {
            skip(known, settings);
            return false;
        }
        check_text("note", entry.note.size() > k_max_note ? std::string_view() : entry.note);
        key_.note.assign(entry.note, 0, k_max_note);
        key_.id = choose_id(parsed.fingerprint);
        key_.fingerprint = keyring::format_fingerprint(parsed.fingerprint);
        key_.type = parsed.type;
        key_.blob = base64_encode(as_bytes(parsed.blob));
        key_.binding = template_.binding;
        key_.added_at = template_.added_at;
        key_.added_by = template_.added_by;
        key_.approver = template_.approver;
        known_.remember(parsed.fingerprint, Known::What::imported, at.line, settings);
        for (const std::string& option : entry.line.ignored)
            ++counts_.options[option];
        ++(key_.agents.empty() ? counts_.learning : counts_.bound);
        return true;
    }

    void skip(const Known::Key& known, std::uint64_t settings) {
        switch (known.what) {
        case Known::What::nothing:
            break;
        case Known::What::there:
            ++counts_.already_there;
            break;
        case Known::What::revoked:
            ++counts_.revoked;
            break;
        case Known::What::removed:
            ++counts_.removed;
            break;
        case Known::What::imported:
            if (known.settings != settings)
                stop(Status::bad_data,
                     "this key stands on line {} already, with another agent, address or date: say it once, "
                     "with all "
                     "its agents (in a table: agent1;agent2)",
                     known.line);
            ++counts_.already_there;
            break;
        }
    }

    [[nodiscard]] std::string choose_id(const keyring::Fingerprint& fingerprint) {
        const std::string_view agent = key_.agents.empty() ? std::string_view() : key_.agents.front();
        for (std::size_t digits = 6; digits < 2 * fingerprint.size(); digits += 2)
            if (std::string id = propose_id(agent, fingerprint, digits); is_key_id(id) && known_.take_id(id))
                return id;
        stop(Status::bad_data, "no id made from the agent's name is free");
    }

    void bad(const std::string& wrong, const Place& at) {
        if (!request_.skip_bad)
            stop(Status::bad_data, "{}: {}; nothing was imported (--skip-bad leaves such lines out)",
                 at.text(), wrong);
        if (++counts_.bad <= k_told)
            context_.remarks.push_back(fmt::format("{}: skipped: {}", at.text(), wrong));
    }

    Context& context_;
    const ImportRequest& request_;
    keyring::Policy policy_;
    Known known_;
    const Note& note_;
    StoredKey template_{};
    StoredKey key_{};
    Counts counts_{};
};

[[nodiscard]] std::string names_of(const std::vector<std::string>& files) {
    constexpr std::size_t k_most = 1000; // bytes, in the history
    std::string out;
    for (const std::string& file : files)
        out += (out.empty() ? "" : ", ") + (file == "-" ? "standard input" : file);
    return out.size() > k_most ? out.substr(0, k_most) + "..." : out;
}

[[nodiscard]] std::string as_text(const Counts& c) {
    std::string out = fmt::format(
        "imported {} {}: {} bound, {} learning; skipped {}: {} already there, {} revoked, "
        "{} removed before, {} bad\n",
        c.imported(), c.imported() == 1 ? "key" : "keys", c.bound, c.learning,
        c.already_there + c.revoked + c.removed + c.bad, c.already_there, c.revoked, c.removed, c.bad);
    for (const auto& [option, keys] : c.options)
        out += fmt::format("  the option {} of {} {} has no place here: the gate decides what a key may do\n",
                           escape_visible(option), keys, keys == 1 ? "key" : "keys");
    return out;
}

[[nodiscard]] std::string as_json(const Context& context, const Counts& c, const Published& published) {
    return dump({{"action", "import"},
                 {"dry_run", context.dry_run},
                 {"bound", c.bound},
                 {"learning", c.learning},
                 {"already_there", c.already_there},
                 {"revoked", c.revoked},
                 {"removed", c.removed},
                 {"bad", c.bad},
                 {"options", c.options},
                 {"published", published.happened ? to_json(published) : Json()}});
}

void tell_imported(Context& context, const Note& note, const Counts& counts, std::uint64_t generation) {
    audit::Line line(audit::Event::keys_imported);
    line.text("operator", context.operator_name)
        .text("source", note.detail)
        .number("bound", counts.bound)
        .number("learning", counts.learning)
        .number("skipped", counts.already_there + counts.revoked + counts.removed + counts.bad)
        .number("generation", generation);
    tell(context, std::move(line));
}

} // namespace

std::string import_keys(Context& context, const ImportRequest& request) {
    constexpr std::uint64_t k_many = 10'000; // keys; fewer are quicker with the indexes in place
    check_binding_word(request.binding);
    if (request.sources.files.empty())
        stop(Status::usage, "say what to import: pandora-gate keys import FILE...");
    const Note note = note_of(context, "import", names_of(request.sources.files));
    Counts counts;
    const Published published = change_and_publish(context, PolicyFrom::keyring, [&](Store& store) {
        Importer importer(context, request, store, note);
        Store::Bulk bulk(store,
                         expected_keys(request.sources.files) > std::max(k_many, importer.keys_before()));
        {
            Handover<StoredKey> writer([&bulk](StoredKey& key) { bulk.insert(key); });
            importer.read([&writer](StoredKey& key) { writer.put(key); });
            writer.finish();
        }
        counts = importer.counts();
        bulk.finish(note);
        return counts.imported() != 0;
    });
    if (!context.dry_run && counts.imported() != 0)
        tell_imported(context, note, counts, published.generation);
    if (!context.dry_run && published.happened)
        tell_published(context, published);
    if (counts.removed != 0)
        context.remarks.emplace_back("keys that were removed do not come back by an import: add them with "
                                     "`pandora-gate keys add`");
    if (context.json)
        return as_json(context, counts, published);
    std::string out = as_text(counts);
    if (published.happened)
        out += describe(published) + '\n';
    if (context.dry_run)
        out += "dry run: nothing was changed\n";
    return out;
}

} // namespace gate::ctl
