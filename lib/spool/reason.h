// Why something was refused: one table for every front end. Each reason has a code (audit, manual), words for
// the client and a remedy. No text depends on what is on the disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gate::spool {

enum class Reason : std::uint16_t {
    none = 0,
    // the file's name
    name_form,
    name_byte,
    name_length,
    name_path,
    name_remote_config,
    agent_name,
    agent_unbound,
    // the content: told the audit, the client hears success
    content_doctype,
    content_root,
    content_agent,
    content_complex,
    agent_mismatch,
    // sizes and limits
    size_file,
    session_files,
    session_bytes,
    staged_bytes,
    open_files,
    space_free,
    quota_files,
    quota_bytes,
    backlog,
    paused,
    audit_away,
    quarantine_full,
    // the transfer
    incomplete,
    client_error,
    protocol,
    idle_timeout,
    session_timeout,
    aborted,
    removed,
    // the request
    read,
    command,
    command_text,
    shell,
    recursive,
    directory,
    foreign_file,
    unsupported,
    // the login's own key
    enrol_only,
    enrol_no_key,
    enrol_many_keys,
    enrol_large,
    enrol_bytes,
    enrol_away,
    // an upload by FTP: heard of by the audit alone
    ftp_incomplete,
    ftp_sender,
    ftp_unsafe,
    ftp_large,
    // the server
    spool_unavailable,
    internal,
    last_ // not a reason: how many there are
};

// How a protocol should put it, where it can tell these apart.
enum class Kind : std::uint8_t {
    policy,      // this will never be allowed
    resource,    // not now
    unsupported, // no such request here
};

struct ReasonText {
    std::string_view code;
    std::string_view what;
    std::string_view remedy;
    Kind kind;
};

// Any value is safe: one that is no reason gives that of `internal`.
[[nodiscard]] const ReasonText& text_of(Reason reason);
// "pandora-gate: WHAT; REMEDY"
[[nodiscard]] std::string sentence(Reason reason);

} // namespace gate::spool
