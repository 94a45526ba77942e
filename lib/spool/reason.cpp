#include "lib/spool/reason.h"

#include <array>

namespace gate::spool {

namespace {

constexpr std::array<ReasonText, static_cast<std::size_t>(Reason::last_)> k_texts = {{
    {"none", "accepted", "nothing to do", Kind::policy},
    {"name.form", "file name refused",
     "only data files are taken, named AGENT.DIGITS.data or AGENT_DIGITS.data", Kind::policy},
    {"name.byte", "file name refused: it holds a control character", "rename the agent", Kind::policy},
    {"name.length", "file name refused: it is too long", "use an agent name that keeps it within 240 bytes",
     Kind::policy},
    {"name.path", "path refused: it is not data_in", "set server_path to the data_in directory itself",
     Kind::policy},
    {"name.remote_config", "remote configuration files are not taken here",
     "use Tentacle for remote_config, or set remote_config 0", Kind::policy},
    {"agent.name", "this key may not send for the agent in the file name",
     "ask the administrator to add the agent to the key", Kind::policy},
    {"agent.unbound", "this key may not send yet: no agent is bound to it",
     "ask the administrator: pandora-gate keys bind", Kind::policy},
    {"content.doctype", "the packet holds a DOCTYPE, or hides whether it does",
     "no Pandora FMS agent writes one: look at it with pandora-gate quarantine show", Kind::policy},
    {"content.root", "the packet's root element is not agent_data",
     "look at it with pandora-gate quarantine show", Kind::policy},
    {"content.agent", "the packet names no agent", "look at it with pandora-gate quarantine show",
     Kind::policy},
    {"content.complex", "the packet needs more memory to be read than is allowed",
     "look at it with pandora-gate quarantine show", Kind::policy},
    {"agent.mismatch", "the packet names an agent that this key or its file name is not of",
     "pandora-gate quarantine release --rebind binds the key to that agent", Kind::policy},
    {"size.file", "file refused: it is larger than max_file_size",
     "send smaller packets, or ask the administrator", Kind::policy},
    {"limit.session_files", "too many files in one session", "send the rest in another session",
     Kind::resource},
    {"limit.session_bytes", "too many bytes in one session", "send the rest in another session",
     Kind::resource},
    {"limit.staged_bytes", "too many unfinished bytes in one session", "finish one file before the next",
     Kind::resource},
    {"limit.open_files", "too many open files in one session", "close one before opening the next",
     Kind::resource},
    {"space.free", "the server is short of space", "try again later", Kind::resource},
    {"quota.files", "this key has sent too many files for now", "try again later", Kind::resource},
    {"quota.bytes", "this key has sent too many bytes for now", "try again later", Kind::resource},
    {"spool.backlog", "too many files wait to be read by the server", "try again later", Kind::resource},
    {"spool.paused", "the administrator has paused deliveries", "try again later", Kind::resource},
    {"audit.away", "the server's logger is away, and nothing is taken without it", "try again later",
     Kind::resource},
    {"quarantine.full", "the server cannot keep this packet for inspection", "try again later",
     Kind::resource},
    {"transfer.incomplete", "file discarded: it did not arrive whole", "send it again", Kind::resource},
    {"transfer.client_error", "file discarded: the client reported an error while sending", "send it again",
     Kind::resource},
    {"transfer.protocol", "the client broke the protocol", "use a standard scp or sftp client", Kind::policy},
    {"time.idle", "session ended: nothing was sent for idle_timeout", "send again", Kind::resource},
    {"time.session", "session ended: it lasted longer than session_timeout", "send again", Kind::resource},
    {"transfer.aborted", "file discarded: the session ended before it was complete", "send it again",
     Kind::resource},
    {"transfer.removed", "file discarded: the client removed it", "send it again if it is wanted",
     Kind::resource},
    {"request.read", "nothing can be read here", "this account only receives data", Kind::policy},
    {"request.command", "no commands can be run here", "send files with scp or sftp", Kind::policy},
    {"request.command_text", "the command could not be understood", "send files with plain scp or sftp",
     Kind::policy},
    {"request.shell", "there is no shell here", "send files with scp or sftp", Kind::policy},
    {"request.recursive", "directories are not taken", "send the files without -r", Kind::policy},
    {"request.directory", "directories cannot be made, changed or removed here", "send files only",
     Kind::policy},
    {"request.foreign_file", "only files of this session can be changed", "send a new file", Kind::policy},
    {"request.unsupported", "this request is not supported here", "send files with put", Kind::unsupported},
    {"enrol.only", "this login can hand over a public key and do nothing else",
     "run ssh-copy-id, then log in with that key", Kind::policy},
    {"enrol.no_key", "no public key came", "send the one line of a .pub file: ssh-copy-id -i KEY.pub",
     Kind::policy},
    {"enrol.many_keys", "more than one key came, and a code lets one key in", "use ssh-copy-id -i KEY.pub",
     Kind::policy},
    {"enrol.large", "what came is larger than any public key",
     "send the one line of a .pub file: ssh-copy-id -i KEY.pub", Kind::policy},
    {"enrol.bytes", "the key holds a byte that no public key holds",
     "send the one line of a .pub file: ssh-copy-id -i KEY.pub", Kind::policy},
    {"enrol.away", "enrolment is not possible now: the service pandora-gate-enrol does not answer",
     "the administrator must start it", Kind::resource},
    {"ftp.incomplete", "the upload ended before its packet did, and was not repeated",
     "see whether the client was ended in the middle, or its connection lost", Kind::policy},
    {"ftp.sender", "the sender is disabled, revoked, or out of its dates",
     "see pandora-gate keys show ftp:USER; what was uploaded waits", Kind::resource},
    {"ftp.unsafe", "this is no upload: a link, no regular file, or somebody else's",
     "find out who put it there, and remove it", Kind::policy},
    {"ftp.large", "the upload is larger than can be looked at", "look at it where it waits, and remove it",
     Kind::policy},
    {"server.spool", "the server cannot take files now", "try again later; its audit log has the cause",
     Kind::resource},
    {"server.internal", "the server failed", "try again later; its audit log has the cause", Kind::resource},
}};

} // namespace

const ReasonText& text_of(Reason reason) {
    const auto index = static_cast<std::size_t>(reason);
    return k_texts[index < k_texts.size() ? index : static_cast<std::size_t>(Reason::internal)];
}

std::string sentence(Reason reason) {
    const ReasonText& text = text_of(reason);
    std::string out = "pandora-gate: ";
    out += text.what;
    out += "; ";
    out += text.remedy;
    return out;
}

} // namespace gate::spool
