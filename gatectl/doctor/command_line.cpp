#include "gatectl/doctor/commands.h"

#include <memory>

namespace gate::ctl {

void register_doctor(const Registry& registry) {
    auto request = std::make_shared<DoctorRequest>();
    auto* doctor = registry.app.add_subcommand("doctor", "Look for what is wrong, and say what mends it");
    auto* only = doctor->add_option("--only", request->only, "Report this check; may be repeated");
    only->type_name("ID")->allow_extra_args(false);
    doctor->add_flag("--json", request->json, "For programs");
    doctor->add_flag("--quiet", request->quiet, "A line each, and no notes");
    doctor->add_flag("--list", request->list, "The checks there are")->excludes(only);
    doctor->callback([request, &registry_command = registry.command, &context = registry.context] {
        registry_command = [request, &context] { return doctor_command(context, *request); };
    });
}

} // namespace gate::ctl
