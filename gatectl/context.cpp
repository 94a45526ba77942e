#include "gatectl/context.h"

#include <utility>

namespace gate::ctl {

void tell(Context& context, audit::Line&& line) {
    if (context.audit == nullptr || context.audit->send(std::move(line)) || context.audit->lost() > 1)
        return; // said once
    context.remarks.emplace_back("the system's logger did not take the audit events of this change");
}

} // namespace gate::ctl
