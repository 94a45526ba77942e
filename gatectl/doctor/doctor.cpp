// `pandora-gate doctor`: the checks, and what is said of what they found.
#include "gatectl/doctor/commands.h"
#include "gatectl/doctor/print.h"
#include "gatectl/problem.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl {

namespace {

void demand_known(const std::vector<std::string>& only) {
    const auto checks = doctor::all_checks();
    for (const std::string& id : only)
        if (std::none_of(checks.begin(), checks.end(), [&id](const auto* check) { return check->id == id; }))
            stop(Status::usage, "there is no check \"{}\": see `pandora-gate doctor --list`",
                 escape_visible(id));
}

[[nodiscard]] int status_of(const doctor::Diagnosis& diagnosis) {
    int out = 0;
    for (const doctor::Finding& finding : diagnosis.findings) {
        if (finding.severity == doctor::Severity::error)
            return k_doctor_errors;
        if (finding.severity == doctor::Severity::warning)
            out = k_doctor_warnings;
    }
    return out;
}

} // namespace

std::string doctor_command(Context& context, const DoctorRequest& request, const doctor::Machine& machine) {
    demand_known(request.only);
    if (request.list)
        return request.json ? doctor::list_json() : doctor::list_text();
    const doctor::Facts facts = doctor::gather(context, machine);
    const doctor::Diagnosis diagnosis = doctor::diagnose(facts, request.only);
    context.exit_status = status_of(diagnosis);
    if (request.json)
        return doctor::json_of(diagnosis);
    return request.quiet ? doctor::lines_of(diagnosis) : doctor::text_of(diagnosis);
}

std::string doctor_command(Context& context, const DoctorRequest& request) {
    return doctor_command(context, request, doctor::Machine());
}

} // namespace gate::ctl
