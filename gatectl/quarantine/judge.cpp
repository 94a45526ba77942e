#include "gatectl/quarantine/judge.h"

#include "lib/spool/admission.h"
#include "lib/spool/content.h"
#include "lib/spool/name.h"
#if __has_include("lib/spool/binding.h")
#include "lib/spool/binding.h"
#endif

namespace gate::ctl {

namespace {

using spool::Reason;

[[nodiscard]] Reason wrong_name(const Case& packet, spool::FileName& name) {
    const Reason reason = is_about_binding(packet.failed) || packet.key == nullptr
                              ? spool::parse_file_name(packet.file, name)
                              : spool::Admission(packet.policy, *packet.key).check_name(packet.file, name);
    if (reason != Reason::none)
        return reason;
    return name.kind == spool::FileName::Kind::packet ? Reason::none : Reason::name_form;
}

#if __has_include("lib/spool/binding.h")

[[nodiscard]] bool enforces(const Case& packet) {
    const keyring::Binding own = packet.key->binding;
    const keyring::Binding mode = own == keyring::Binding::automatic ? packet.policy.binding_default : own;
    return mode == keyring::Binding::automatic || mode == keyring::Binding::enforce;
}

[[nodiscard]] Reason reason_of(const spool::Verdict& verdict) {
    switch (verdict.content) {
    case spool::Content::doctype:
        return Reason::content_doctype;
    case spool::Content::wrong_root:
        return Reason::content_root;
    case spool::Content::too_complex:
        return Reason::content_complex;
    case spool::Content::well_formed:
        return verdict.agent_name ? Reason::none : Reason::content_agent;
    case spool::Content::unchecked:
    case spool::Content::malformed:
    case spool::Content::last_:
        break;
    }
    return Reason::none;
}

[[nodiscard]] Reason wrong_content(const Case& packet, const spool::FileName& name) {
    if (!packet.policy.content_check || packet.failed == Reason::content_complex)
        return Reason::none;
    spool::ContentChecker checker;
    const spool::Verdict verdict =
        checker.check(packet.content, packet.failed == Reason::content_doctype ? spool::Doctype::allow
                                                                               : spool::Doctype::refuse);
    if (const Reason reason = reason_of(verdict); reason != Reason::none && reason != packet.failed)
        return reason;
    if (is_about_binding(packet.failed) || packet.key == nullptr || packet.key->agents.empty() ||
        !enforces(packet))
        return Reason::none;
    const Reason reason = spool::check_binding(*packet.key, name.agent, verdict);
    return reason == packet.failed ? Reason::none : reason;
}

#else

// What looks into packets is not part of this tree yet.
[[nodiscard]] Reason wrong_content(const Case&, const spool::FileName&) {
    return Reason::none;
}

#endif

} // namespace

bool is_about_binding(Reason reason) {
    return reason == Reason::agent_name || reason == Reason::agent_unbound ||
           reason == Reason::agent_mismatch;
}

Reason still_wrong(const Case& packet) {
    spool::FileName name;
    if (const Reason reason = wrong_name(packet, name); reason != Reason::none)
        return reason;
    if (packet.content.size() > packet.policy.drop_max_file_size)
        return Reason::size_file;
    return wrong_content(packet, name);
}

} // namespace gate::ctl
