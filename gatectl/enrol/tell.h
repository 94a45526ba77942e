// The audit events of enrolment and rotation.
#pragma once

#include "gatectl/context.h"
#include "gatectl/store/enrolment.h"
#include "gatectl/store/key.h"
#include "lib/audit/line.h"
#include "lib/enrol/message.h"
#include "lib/enrol/ticket.h"

#include <string>
#include <string_view>

namespace gate::ctl {

void tell_code_made(Context& context, const StoredCode& code);
void tell_opened(Context& context, const std::string& user, std::int64_t until);
void tell_closed(Context& context, const std::string& user);

// A key that was handed over, and by which login.
struct HandedOver {
    enrol::Wish wish = enrol::Wish::enrol;
    std::string session{};
    enrol::Ticket ticket{}; // kind and subject as pam_pandora found them
    std::string fingerprint{};
    std::string key{};    // its id, if it has one
    std::string agents{}; // with '/' between, which cannot be part of a name
};
void tell_accepted(Context& context, const HandedOver& key, std::uint64_t generation);
void tell_pending(Context& context, const HandedOver& key, const std::string& id);
void tell_refused(Context& context, const HandedOver& key, std::string_view reason);

// By an administrator, of a key that waited. `key`: empty if it was rejected.
void tell_decided(Context& context, const PendingKey& pending, const StoredKey* key,
                  std::uint64_t generation);

} // namespace gate::ctl
