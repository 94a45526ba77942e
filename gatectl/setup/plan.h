// What is to be: the steps from the machine as it is to the machine as setup leaves it. Nothing here changes
// anything.
#pragma once

#include "gatectl/setup/machine.h"
#include "gatectl/setup/request.h"
#include "gatectl/setup/step.h"

#include <set>
#include <string>
#include <vector>

namespace gate::ctl::setup {

inline constexpr const char* k_share = "/usr/share/pandora-gate/";
inline constexpr const char* k_own_home = GATE_STATEDIR "/home";
inline constexpr const char* k_shell = GATE_LIBEXECDIR "/drop";

class Plan {
  public:
    Plan(const Place& where, Runner& programs, const Machine& found, const Request& asked)
        : place(where), runner(programs), machine(found), request(asked) {}

    const Place& place;
    Runner& runner;
    const Machine& machine;
    const Request& request;
    std::set<std::string> known{}; // users that an earlier setup has set up
    std::vector<Step> steps{};
    std::vector<std::string> remarks{};
    std::string password{}; // of a new FTP user, to be shown once

    // Building stones: each adds a step, also one that changes nothing (what setup keeps an eye on).
    Step& file(const std::string& path, std::string content, mode_t mode = 0644);
    Step& directory(const std::string& path, const std::string& owner, const std::string& group, mode_t mode);
    Step& link(const std::string& path, const std::string& target);
    Step& make_group(const std::string& name);
    Step& user(const std::string& name, const UserState& wanted);
    // A unit of /usr/share/pandora-gate/systemd, started with the machine from now on.
    void unit(const std::string& name);
    [[nodiscard]] std::string shipped(const std::string& name) const; // throws Problem: not installed
    [[nodiscard]] UserState state_of(const std::string& user, const std::string& group) const;
    // Throws Problem: the PAM lines would name a module that is not there, or is not root's alone.
    void demand_module() const;
    void remark(std::string text) { remarks.push_back(std::move(text)); }

    std::string part{}; // of the steps that are added
};

void plan_account(Plan& plan);
void plan_ssh(Plan& plan);
void plan_ftp(Plan& plan);

} // namespace gate::ctl::setup
