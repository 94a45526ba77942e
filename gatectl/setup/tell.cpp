#include "gatectl/setup/tell.h"

#include <algorithm>

namespace gate::ctl::setup {

void tell_of(Context& context, const Report& report, const Request& request) {
    if (report.steps.empty())
        return;
    std::string parts;
    for (const char* part : {"account", "ssh", "ftp"})
        if (std::any_of(report.steps.begin(), report.steps.end(),
                        [&](const Step& step) { return step.part == part; }))
            parts += (parts.empty() ? "" : ", ") + std::string(part);
    audit::Line line(std::string_view(report.action) == "remove" ? audit::Event::setup_removed
                                                                 : audit::Event::setup_applied);
    line.text("operator", context.operator_name)
        .text("parts", parts)
        .text_if("form", report.form)
        .number("changes", report.steps.size());
    if (report.form == "own")
        line.number("port", request.ssh.own_port);
    if (!report.left.empty())
        line.number("left", report.left.size());
    tell(context, std::move(line));
}

} // namespace gate::ctl::setup
