// How a group of commands comes into the command line: its folder has a function
// `void register_NAME(const Registry& registry)`, which adds its subcommands to `app`; the callback of each
// puts what is to be run into `command`.
#pragma once

#include "gatectl/context.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

namespace gate::ctl {

struct Registry {
    CLI::App& app;
    Context& context;
    std::function<std::string()>& command;
};

} // namespace gate::ctl
