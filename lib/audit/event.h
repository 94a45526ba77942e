// The event catalogue: every code that may stand in the audit trail. doc/audit.md describes each with its
// fields; a test compares the two.
#pragma once

#include <cstdint>
#include <string_view>

namespace gate::audit {

enum class Event : std::uint8_t {
    key_served,       // authkeys gave sshd a line (off by default: serving is not using)
    key_refused,      // authkeys knows why it gave none
    login_refused,    // pam_pandora: a rule said no
    session_opened,   // pam_pandora: open_session of a managed account
    session_closed,   // pam_pandora: close_session, with the duration
    session_refused,  // drop: the login may not use the sink
    session_summary,  // drop: what one session did
    request_refused,  // drop: something other than taking a file was asked for
    spool_unusable,   // drop: data_in or the staging directory cannot be used: every file is refused
    memory_unusable,  // drop: what is known of earlier drops cannot be used; deliveries go on
    sandbox_weaker,   // drop: the kernel lacks a part of the sandbox; deliveries go on
    sandbox_breach,   // drop: one of its processes did what it never does
    drop_begun,       // a file may come (audit.mode = required only)
    drop_accepted,    // a file is in data_in
    drop_resent,      // a file that had arrived before: nothing was done, the client was told success
    drop_quarantined, // a file was taken, but is not in data_in: it waits for a human
    agent_mismatch,   // a packet names another agent than its key or its name lets it
    agent_proposed,   // the first packets of an unbound key agree on an agent
    drop_ignored,     // a file nobody reads was taken and thrown away (.checksum)
    drop_refused,     // a file was refused
    drop_aborted,     // a file was begun and not finished
    upload_waiting,   // sweep: an upload by FTP cannot be taken now
    upload_held,      // its packet has no end: it waits for another one of its name
    upload_replaced,  // that one came
    upload_refused,   // it is no upload: it stays where it is
    upload_recovered, // it had been taken when a sweep was ended
    sweep_failed,     // uploads cannot be taken at all
    key_changed,      // pandora-gate keys: an administrator changed the store
    keys_imported,    // pandora-gate keys import: many at once
    keyring_published,
    quarantine_released, // pandora-gate quarantine
    quarantine_purged,
    deliveries_paused, // pandora-gate pause, resume
    deliveries_resumed,
    backup_made, // pandora-gate backup, restore
    backup_restored,
    setup_applied, // pandora-gate setup
    setup_removed,
    enrol_code_made, // pandora-gate enrol
    enrol_opened,
    enrol_closed,
    enrol_accepted, // the enrolment service: a key that came in by a code, or that an administrator approved
    enrol_pending,
    enrol_refused,
    rotation_accepted, // the same, of a key that an agent sent in under its active one
    rotation_pending,
    rotation_refused,
};

[[nodiscard]] constexpr std::string_view code(Event event) {
    switch (event) {
    case Event::key_served:
        return "key.served";
    case Event::key_refused:
        return "key.refused";
    case Event::login_refused:
        return "login.refused";
    case Event::session_opened:
        return "session.opened";
    case Event::session_closed:
        return "session.closed";
    case Event::session_refused:
        return "session.refused";
    case Event::session_summary:
        return "session.summary";
    case Event::request_refused:
        return "request.refused";
    case Event::spool_unusable:
        return "spool.unusable";
    case Event::memory_unusable:
        return "memory.unusable";
    case Event::sandbox_weaker:
        return "sandbox.weaker";
    case Event::sandbox_breach:
        return "sandbox.breach";
    case Event::drop_begun:
        return "drop.begun";
    case Event::drop_accepted:
        return "drop.accepted";
    case Event::drop_resent:
        return "drop.resent";
    case Event::drop_quarantined:
        return "drop.quarantined";
    case Event::agent_mismatch:
        return "agent.mismatch";
    case Event::agent_proposed:
        return "agent.proposed";
    case Event::drop_ignored:
        return "drop.ignored";
    case Event::drop_refused:
        return "drop.refused";
    case Event::drop_aborted:
        return "drop.aborted";
    case Event::upload_waiting:
        return "upload.waiting";
    case Event::upload_held:
        return "upload.held";
    case Event::upload_replaced:
        return "upload.replaced";
    case Event::upload_refused:
        return "upload.refused";
    case Event::upload_recovered:
        return "upload.recovered";
    case Event::sweep_failed:
        return "sweep.failed";
    case Event::key_changed:
        return "key.changed";
    case Event::keys_imported:
        return "keys.imported";
    case Event::keyring_published:
        return "keyring.published";
    case Event::quarantine_released:
        return "quarantine.released";
    case Event::quarantine_purged:
        return "quarantine.purged";
    case Event::deliveries_paused:
        return "deliveries.paused";
    case Event::deliveries_resumed:
        return "deliveries.resumed";
    case Event::backup_made:
        return "backup.made";
    case Event::backup_restored:
        return "backup.restored";
    case Event::setup_applied:
        return "setup.applied";
    case Event::setup_removed:
        return "setup.removed";
    case Event::enrol_code_made:
        return "enrol.code_made";
    case Event::enrol_opened:
        return "enrol.opened";
    case Event::enrol_closed:
        return "enrol.closed";
    case Event::enrol_accepted:
        return "enrol.accepted";
    case Event::enrol_pending:
        return "enrol.pending";
    case Event::enrol_refused:
        return "enrol.refused";
    case Event::rotation_accepted:
        return "rotation.accepted";
    case Event::rotation_pending:
        return "rotation.pending";
    case Event::rotation_refused:
        return "rotation.refused";
    }
    return "unknown";
}

} // namespace gate::audit
