#include "gatectl/context.h"

#include <utility>

namespace gate::ctl {

std::string state_directory(const Context& context) {
    const std::size_t slash = context.keyring.rfind('/');
    if (slash == std::string::npos)
        return ".";
    return slash == 0 ? "/" : context.keyring.substr(0, slash);
}

std::string memory_directory(const Context& context) {
    return state_directory(context) + "/state";
}

void tell(Context& context, audit::Line&& line) {
    if (context.audit == nullptr || context.audit->send(std::move(line)) || context.audit->lost() > 1)
        return; // said once
    context.remarks.emplace_back("the system's logger did not take the audit events of this change");
}

} // namespace gate::ctl
