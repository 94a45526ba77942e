#include "lib/spool/admission.h"

#include <algorithm>

namespace gate::spool {

Reason Admission::check_name(std::string_view name, FileName& out) const {
    FileName parsed;
    if (const Reason reason = parse_file_name(name, parsed); reason != Reason::none)
        return reason;
    if (mode_ == BindingMode::refuse)
        return Reason::agent_unbound;
    if (mode_ == BindingMode::enforce && !name_agrees(key_, parsed.agent))
        return Reason::agent_name;
    out = parsed;
    return Reason::none;
}

Reason Admission::check_size(std::uint64_t size) const {
    if (size > policy_.drop_max_file_size)
        return Reason::size_file;
    if (files_ >= policy_.drop_session_files)
        return Reason::session_files;
    if (bytes_ > policy_.drop_session_bytes || size > policy_.drop_session_bytes - bytes_)
        return Reason::session_bytes;
    return Reason::none;
}

Reason Admission::check_space(const FreeSpace& space, std::optional<std::uint64_t> size) const {
    const std::uint64_t percent = space.total / 100 * policy_.spool_min_free_percent;
    const std::uint64_t keep = std::max(policy_.spool_min_free, percent);
    const std::uint64_t wanted = size.value_or(policy_.drop_max_file_size);
    if (space.files == 0 || space.available < keep || space.available - keep < wanted)
        return Reason::space_free;
    return Reason::none;
}

} // namespace gate::spool
