#include "gatectl/quarantine/judge.h"

#include "lib/spool/admission.h"
#include "lib/spool/binding.h"
#include "lib/spool/content.h"
#include "lib/spool/name.h"

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

[[nodiscard]] Reason wrong_content(const Case& packet, const spool::FileName& name) {
    if (!packet.policy.content_check || packet.failed == Reason::content_complex)
        return Reason::none;
    spool::ContentChecker checker;
    const spool::Verdict verdict =
        checker.check(packet.content, packet.failed == Reason::content_doctype ? spool::Doctype::allow
                                                                               : spool::Doctype::refuse);
    if (const Reason reason = spool::check_content(verdict);
        reason != Reason::none && reason != packet.failed)
        return reason;
    if (is_about_binding(packet.failed) || packet.key == nullptr ||
        spool::binding_mode(packet.policy, *packet.key) != spool::BindingMode::enforce)
        return Reason::none;
    const Reason reason = spool::check_binding(*packet.key, name.agent, verdict);
    return reason == packet.failed ? Reason::none : reason;
}

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
